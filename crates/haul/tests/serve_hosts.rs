//! Virtual hosts of `haul serve`: certificates by SNI at each door and by HOST over FTP, greetings, a reload, and tables
//! that are wrong (RFC 7151).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod scene;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use haul_testkit::{
    Caller,
    served::{PASSWORD, USER},
    tls::Certificates,
};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, Stream, pki_types::ServerName};

use scene::{SOON, served::Place};

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

/// Whether the certificate of the name `a.example` is shown to whoever says HOST and then AUTH TLS, and names it in the
/// handshake or not.
fn after_host(addr: SocketAddr, host: &str, names: bool, trusts: &Certificates) -> bool {
    let mut stream = BufReader::new(TcpStream::connect(addr).unwrap());
    for (line, code) in
        [(String::new(), "220"), (format!("HOST {host}\r\n"), "220"), ("AUTH TLS\r\n".into(), "234")]
    {
        stream.get_mut().write_all(line.as_bytes()).unwrap();
        let mut told = String::new();
        stream.read_line(&mut told).unwrap();
        assert!(told.starts_with(code), "{line} {told}");
    }
    let mut config = ClientConfig::clone(&trusts.client_config(None));
    config.enable_sni = names;
    shown(stream.into_inner(), "a.example", Arc::new(config))
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
    assert!(after_host(served.addr(), "a.example", false, &hosts.a));
    assert!(!after_host(served.addr(), "b.example", false, &hosts.a));
    assert!(after_host(served.addr(), "b.example", true, &hosts.a), "what TLS names counts");
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
