//! What `haul serve` lets nobody do over FTP, and what it does not mistake for something else: ports, addresses, times.

use crate::scene;
use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread::sleep,
    time::Duration,
};

use haul_testkit::{Content, caller::connect_from};

use crate::scene::{
    MIB, SOON,
    served::{OTHER, OTHERS_PASSWORD, Place, begun, owner, serve},
};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));

/// PORT's six numbers.
fn six(addr: SocketAddr) -> String {
    let IpAddr::V4(ip) = addr.ip() else { panic!("PORT is of IPv4") };
    let [a, b, c, d] = ip.octets();
    format!("PORT {a},{b},{c},{d},{},{}", addr.port() >> 8, addr.port() & 0xFF)
}

#[test]
fn a_data_connection_from_elsewhere_is_refused_and_the_client_is_told() {
    let place = Place::new();
    std::fs::write(place.far("f"), "secret").unwrap();
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    let addr = caller.passive();
    let mut thief = connect_from(ELSEWHERE, addr);
    let reply = caller.asks("RETR f");
    let reply = if reply.code == 150 { caller.reply() } else { reply };
    assert_eq!(reply.code, 425, "{reply:?}");
    let mut stolen = Vec::new();
    let _ = thief.read_to_end(&mut stolen);
    assert_eq!(stolen, b"");
    assert_eq!(caller.receives("RETR f"), b"secret");
}

#[test]
fn a_server_sends_to_no_third_party_and_to_no_service() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    for bad in [
        "PORT 127,0,0,66,200,10",
        "PORT 127,0,0,1,0,25",
        "PORT 8,8,8,8,200,10",
        "PORT 1,2,3",
        "PORT 300,0,0,1,1,1",
        "EPRT |1|127.0.0.66|50000|",
        "EPRT |1|127.0.0.1|25|",
        "EPRT |2|::1|50000|",
        "EPRT |3|127.0.0.1|50000|",
        "EPRT",
    ] {
        let code = caller.asks(bad).code;
        assert!((500..600).contains(&code), "{bad}: {code}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    for port in [six(addr), format!("EPRT |1|{}|{}|", addr.ip(), addr.port())] {
        caller.says(&port, 200);
        caller.sends("RETR f");
        let mut bytes = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
        caller.hears(150);
        caller.hears(226);
        assert_eq!(bytes, b"x");
    }
}

#[test]
fn a_session_has_one_port_open_at_a_time() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    let first = caller.passive();
    let second = caller.passive();
    assert!(first == second || TcpStream::connect(first).is_err(), "the first one is closed");
    let data = caller.data_at(second);
    caller.says("RETR f", 150);
    assert_eq!(data.all(), b"x");
    caller.hears(226);
    assert!(TcpStream::connect(second).is_err());
}

#[test]
fn after_epsv_all_nothing_else_is_taken() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    caller.says("EPSV ALL", 200);
    for refused in ["PASV", "PORT 127,0,0,1,200,10", "EPRT |1|127.0.0.1|50000|"] {
        let code = caller.asks(refused).code;
        assert!((500..600).contains(&code), "{refused}: {code}");
    }
    let reply = caller.says("EPSV", 229).text;
    let port = reply.split("|||").nth(1).and_then(|rest| rest.split('|').next()).unwrap().parse().unwrap();
    let data = caller.data_at(SocketAddr::new(served.addr().ip(), port));
    caller.says("RETR f", 150);
    assert_eq!(data.all(), b"x");
    caller.hears(226);
}

#[test]
fn passive_ports_are_those_that_were_named_and_pasv_tells_the_address_outside() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let free = |taken: &TcpListener| taken.local_addr().unwrap().port();
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free(&probe);
    drop(probe);
    let ports = format!("{port}-{port}");
    let served = place.serve().args(["--passive-ports", &ports, "--external-address", "192.0.2.7"]).start();
    let mut caller = owner(served.addr());
    let told = caller.passive();
    assert_eq!((told.ip(), told.port()), (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), port));
    let mut second = owner(served.addr());
    let code = second.asks("PASV").code;
    assert!(code == 425 || code == 227, "the only port is taken: {code}");
    let data = caller.data_at(SocketAddr::from(([127, 0, 0, 1], port)));
    caller.says("RETR f", 150);
    assert_eq!(data.all(), b"x");
    caller.hears(226);
}

#[test]
fn a_control_connection_that_is_silent_while_data_flows_is_not_idle() {
    let place = Place::new();
    let content = Content::new(1, 8 * MIB);
    content.write_to(place.far("f"));
    let served = place.serve().config("[ftp]\nidle = \"3s\"\n").start();
    let mut caller = owner(served.addr());
    let mut data = begun(&mut caller, "STOR up", b"a");
    for _ in 0..6 {
        sleep(Duration::from_millis(700));
        data.sends(b"b");
    }
    data.finish();
    caller.hears(226);
    assert_eq!(std::fs::read(place.far("up")).unwrap(), b"abbbbbb");
    // Then it is.
    caller.hears(421);
    assert!(caller.is_ended());
}

#[test]
fn a_transfer_without_a_byte_is_given_up_and_what_came_is_kept() {
    let place = Place::new();
    let served = place.serve().config("[ftp]\nstall = \"3s\"\n").start();
    let mut caller = owner(served.addr());
    let _data = begun(&mut caller, "STOR f", b"some bytes");
    let reply = caller.reply();
    assert!((400..500).contains(&reply.code), "{reply:?}");
    assert_eq!(caller.size("f"), Some(9));
}

#[test]
fn permissions_are_kept_to() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    std::fs::create_dir(place.far("d")).unwrap();
    let users = [("reader", "r"), ("lister", "l"), ("writer", "w"), ("cleaner", "d")];
    let served = users
        .iter()
        .fold(place.serve(), |serve, (name, may)| serve.arg("--user").arg(format!("{name}:pw:{may}")))
        .start();
    for (name, may) in users {
        let mut caller = haul_testkit::Caller::binary(served.addr(), name, "pw");
        for (command, needs) in [
            ("RETR f", 'r'),
            ("STOR new", 'w'),
            ("APPE new", 'w'),
            ("STOU", 'w'),
            ("MKD made", 'w'),
            ("LIST", 'l'),
            ("NLST", 'l'),
            ("MLSD", 'l'),
            ("DELE f", 'd'),
            ("RMD d", 'd'),
            ("MFMT 20200101000000 f", 'w'),
            ("SITE CHMOD 600 f", 'w'),
        ] {
            if may.contains(needs) {
                continue;
            }
            let data = caller.data();
            let code = caller.asks(command).code;
            assert!((500..600).contains(&code), "{name} may not {command}: {code}");
            drop(data);
        }
        if !may.contains('d') {
            let from = caller.asks("RNFR f").code;
            let code = if from == 350 { caller.asks("RNTO g").code } else { from };
            assert!((500..600).contains(&code), "{name} may not rename: {code}");
        }
    }
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"x");
    assert!(place.far("d").is_dir() && !place.far("made").exists() && !place.far("new").exists());
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_no_clean_end() {
    let place = Place::new();
    let content = Content::new(4, 16 * MIB);
    content.write_to(place.far("f"));
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    caller.says("RETR f", 150);
    data.takes(100_000);
    let mut file = std::fs::File::options().append(true).open(place.far("f")).unwrap();
    std::io::Write::write_all(&mut file, b"more").unwrap();
    let _ = data.to_the_end();
    let reply = caller.reply();
    assert_eq!(reply.code, 451, "{reply:?}");
}

#[test]
fn a_configuration_is_checked_without_a_door_being_opened() {
    let place = Place::new();
    let good = serve(place.root()).arg("--check").run();
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    let bad =
        serve(place.root()).config("[ftp]\nidel = \"1s\"\n[uploads]\nmode = \"hope\"\n").arg("--check").run();
    assert_eq!(bad.code, Some(2), "{}", bad.stderr);
    assert!(bad.stderr.contains("idel") && bad.stderr.contains("hope"), "{}", bad.stderr);
    assert!(scene::files(place.root()).is_empty());
}

#[test]
fn a_user_whose_password_is_hashed_is_let_in() {
    let place = Place::new();
    std::fs::create_dir(place.far("home")).unwrap();
    std::fs::write(place.far("home/f"), "x").unwrap();
    let hash = scene::served::hash_of("long enough");
    let config = format!("[[user]]\nname = \"h\"\npassword = \"{hash}\"\nhome = \"/home\"\n");
    let served = place.serve().config(&config).start();
    for _ in 0..3 {
        let mut caller = haul_testkit::Caller::binary(served.addr(), "h", "long enough");
        assert_eq!(caller.size("/f"), Some(1), "the home is the root");
        assert!((500..600).contains(&caller.asks("SIZE /home/f").code));
    }
}

#[test]
fn each_transfer_is_a_line_of_the_xferlog_that_tells_whole_from_incomplete() {
    let place = Place::new();
    let log = place.local("xferlog");
    let config = format!("[log]\nxferlog = {log:?}\n");
    let served = place.serve().config(&config).start();
    let mut caller = owner(served.addr());
    assert_eq!(caller.stores("STOR f", b"whole").code, 226);
    begun(&mut caller, "STOR g", b"half").reset();
    caller.reply();
    assert_eq!(caller.receives("RETR f"), b"whole");
    let lines = || std::fs::read_to_string(&log).unwrap_or_default();
    scene::wait_until(|| lines().lines().count() >= 3);
    let found: Vec<Vec<String>> =
        lines().lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    let about = |name: &str, way: &str| {
        found.iter().find(|w| w.contains(&name.to_owned()) && w.contains(&way.to_owned())).unwrap()
    };
    assert_eq!(about("/f", "i").last().map(String::as_str), Some("c"));
    assert_eq!(about("/g", "i").last().map(String::as_str), Some("i"));
    assert_eq!(about("/f", "o").last().map(String::as_str), Some("c"));
}

#[test]
fn a_door_of_ipv6_has_epsv() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let server = scene::haul()
        .args(["serve", "--http", "off", "--ftp", "[::1]:0", "--user", &format!("{OTHER}:{OTHERS_PASSWORD}")])
        .arg(place.root())
        .spawn();
    let line = server.wait_for_output_line(|line| line.starts_with("listening ftp "), SOON);
    let addr: SocketAddr = line.strip_prefix("listening ftp ").unwrap().parse().unwrap();
    let mut caller = scene::served::stranger(addr);
    let refused = caller.asks("PASV");
    assert!((400..600).contains(&refused.code), "PASV is of IPv4: {refused:?}");
    let reply = caller.says("EPSV", 229).text;
    let port = reply.split("|||").nth(1).and_then(|rest| rest.split('|').next()).unwrap().parse().unwrap();
    let data = caller.data_at(SocketAddr::new(addr.ip(), port));
    caller.says("RETR f", 150);
    assert_eq!(data.all(), b"x");
    caller.hears(226);
}

#[test]
fn abor_is_heard_at_once_however_it_is_said() {
    let place = Place::new();
    Content::new(5, 64 * MIB).write_to(place.far("f"));
    let served = place.serve().start();
    let ways: [fn(&mut haul_testkit::Caller); 4] = [
        |caller| caller.sends("ABOR"),
        // python's ftplib: the whole line out of band, of which only the last byte is urgent.
        |caller| caller.sends_urgently(b"ABOR\r\n"),
        // Telnet's Synch (RFC 959 §4.1.3): IP, and DM as urgent data.
        |caller| {
            caller.sends_bytes(b"\xFF\xF4\xFF");
            caller.sends_urgently(b"\xF2");
            caller.sends("ABOR");
        },
        |caller| caller.sends_bytes(b"\xFF\xF4\xFF\xF2ABOR\r\n"),
    ];
    for (number, abort) in ways.into_iter().enumerate() {
        let mut caller = owner(served.addr());
        let mut data = caller.data();
        caller.says("RETR f", 150);
        data.takes(1000);
        abort(&mut caller);
        let codes = (caller.reply().code, caller.reply().code);
        assert_eq!(codes, (426, 226), "way {number}");
        caller.says("NOOP", 200);
        let mut up = begun(&mut caller, &format!("STOR up{number}"), b"some");
        let _ = up.tries(b" bytes");
        abort(&mut caller);
        let codes = (caller.reply().code, caller.reply().code);
        assert_eq!(codes, (426, 226), "way {number}, upward");
        assert!(!place.far(&format!("up{number}")).exists());
    }
}

#[test]
fn stat_tells_how_far_a_transfer_is_while_it_runs() {
    let place = Place::new();
    Content::new(6, 64 * MIB).write_to(place.far("f"));
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    caller.says("RETR f", 150);
    data.takes(100_000);
    let figures = caller.says("STAT", 211);
    assert!(
        figures.text.chars().any(|c| c.is_ascii_digit()) && figures.text.contains("bytes"),
        "{figures:?}"
    );
    drop(data);
    assert!((400..500).contains(&caller.reply().code));
}
