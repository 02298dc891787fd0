//! Clients that are known by their certificates, through both doors.

use crate::scene;
use std::fs;

use haul_testkit::{
    Finished, Haul, Serve, Served,
    real::peer,
    tls::{ClientCertificate, ClientCertificates},
};
use sha2::{Digest as _, Sha256};

use crate::scene::{
    served::{Place, hash_of},
    tls::{certificates, certified},
};

/// Who vouches for clients, and a server that knows ann by her name, and the camera by its very certificate.
struct Known {
    clients: ClientCertificates,
    camera: ClientCertificate,
    place: Place,
}

impl Known {
    fn new() -> Self {
        let (clients, place) = (ClientCertificates::new(), Place::new());
        let camera = clients.of("some device");
        for (file, content) in [("ann/f", "ann's"), ("camera/f", "camera's"), ("f", "everybody's")] {
            fs::create_dir_all(place.far(file).parent().unwrap()).unwrap();
            fs::write(place.far(file), content).unwrap();
        }
        Self { clients, camera, place }
    }

    fn configuration(&self, more: &str) -> String {
        let digits: String =
            Sha256::digest(&self.camera.der).iter().map(|byte| format!("{byte:02x}")).collect();
        let user = |name: &str, known: &str| {
            format!(
                "[[user]]\nname = \"{name}\"\npassword = \"{}\"\nhome = \"/{name}\"\ncertificates = [\"{known}\"]\n{more}\n",
                hash_of("secret")
            )
        };
        format!(
            "[tls]\nclient_ca = \"{}\"\n{}{}",
            self.clients.ca_pem_path().display(),
            user("ann", "CN=ann"),
            user("camera", &format!("SHA256={digits}"))
        )
    }

    fn serve(&self, more: &str) -> Served {
        let serve = Serve::without_user(env!("CARGO_BIN_EXE_haul"), self.place.root());
        certified(serve.config(&self.configuration(more))).ftps().https().start()
    }

    /// curl, showing this certificate; None where there is no curl.
    fn curl(&self, shown: Option<&ClientCertificate>, args: &[&str]) -> Option<Finished> {
        self.curl_from(&[], shown, args)
    }

    fn curl_from(
        &self,
        from: &[String],
        shown: Option<&ClientCertificate>,
        args: &[&str],
    ) -> Option<Finished> {
        let mut curl =
            Haul::new(peer("curl")?).args(["-q", "-sSv", "--cacert"]).arg(certificates().ca_pem_path());
        if let Some(shown) = shown {
            curl = curl.arg("--cert").arg(&shown.cert).arg("--key").arg(&shown.key);
        }
        Some(curl.args(from).args(args).dir(self.place.dir()).run())
    }
}

/// Options for a client from an address of its own: who fails waits longer each time, by address.
#[derive(Default)]
struct Elsewhere(u8);

impl Elsewhere {
    fn next(&mut self) -> [String; 3] {
        self.0 += 1;
        ["-4".to_owned(), "--interface".to_owned(), format!("127.0.0.{}", 1 + self.0)]
    }
}

fn ftp(served: &Served, path: &str) -> String {
    format!("ftp://localhost:{}{path}", served.addr().port())
}

fn ftps(served: &Served, path: &str) -> String {
    format!("ftps://localhost:{}{path}", served.ftps_addr().port())
}

fn https(served: &Served, path: &str) -> String {
    format!("https://localhost:{}{path}", served.https_addr().port())
}

#[test]
fn over_ftp_a_certificate_is_a_login_for_its_user_and_no_other() {
    let known = Known::new();
    let served = known.serve("");
    let (ann, mut elsewhere) = (known.clients.of("ann"), Elsewhere::default());
    for url in [ftp(&served, "/f"), ftps(&served, "/f")] {
        let args = |user: &'static str| {
            ["--ssl-reqd", "-u", user].into_iter().chain([url.as_str()]).collect::<Vec<_>>()
        };
        let Some(end) = known.curl(Some(&ann), &args("ann:")) else { return };
        assert_eq!((end.code, &end.stdout[..]), (Some(0), &b"ann's"[..]), "{url}: {}", end.stderr);
        assert!(end.stderr.contains("< 232 Welcome, ann"), "{}", end.stderr);
        assert!(!end.stderr.contains("> PASS"), "no password was asked for: {}", end.stderr);
        // By its very certificate, whatever is called so.
        let end = known.curl(Some(&known.camera), &args("camera:")).unwrap();
        assert_eq!(&end.stdout[..], b"camera's", "{}", end.stderr);
        let other = known.clients.of("some device");
        let mut fails = |shown, user| known.curl_from(&elsewhere.next(), shown, &args(user)).unwrap();
        assert_eq!(fails(Some(&other), "camera:wrong").code, Some(67));
        let camera = known.clients.of("camera");
        assert_eq!(fails(Some(&camera), "camera:wrong").code, Some(67), "its name is not enough");
        // Another user needs a password, and may have it.
        let end = fails(Some(&ann), "camera:wrong");
        assert!(end.code != Some(0) && end.stderr.contains("< 331"), "{}", end.stderr);
        assert_eq!(known.curl(Some(&ann), &args("camera:secret")).unwrap().stdout, b"camera's");
        assert_eq!(known.curl(None, &args("ann:secret")).unwrap().stdout, b"ann's");
        assert_eq!(fails(None, "ann:wrong").code, Some(67));
    }
    // Uploads with their data connections, too.
    fs::write(known.place.local("new"), "from ann").unwrap();
    let end =
        known.curl(Some(&ann), &["--ssl-reqd", "-u", "ann:", "-T", "new", &ftp(&served, "/new")]).unwrap();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert_eq!(fs::read(known.place.far("ann/new")).unwrap(), b"from ann");
    if let Some(lftp) = peer("lftp") {
        let script = format!(
            "set ftp:ssl-force yes; set ssl:ca-file {}; set ssl:cert-file {}; set ssl:key-file {}; set net:max-retries 1; \
             open -u ann,wrong -p {} localhost; cat f",
            certificates().ca_pem_path().display(),
            ann.cert.display(),
            ann.key.display(),
            served.addr().port()
        );
        let end = Haul::new(lftp).args(["--norc", "-c", &script]).run();
        assert_eq!((end.code, &end.stdout[..]), (Some(0), &b"ann's"[..]), "{}", end.stderr);
    }
    let log = served.process().stderr();
    assert!(log.contains("login session=") && log.contains("user=\"ann\""), "{log}");
}

#[test]
fn over_http_a_certificate_is_as_good_as_credentials() {
    let known = Known::new();
    let served = known.serve("");
    let (ann, url) = (known.clients.of("ann"), https(&served, "/f"));
    for version in ["--http1.1", "--http2"] {
        let Some(end) = known.curl(Some(&ann), &[version, "-f", &url]) else { return };
        assert_eq!((end.code, &end.stdout[..]), (Some(0), &b"ann's"[..]), "{}", end.stderr);
        assert_eq!(known.curl(Some(&known.camera), &[version, &url]).unwrap().stdout, b"camera's");
        // Whoever is known by none is nobody, and a name needs its password.
        let stranger = known.clients.of("stranger");
        assert_eq!(known.curl(Some(&stranger), &[version, &url]).unwrap().stdout, b"everybody's");
        assert_eq!(known.curl(None, &[version, &url]).unwrap().stdout, b"everybody's");
        assert_eq!(
            known.curl(Some(&stranger), &[version, "-f", "-u", "ann:wrong", &url]).unwrap().code,
            Some(22)
        );
        assert_eq!(
            known.curl(Some(&stranger), &[version, "-u", "ann:secret", &url]).unwrap().stdout,
            b"ann's"
        );
        assert_eq!(known.curl(Some(&ann), &[version, "-u", "ann:", &url]).unwrap().stdout, b"ann's");
        assert_eq!(
            known.curl(Some(&ann), &[version, "-u", "camera:secret", &url]).unwrap().stdout,
            b"camera's"
        );
        fs::write(known.place.local("new"), version).unwrap();
        let end = known.curl(Some(&ann), &[version, "-f", "-T", "new", &https(&served, "/new")]).unwrap();
        assert_eq!(end.code, Some(0), "{}", end.stderr);
        assert_eq!(fs::read(known.place.far("ann/new")).unwrap(), version.as_bytes());
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_ends_the_handshake_and_one_of_an_expired_account_is_told_so() {
    let known = Known::new();
    let served = known.serve("expires = 2020-01-01");
    let (ann, others) = (known.clients.of("ann"), ClientCertificates::new());
    let Some(end) = known.curl(Some(&ann), &["-f", &https(&served, "/f")]) else { return };
    assert!(end.code == Some(22) && end.stderr.contains(" 403"), "{}", end.stderr);
    let end = known.curl(Some(&ann), &["--ssl-reqd", "-u", "ann:", &ftp(&served, "/f")]).unwrap();
    assert!(end.code != Some(0) && end.stderr.contains("< 530 This account has expired."), "{}", end.stderr);
    let false_ann = others.of("ann");
    for url in [https(&served, "/f"), ftps(&served, "/f"), ftp(&served, "/f")] {
        let end = known.curl(Some(&false_ann), &["--ssl-reqd", "-u", "ann:", &url]).unwrap();
        assert!(end.code != Some(0) && end.stdout.is_empty(), "{url}: {}", end.stderr);
    }
    served.process().wait_for_line(|line| line.contains("TLS did not begin"), scene::SOON);
}

#[test]
fn a_certificate_that_is_not_good_now_or_not_for_clients_ends_the_handshake() {
    let known = Known::new();
    let served = known.serve("");
    let urls = [https(&served, "/f"), ftps(&served, "/f"), ftp(&served, "/f")];
    for shown in [
        known.clients.dated("ann", (2000, 2001)),
        known.clients.dated("ann", (2090, 2099)),
        known.clients.for_a_server("ann"),
    ] {
        for url in &urls {
            // Not even with the right password: who shows a wrong one has shown it.
            let args = ["--ssl-reqd", "-u", "ann:secret", url];
            let Some(end) = known.curl(Some(&shown), &args) else { return };
            assert!(end.code != Some(0) && end.stdout.is_empty(), "{url}: {}", end.stderr);
        }
    }
    // Nobody is known by another name than that of the subject.
    let other = known.clients.also_called("bob", "ann");
    let end = known.curl(Some(&other), &[&urls[0]]).unwrap();
    assert_eq!((end.code, &end.stdout[..]), (Some(0), &b"everybody's"[..]), "{}", end.stderr);
    for url in &urls[1..] {
        let end = known.curl(Some(&other), &["--ssl-reqd", "-u", "ann:wrong", url]).unwrap();
        assert!(end.code != Some(0) && end.stderr.contains("< 331"), "{url}: {}", end.stderr);
    }
}

#[test]
fn what_is_wrong_about_it_is_told_and_a_reload_that_would_bring_it_changes_nothing() {
    let known = Known::new();
    let file = known.place.local("serve.toml");
    let empty = known.place.local("empty.pem");
    fs::write(&empty, "").unwrap();
    let serve = || {
        let serve =
            Serve::without_user(env!("CARGO_BIN_EXE_haul"), known.place.root()).arg("--config").arg(&file);
        certified(serve).https()
    };
    for (authority, told) in [
        (empty.display().to_string(), "empty.pem has no certificate in it"),
        ("/nowhere/ca.pem".to_owned(), "serve.toml:2: tls.client_ca: /nowhere/ca.pem: "),
    ] {
        fs::write(&file, format!("[tls]\nclient_ca = \"{authority}\"\n")).unwrap();
        let end = serve().arg("--check").run().expect_code(2);
        assert!(end.stderr.contains(told), "{}", end.stderr);
    }
    fs::write(&file, known.configuration("")).unwrap();
    let served = serve().start();
    let ann = known.clients.of("ann");
    let url = https(&served, "/f");
    let Some(end) = known.curl(Some(&ann), &[&url]) else { return };
    assert_eq!(&end.stdout[..], b"ann's", "{}", end.stderr);
    fs::write(&file, known.configuration("").replace("CN=ann", "ann")).unwrap();
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains("everything stays as it was"), scene::SOON);
    let log = served.process().stderr();
    assert!(log.contains("serve.toml:7: user.certificates: \\\"ann\\\" names no certificate"), "{log}");
    assert_eq!(known.curl(Some(&ann), &[&url]).unwrap().stdout, b"ann's");
    // And another name from now on.
    fs::write(&file, known.configuration("").replace("CN=ann", "CN=anna")).unwrap();
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains(" reloaded"), scene::SOON);
    assert_eq!(known.curl(Some(&ann), &[&url]).unwrap().stdout, b"everybody's");
    assert_eq!(known.curl(Some(&known.clients.of("anna")), &[&url]).unwrap().stdout, b"ann's");
}
