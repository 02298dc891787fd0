//! Virtual hosts of `haul serve`: certificates by SNI at each door and by HOST over FTP, greetings, a folder for each, a
//! reload, and tables that are wrong (RFC 7151).

use crate::scene;
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use haul_testkit::{
    Caller, Haul, Serve, Served,
    real::peer,
    served::{PASSWORD, USER},
    tls::Certificates,
};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, Stream, pki_types::ServerName};

use crate::scene::{
    SOON,
    http::{OWNER, ask, send},
    served::{OTHER, OTHERS_PASSWORD, Place, hash_of},
};

/// The certificate that is shown to whoever names this host in the handshake, if the authority `trusts` it.
fn is_shown(addr: SocketAddr, name: &'static str, trusts: &Certificates) -> bool {
    shown(TcpStream::connect(addr).unwrap(), name, trusts.client_config(None))
}

fn shown(mut stream: TcpStream, name: &'static str, config: Arc<ClientConfig>) -> bool {
    let mut tls = ClientConnection::new(config, ServerName::try_from(name).unwrap()).unwrap();
    while tls.is_handshaking() {
        if tls.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    true
}

/// Whether a certificate is shown to whoever says HOST, perhaps several times, and then AUTH TLS, that is the one of this
/// name, which is told in the handshake or not.
fn after_hosts(
    addr: SocketAddr,
    hosts: &[&str],
    (name, names): (&'static str, bool),
    trusts: &Certificates,
) -> bool {
    let mut stream = BufReader::new(TcpStream::connect(addr).unwrap());
    let said = hosts.iter().map(|host| (format!("HOST {host}\r\n"), "220"));
    let greeting = std::iter::once((String::new(), "220"));
    for (line, code) in greeting.chain(said).chain([("AUTH TLS\r\n".into(), "234")]) {
        stream.get_mut().write_all(line.as_bytes()).unwrap();
        let mut told = String::new();
        stream.read_line(&mut told).unwrap();
        assert!(told.starts_with(code), "{line} {told}");
    }
    let mut config = ClientConfig::clone(&trusts.client_config(None));
    config.enable_sni = names;
    shown(stream.into_inner(), name, Arc::new(config))
}

struct Hosts {
    own: Certificates,
    a: Certificates,
    b: Certificates,
}

impl Hosts {
    fn new() -> Self {
        let of = |name| Certificates::for_names(&[name]);
        Self { own: of("own.example"), a: of("a.example"), b: of("b.example") }
    }

    fn config(&self, b: &str) -> String {
        let files =
            |of: &Certificates| format!("cert = {:?}\nkey = {:?}\n", of.cert_pem_path(), of.key_pem_path());
        format!(
            "[ftp]\nbanner = \"own\"\n[tls]\n{}[[host]]\nnames = [\"a.example\", \"A2.example\"]\nbanner = \"this is a\"\n{}\
             [[host]]\nnames = [\"{b}\"]\n{}",
            files(&self.own),
            files(&self.a),
            files(&self.b)
        )
    }
}

#[test]
fn each_host_has_its_certificate_at_each_door_and_by_host_as_well() {
    let (place, hosts) = (Place::new(), Hosts::new());
    let served = place.serve().ftps().https().config(&hosts.config("b.example")).start();
    for door in [served.ftps_addr(), served.https_addr()] {
        assert!(is_shown(door, "a.example", &hosts.a) && is_shown(door, "b.example", &hosts.b));
        assert!(is_shown(door, "own.example", &hosts.own), "whoever else is named");
        assert!(!is_shown(door, "a.example", &hosts.b));
    }
    let mut caller = Caller::to(served.addr());
    assert_eq!(caller.hears(220).text, "220 own\r\n");
    assert_eq!(caller.says("HOST a2.EXAMPLE", 220).text, "220 this is a\r\n");
    assert_eq!(caller.says("HOST b.example", 220).text, "220 own\r\n");
    for (line, code) in [("HOST c.example", 504), ("HOST 127.0.0.1", 220), ("HOST [::1]", 220), ("HOST", 501)]
    {
        caller.says(line, code);
    }
    caller.logs_in(USER, PASSWORD);
    caller.says("HOST a.example", 503);
    // The certificate of the host that HOST has named, where TLS names none, and a contradiction where it does.
    let (unnamed, named) = (("a.example", false), ("a.example", true));
    assert!(after_hosts(served.addr(), &["a.example"], unnamed, &hosts.a));
    assert!(!after_hosts(served.addr(), &["b.example"], unnamed, &hosts.a));
    assert!(after_hosts(served.addr(), &["b.example"], named, &hosts.a), "what TLS names counts");
    assert!(
        after_hosts(served.addr(), &["b.example", "a.example"], unnamed, &hosts.a),
        "the last one counts"
    );
    let own = ("own.example", false);
    assert!(after_hosts(served.addr(), &["a.example", "127.0.0.1"], own, &hosts.own), "an address, too");
}

#[test]
fn host_must_not_contradict_what_tls_was_told() {
    let (place, hosts) = (Place::new(), Hosts::new());
    let served = place.serve().ftps().config(&hosts.config("b.example")).start();
    let mut stream = TcpStream::connect(served.ftps_addr()).unwrap();
    let name = ServerName::try_from("a.example").unwrap();
    let mut tls = ClientConnection::new(hosts.a.client_config(None), name).unwrap();
    let mut stream = BufReader::new(Stream::new(&mut tls, &mut stream));
    let mut says = |line: &str, reply: &str| {
        if !line.is_empty() {
            stream.get_mut().write_all(line.as_bytes()).unwrap();
        }
        let mut told = String::new();
        stream.read_line(&mut told).unwrap();
        assert!(told.starts_with(reply), "{line} {told}");
    };
    says("", "220 this is a\r\n");
    says("HOST b.example\r\n", "504 ");
    says("HOST A2.example\r\n", "220 this is a\r\n");
}

#[test]
fn a_reload_brings_new_hosts_and_a_wrong_table_is_told_with_its_line() {
    let (place, hosts) = (Place::new(), Hosts::new());
    let file = place.local("serve.toml");
    std::fs::write(&file, hosts.config("b.example")).unwrap();
    let served = place.serve().ftps().arg("--config").arg(&file).start();
    assert!(!is_shown(served.ftps_addr(), "c.example", &hosts.b));
    for (wrong, line, words) in [
        ("[[host]]\nnames = [\"a b\"]\n", 2, "is no name of a host"),
        ("[[host]]\nnames = [\"a\"]\n[[host]]\nnames = [\"b\", \"A\"]\n", 4, "is there twice"),
        ("[[host]]\nbanner = \"x\"\n", 1, "host.names: is missing"),
        ("[[host]]\nnames = [\"a\"]\ncert = \"x\"\n", 1, "host.key: is missing"),
    ] {
        std::fs::write(&file, wrong).unwrap();
        let checked = scene::haul().args(["serve", "--check", "--config"]).arg(&file).run();
        assert_ne!(checked.code, Some(0));
        let told = format!("serve.toml:{line}: ");
        assert!(checked.stderr.contains(&told) && checked.stderr.contains(words), "{}", checked.stderr);
    }
    std::fs::write(&file, hosts.config("c.example")).unwrap();
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains(" reloaded"), SOON);
    assert!(is_shown(served.ftps_addr(), "own.example", &hosts.own));
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    assert_eq!((caller.asks("HOST b.example").code, caller.asks("HOST c.example").code), (504, 220));
}

/// Two hosts with a folder each: everybody may read there, one user lives in all of it, and one in `in` with a quota.
fn two_folders(place: &Place) -> Serve {
    for folder in ["a/in", "b/in", "in"] {
        fs::create_dir_all(place.far(folder)).unwrap();
        fs::write(place.far(folder).join("which"), folder).unwrap();
        fs::write(place.far(folder).join("../which"), format!("above {folder}")).unwrap();
    }
    let (owner, other) = (hash_of(PASSWORD), hash_of(OTHERS_PASSWORD));
    let config = format!(
        "[anonymous]\naccess = \"r\"\n\
         [[user]]\nname = {USER:?}\npassword = {owner:?}\n\
         [[user]]\nname = {OTHER:?}\npassword = {other:?}\nhome = \"/in\"\nquota_bytes = \"100\"\n\
         [[host]]\nnames = [\"a.example\"]\nhome = \"/a\"\n[[host]]\nnames = [\"b.example\"]\nhome = \"/b\"\n"
    );
    Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(&config).http()
}

fn calls(served: &Served, host: Option<&str>, user: &str, password: &str) -> Caller {
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    if let Some(host) = host {
        caller.says(&format!("HOST {host}"), 220);
    }
    caller.logs_in(user, password);
    caller.says("TYPE I", 200);
    caller
}

#[test]
fn each_host_has_its_folder_over_ftp() {
    let place = Place::new();
    let served = two_folders(&place).start();
    for (host, above, inside) in [
        (None, "above in", "in"),
        (Some("127.0.0.1"), "above in", "in"),
        (Some("A.example."), "above a/in", "a/in"),
        (Some("b.example"), "above b/in", "b/in"),
    ] {
        assert_eq!(calls(&served, host, "anonymous", "x@").receives("RETR which"), above.as_bytes());
        let mut owner = calls(&served, host, USER, PASSWORD);
        assert_eq!(owner.receives("RETR which"), above.as_bytes());
        assert_eq!(owner.receives("RETR /in/which"), inside.as_bytes());
        assert_eq!(owner.says("PWD", 257).text.split('"').nth(1), Some("/"));
        let mut other = calls(&served, host, OTHER, OTHERS_PASSWORD);
        assert_eq!(other.receives("RETR /which"), inside.as_bytes());
        assert_eq!(other.receives("RETR /../../../which"), inside.as_bytes(), "there is nothing above");
    }
    // Who begins anew is at no host any more.
    let mut owner = calls(&served, Some("a.example"), USER, PASSWORD);
    owner.says("REIN", 220);
    owner.logs_in(USER, PASSWORD);
    owner.says("TYPE I", 200);
    assert_eq!(owner.receives("RETR which"), b"above in");
}

#[test]
fn what_is_begun_at_one_host_is_not_there_at_another_and_each_has_its_quota() {
    let place = Place::new();
    let served = two_folders(&place).start();
    let mut a = calls(&served, Some("a.example"), OTHER, OTHERS_PASSWORD);
    let mut b = calls(&served, Some("b.example"), OTHER, OTHERS_PASSWORD);
    a.says("ALLO 60", 200);
    assert_eq!(a.stores("STOR new", &[1; 40]).code, 451, "it is kept");
    assert_eq!((a.size("new"), b.size("new")), (Some(40), None));
    assert_eq!(b.stores("STOR new", &[2; 90]).code, 226);
    assert_eq!(fs::read(place.far("b/in/new")).unwrap(), [2; 90]);
    assert_eq!(b.stores("STOR more", &[2; 90]).code, 552);
    assert_eq!(a.stores("APPE new", &[3; 20]).code, 226);
    assert_eq!(fs::read(place.far("a/in/new")).unwrap(), [[1; 40].as_slice(), &[3; 20]].concat());
    assert!(!place.far("in/new").exists());
}

#[test]
fn each_host_has_its_folder_over_http() {
    let place = Place::new();
    let served = two_folders(&place).start();
    let addr = served.http_addr();
    let plain = String::from_utf8(scene::http::get(addr, "/which")).unwrap();
    assert_eq!(plain, "above in");
    if let Some(curl) = peer("curl") {
        for (name, above, inside) in
            [("a.example", "above a/in", "a/in"), ("B.EXAMPLE", "above b/in", "b/in")]
        {
            let resolve = format!("{name}:{}:127.0.0.1", addr.port());
            let fetched = |options: &[&str], path: &str| {
                let url = format!("http://{name}:{}{path}", addr.port());
                let end = Haul::new(curl.clone())
                    .args(["-sSf", "--resolve", &resolve])
                    .args(options)
                    .arg(url)
                    .run()
                    .expect_code(0);
                String::from_utf8(end.stdout).unwrap()
            };
            assert_eq!(fetched(&[], "/which"), above);
            assert_eq!(fetched(&["--http2-prior-knowledge"], "/which"), above);
            assert_eq!(fetched(&["-u", &format!("{OTHER}:{OTHERS_PASSWORD}")], "/which"), inside);
            let page = fetched(&["-H", "Accept: application/json"], "/");
            assert!(page.contains("\"in\"") && !page.contains("\"a\""), "{page}");
        }
    }
    // An upload that was begun at one host is of that host, wherever its URL is asked for.
    let host = |name: &str| format!("Host: {name}");
    let fields = [host("a.example"), OWNER.to_owned(), "Content-Range: bytes 0-3/8".to_owned()];
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert_eq!(send(addr, "PUT", "/new", &fields, b"half").status(), 308);
    let pending = |name: &str| ask(addr, "GET", "/-/uploads?path=/new", &[&host(name), OWNER]).text();
    assert!(pending("a.example").contains("\"offset\":4"), "{}", pending("a.example"));
    assert!(!pending("b.example").contains("offset"), "{}", pending("b.example"));
    let fields = [host("a.example"), OWNER.to_owned(), "Content-Range: bytes 4-7/8".to_owned()];
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert_eq!(send(addr, "PUT", "/new", &fields, b"gone").status(), 201);
    assert_eq!(fs::read(place.far("a/new")).unwrap(), b"halfgone");
    assert!(!place.far("new").exists() && !place.far("b/new").exists());
}

#[test]
fn a_folder_that_is_not_there_is_told_with_its_line() {
    let place = Place::new();
    let served = two_folders(&place).start();
    let process = served.process();
    let file = place.local("check.toml");
    let config = format!("dir = {:?}\n[[host]]\nnames = [\"c.example\"]\nhome = \"/c\"\n", place.root());
    fs::write(&file, config).unwrap();
    let checked = scene::haul().args(["serve", "--check", "--config"]).arg(&file).run();
    let told = "check.toml:4: host.home: \"c.example\": there is no folder /c";
    assert!(checked.stderr.contains(told), "{}", checked.stderr);
    // A host whose folder comes later is of use from then on.
    fs::remove_dir_all(place.far("b")).unwrap();
    process.hang_up();
    process.wait_for_line(|line| line.contains(" reloaded"), SOON);
    let mut late = calls(&served, Some("b.example"), USER, PASSWORD);
    late.says("CWD in", 550);
    fs::create_dir_all(place.far("b/in")).unwrap();
    late.says("CWD in", 250);
}
