//! Every misbehaviour, seen from a client of a few lines; and curl where TLS or a whole transfer is needed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;

use super::*;
use crate::hostile::{Cut, Which};

const FILE: Content = Content::new(21, 300_000);
const PATIENCE: Duration = Duration::from_secs(20);

/// A logged-in client in TYPE I, if nothing else is said.
struct Client {
    lines: BufReader<TcpStream>,
}

impl Client {
    fn connect(peer: &FtpPeer) -> Self {
        let stream = TcpStream::connect(peer.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { lines: BufReader::new(stream) }
    }

    fn login(peer: &FtpPeer) -> Self {
        let mut client = Self::connect(peer);
        assert!(client.reply().starts_with("220"));
        for (command, code) in [("USER u", "331"), ("PASS p", "230"), ("TYPE I", "200")] {
            let reply = client.ask(command);
            assert!(reply.starts_with(code), "{command}: {reply}");
        }
        client
    }

    fn ask(&mut self, command: &str) -> String {
        self.say(command);
        self.reply()
    }

    fn say(&mut self, command: &str) {
        self.lines.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
    }

    /// The lines of a reply; empty if the connection ends instead.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            if self.lines.read_line(&mut reply).unwrap_or(0) == 0 {
                return reply;
            }
            let line = reply.as_bytes()[begin..].to_vec();
            if line.len() > 3 && line[3] == b' ' && line[..3].iter().all(u8::is_ascii_digit) {
                return reply;
            }
        }
    }

    fn data(&mut self) -> TcpStream {
        let reply = self.ask("EPSV");
        let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// All that comes, and whether it ended in peace; the data connection is closed, and nothing more was read.
    fn retrieve(&mut self, name: &str) -> (Vec<u8>, bool) {
        let mut data = self.data();
        let reply = self.ask(&format!("RETR {name}"));
        assert!(reply.starts_with("150"), "{reply}");
        drain(&mut data)
    }

    fn get_from(&mut self, name: &str, from: u64) -> Vec<u8> {
        assert!(self.ask(&format!("REST {from}")).starts_with("350"));
        let (bytes, _) = self.retrieve(name);
        assert!(self.reply().starts_with("226"));
        bytes
    }

    /// The reply at the end, after 150, or instead of it.
    fn store(&mut self, command: &str, bytes: &[u8]) -> String {
        let mut data = self.data();
        let reply = self.ask(command);
        if !reply.starts_with("150") {
            return reply;
        }
        // It may be cut in the middle.
        let _ = data.write_all(bytes);
        let _ = data.shutdown(Shutdown::Write);
        drain(&mut data);
        self.reply()
    }
}

fn drain(data: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let ended = data.read_to_end(&mut bytes).is_ok();
    (bytes, ended)
}

fn peer(behaviour: FtpBehaviour) -> FtpPeer {
    let peer = FtpPeer::start(behaviour);
    peer.put("f.bin", FILE);
    peer
}

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper()
}

fn curl(args: &[&str]) -> Option<(i32, Vec<u8>)> {
    let curl = crate::real::peer("curl")?;
    let out = Command::new(curl).args(["-q", "-sS", "--noproxy", "*"]).args(args).output().unwrap();
    Some((out.status.code().unwrap(), out.stdout))
}

#[test]
fn a_proper_peer_serves_and_takes_and_remembers() {
    let peer = peer(proper().login("u", "p"));
    let mut client = Client::login(&peer);
    let features = client.ask("FEAT");
    assert!(features.contains(" REST STREAM\r\n") && features.contains(" MLST type*"), "{features}");
    assert_eq!(client.ask("SIZE f.bin"), "213 300000\r\n");
    assert_eq!(client.ask("MDTM f.bin"), "213 20231114221320\r\n");
    assert_eq!(client.get_from("f.bin", 1000), FILE.bytes(1000..300_000));
    assert!(client.ask("MKD d").starts_with("257"));
    assert!(client.ask("CWD d").starts_with("250"));
    assert!(client.store("STOR up", b"0123456789").starts_with("226"));
    assert!(client.store("APPE up", b"ab").starts_with("226"));
    assert_eq!(client.ask("REST 4"), "350 Restarting at 4.\r\n");
    assert!(client.store("STOR up", b"XY").starts_with("226"));
    assert_eq!(peer.file("/d/up").unwrap(), b"0123XY6789ab");
    assert!(client.ask("MFMT 20200101000000 up").starts_with("213"));
    assert_eq!(peer.modified("d/up"), Some(1_577_836_800));
    assert!(client.ask("RNFR up").starts_with("350") && client.ask("RNTO /g").starts_with("250"));
    assert!(client.ask("DELE /g").starts_with("250") && client.ask("RMD /d").starts_with("250"));
    assert!(client.ask("REST 300001").starts_with("350"));
    assert!(client.ask("RETR /f.bin").starts_with("554"));

    let verbs: Vec<_> = peer.transfers_of("/d/up").iter().map(|t| (t.verb, t.from, t.bytes())).collect();
    assert_eq!(verbs, [(FtpVerb::Stor, 0, 10), (FtpVerb::Appe, 10, 2), (FtpVerb::Stor, 4, 2)]);
    assert_eq!((peer.sent_of("f.bin"), peer.received_of("d/up")), (299_000, 14));
    assert_eq!((peer.sessions(), peer.logins(), peer.count("rest")), (1, 1, 3));
    assert_eq!(peer.commands()[0].line, "USER u");
}

#[test]
fn data_connections_are_cut_to_the_byte_and_the_partial_of_an_upload_stays() {
    for how in [Cut::Fin, Cut::Rst] {
        let peer = peer(proper().cut(Which::First(2), 50_000, how));
        let mut client = Client::login(&peer);
        let (bytes, in_peace) = client.retrieve("f.bin");
        assert_eq!((bytes, in_peace), (FILE.bytes(0..50_000), how == Cut::Fin));
        assert!(client.reply().starts_with("426"));
        assert!(client.store("STOR up", &FILE.bytes(0..300_000)).starts_with("426"));
        assert_eq!(peer.file("up").unwrap(), FILE.bytes(0..50_000));
        assert_eq!(client.get_from("f.bin", 50_000), FILE.bytes(50_000..300_000));
        let complete: Vec<_> = peer.transfers().iter().map(FtpTransfer::is_complete).collect();
        assert_eq!(complete, [false, false, true]);
        peer.change(|behaviour| {
            behaviour.cut = Some((Which::Every, 10, how));
            behaviour.cut_reply = None;
        });
        client.retrieve("f.bin");
        assert_eq!(client.reply(), "", "the control connection ends as well");
    }
}

#[test]
fn the_control_connection_is_killed_in_mid_transfer_and_the_data_goes_on() {
    for how in [Cut::Fin, Cut::Rst] {
        let peer = peer(proper().control_cut(Which::Every, 100_000, how));
        let mut client = Client::login(&peer);
        assert_eq!(client.retrieve("f.bin"), (FILE.bytes(0..300_000), true));
        assert_eq!(client.reply(), "");
        let mut client = Client::login(&peer);
        assert_eq!(client.store("STOR up", &FILE.bytes(0..300_000)), "");
        peer.assert_file_is("up", FILE);
    }
}

#[test]
fn replies_come_byte_by_byte_or_without_end() {
    let peer = peer(proper().replies(Replies::Split(Duration::ZERO)));
    assert_eq!(Client::login(&peer).get_from("f.bin", 299_000), FILE.bytes(299_000..300_000));
    peer.change(|behaviour| {
        behaviour.replies = Replies::Whole;
        behaviour.huge_reply = Some(("PWD".into(), 10 << 20));
    });
    let mut client = Client::login(&peer);
    let reply = client.ask("PWD");
    assert!(reply.len() > 10 << 20 && reply.matches('\n').count() == 1);
}

#[test]
fn a_transfer_ends_in_the_wrong_words() {
    let early = Completion::Early;
    let peer = peer(
        proper().completion(Which::Only(0), early).completion(Which::Only(1), Completion::AbortedThenDone),
    );
    let mut client = Client::login(&peer);
    let mut data = client.data();
    client.say("RETR f.bin");
    assert!(client.reply().starts_with("150") && client.reply().starts_with("226"));
    assert_eq!(drain(&mut data).0.len(), 300_000);
    client.retrieve("f.bin");
    assert!(client.reply().starts_with("426") && client.reply().starts_with("226"));
    peer.change(|b| b.completions = vec![(Which::Every, Completion::Reply("451 so sorry".into()))]);
    assert!(client.store("STOR up", b"all of it").starts_with("451"));
    assert_eq!(peer.file("up").unwrap(), b"all of it");
    peer.change(|b| b.completions = vec![(Which::Every, Completion::Lost(Cut::Fin))]);
    assert_eq!(client.store("STOR up", b"and this"), "");
    assert_eq!(peer.file("up").unwrap(), b"and this");
    assert!(peer.transfers().last().unwrap().is_complete());
}

#[test]
fn a_transfer_that_never_ends_goes_on_when_it_is_released_or_aborted() {
    let peer = peer(proper().completion(Which::Every, Completion::Nothing));
    let mut client = Client::login(&peer);
    let mut data = client.data();
    assert!(client.ask("RETR f.bin").starts_with("150"));
    data.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
    assert!(data.read(&mut [0]).is_err(), "nothing comes");
    client.lines.get_mut().write_all(b"\xff\xf4\xff\xf2ABOR\r\n").unwrap();
    assert!(client.reply().starts_with("426") && client.reply().starts_with("226"));
    let mut data = client.data();
    client.ask("RETR f.bin");
    peer.release();
    assert_eq!(drain(&mut data).0.len(), 300_000);
    assert!(client.reply().starts_with("226"));
    peer.change(|behaviour| behaviour.stall = Some((Which::Every, 1000)));
    let mut data = client.data();
    client.ask("RETR f.bin");
    peer.wait_until(PATIENCE, "the stall", |peer| peer.transfers().last().unwrap().bytes() == 1000);
    assert!(client.ask("ABOR").starts_with("426") && client.reply().starts_with("226"));
    assert_eq!(drain(&mut data).0, FILE.bytes(0..1000));
    assert_eq!(peer.count("ABOR"), 2);
}

#[test]
fn rest_lies() {
    let peer = peer(proper().rest(Rest::FromZero));
    let mut client = Client::login(&peer);
    assert_eq!(client.get_from("f.bin", 1000), FILE.bytes(0..300_000));
    peer.change(|behaviour| behaviour.rest = Rest::OffBy(-7));
    assert_eq!(client.get_from("f.bin", 1000), FILE.bytes(993..300_000));
    peer.change(|behaviour| behaviour.rest = Rest::RetrRefused(551));
    assert!(client.ask("REST 10").starts_with("350") && client.ask("RETR f.bin").starts_with("551"));
    peer.change(|behaviour| behaviour.rest = Rest::Refused(502));
    assert!(client.ask("REST 10").starts_with("502"));
}

#[test]
fn sizes_and_dates_lie_or_are_not_there() {
    let peer = peer(proper().sizes(Sizes::OffBy(-1)).dates(Dates::Noise));
    let mut client = Client::login(&peer);
    assert_eq!(client.ask("SIZE f.bin"), "213 299999\r\n");
    assert_ne!(client.ask("MDTM f.bin"), client.ask("MDTM f.bin"));
    client.ask("TYPE A");
    assert_ne!(client.ask("SIZE f.bin"), "213 299999\r\n");
    peer.change(|behaviour| *behaviour = proper().without(&["size", "MDTM", "REST", "EPSV"]));
    for command in ["SIZE f.bin", "MDTM f.bin", "REST 1", "EPSV"] {
        assert!(client.ask(command).starts_with("500"), "{command}");
    }
    let features = client.ask("FEAT");
    assert!(!["SIZE\r", "MDTM", "REST", "EPSV"].iter().any(|name| features.contains(name)), "{features}");
    let facts = client.ask("MLST f.bin");
    assert!(
        facts.contains("type=file;") && !facts.contains("size=") && !facts.contains("modify="),
        "{facts}"
    );
}

#[test]
fn a_file_is_replaced_under_its_old_date_or_a_new_one() {
    let new = FILE.changed(10);
    let peer = peer(proper().replaced_after(300_000, "f.bin", new, None));
    let mut client = Client::login(&peer);
    let date = client.ask("MDTM f.bin");
    assert_eq!(client.get_from("f.bin", 0), FILE.bytes(0..300_000));
    assert_eq!(client.get_from("f.bin", 0), new.bytes(0..300_000));
    assert_eq!(client.ask("MDTM f.bin"), date);
    peer.replace("f.bin", FILE.resized(5), Some(0));
    assert_eq!(
        (client.ask("MDTM f.bin"), client.ask("SIZE f.bin")),
        ("213 19700101000000\r\n".into(), "213 5\r\n".into())
    );
}

#[test]
fn sessions_and_logins_are_refused() {
    let peer = peer(
        proper()
            .refuses_session(Which::Only(2), "421 too many")
            .refuses_login(Which::Only(1), "530 not twice"),
    );
    let _first = Client::login(&peer);
    let mut second = Client::connect(&peer);
    assert!(second.reply().starts_with("220") && second.ask("USER u").starts_with("331"));
    assert!(second.ask("PASS p").starts_with("530") && second.ask("PWD").starts_with("530"));
    let mut third = Client::connect(&peer);
    assert!(third.reply().starts_with("421") && third.reply().is_empty());
    peer.change(|behaviour| *behaviour = proper().at_most(2).login("u", "p"));
    assert!(Client::connect(&peer).reply().starts_with("421"));
    drop(second);
    Client::login(&peer);
    assert_eq!((peer.sessions(), peer.logins()), (5, 3));
}

#[test]
fn pasv_tells_a_foreign_address_and_epsv_a_dead_port() {
    let peer = peer(proper().passive(Passive::Foreign(Ipv4Addr::new(192, 0, 2, 1))));
    let mut client = Client::login(&peer);
    let reply = client.ask("PASV");
    assert!(reply.starts_with("227") && reply.contains("(192,0,2,1,"), "{reply}");
    let numbers: Vec<u16> = reply.split([',', ')']).skip(4).take(2).map(|n| n.parse().unwrap()).collect();
    let mut data = TcpStream::connect(("127.0.0.1", numbers[0] * 256 + numbers[1])).unwrap();
    assert!(client.ask("RETR f.bin").starts_with("150"), "our own address works");
    assert_eq!(drain(&mut data).0.len(), 300_000);
    assert!(client.reply().starts_with("226"));
    peer.change(|behaviour| behaviour.passive = Passive::Dead);
    let reply = client.ask("EPSV");
    let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn it_calls_where_it_is_told_to() {
    let peer = peer(proper());
    let mut client = Client::login(&peer);
    for form in ["EPRT", "PORT"] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let place = match form {
            "EPRT" => format!("EPRT |1|127.0.0.1|{port}|"),
            _ => format!("PORT 127,0,0,1,{},{}", port / 256, port % 256),
        };
        assert!(client.ask(&place).starts_with("200"));
        client.say("RETR f.bin");
        assert_eq!(drain(&mut listener.accept().unwrap().0).0.len(), 300_000);
        assert!(client.reply().starts_with("150") && client.reply().starts_with("226"));
    }
}

#[test]
fn listings_come_in_three_styles_and_with_names_that_lead_out() {
    let peer = peer(proper().listed("../evil").listed("/etc/passwd"));
    peer.put_bytes("d/x", b"x");
    let mut client = Client::login(&peer);
    let mut list = |command: &str| {
        let mut data = client.data();
        assert!(client.ask(command).starts_with("150"), "{command}");
        let (bytes, _) = drain(&mut data);
        assert!(client.reply().starts_with("226"));
        String::from_utf8(bytes).unwrap()
    };
    let facts = list("MLSD");
    assert!(facts.contains("type=file;size=300000;modify=20231114221320; f.bin\r\n"), "{facts}");
    assert!(
        facts.contains("type=dir;modify=20231114221320; d\r\n") && facts.contains("; ../evil\r\n"),
        "{facts}"
    );
    assert!(list("LIST -a").contains("-rw-r--r--   1 haul     haul           300000 Nov 14  2023 f.bin\r\n"));
    assert_eq!(list("NLST d"), "x\r\n../evil\r\n/etc/passwd\r\n");
    peer.change(|behaviour| behaviour.list_style = ListStyle::Dos);
    assert!(list("LIST").contains("11-14-23  10:13PM       <DIR>          d\r\n"));
    peer.change(|behaviour| behaviour.list_style = ListStyle::Eplf);
    assert!(list("LIST").contains("+m1700000000,r,s300000,\tf.bin\r\n"));
}

#[test]
fn uploads_are_refused_truncated_or_begun_anew() {
    let peer = peer(proper().restart(Restart::Refused(451)).append(Append::Truncates));
    peer.put_bytes("up", b"0123456789");
    let mut client = Client::login(&peer);
    client.ask("REST 4");
    assert!(client.store("STOR up", b"XY").starts_with("451"));
    assert!(client.store("APPE up", b"ab").starts_with("226"));
    assert_eq!(peer.file("up").unwrap(), b"ab");
    let mut restarted = |restart, append: Append| {
        peer.put_bytes("up", b"0123456789");
        peer.change(|behaviour| (behaviour.restart, behaviour.append) = (restart, append));
        client.ask("REST 4");
        assert!(client.store("STOR up", b"XY").starts_with("226"));
        let appended = client.store("APPE up", b"!")[..3].to_owned();
        (String::from_utf8(peer.file("up").unwrap()).unwrap(), appended)
    };
    assert_eq!(restarted(Restart::Truncates, Append::Proper), ("0123XY!".into(), "226".into()));
    assert_eq!(restarted(Restart::FromZero, Append::Refused(450)), ("XY".into(), "450".into()));
    peer.change(|behaviour| behaviour.read_only = true);
    assert!(client.store("STOR up", b"no").starts_with("553") && client.ask("DELE up").starts_with("550"));
    assert_eq!(peer.file("up").unwrap(), b"XY");
}

#[test]
fn an_old_session_holds_a_file_for_a_while() {
    let peer = peer(proper().busy(Busy::Attempts(2), "550 f.bin: in use"));
    let mut client = Client::login(&peer);
    assert!(client.store("STOR new", b"x").starts_with("226"), "nobody holds what is not there");
    let replies = [(); 3].map(|()| client.store("APPE f.bin", b"x")[..3].to_owned());
    assert_eq!(replies, ["550", "550", "226"]);
    peer.change(|behaviour| *behaviour = proper().busy(Busy::For(Duration::from_millis(50)), "450 busy"));
    let begun = Instant::now();
    assert!(client.store("STOR f.bin", b"x").starts_with("450"));
    while !client.store("STOR f.bin", b"x").starts_with("226") {}
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_full_disk_takes_what_fits() {
    let peer = peer(proper().room(1000, "552 no space left"));
    let mut client = Client::login(&peer);
    assert!(client.store("STOR up", &FILE.bytes(0..5000)).starts_with("552"));
    assert_eq!(peer.file("up").unwrap(), FILE.bytes(0..1000));
    assert!(client.store("STOR small", &FILE.bytes(0..1000)).starts_with("226"));
    peer.change(|behaviour| behaviour.room = None);
    client.ask("REST 1000");
    assert!(client.store("STOR up", &FILE.bytes(1000..5000)).starts_with("226"));
    peer.assert_file_is("up", FILE.resized(5000));
}

#[test]
fn digests_are_told_and_lie() {
    let peer = peer(proper().digests(&["HASH", "XCRC"]));
    peer.put_bytes("n 1 2", b"123456789");
    let mut client = Client::login(&peer);
    assert!(client.ask("FEAT").contains(" HASH CRC32;MD5;SHA-1;SHA-256*\r\n"));
    assert_eq!(client.ask("XCRC n 1 2"), "250 CBF43926\r\n");
    assert_eq!(client.ask("XCRC \"n 1 2\" 0 9"), "250 CBF43926\r\n");
    assert!(client.ask("OPTS HASH MD5").starts_with("200"));
    assert_eq!(client.ask("HASH n 1 2"), "213 MD5 0-9 25f9e794323b453885f5181f1b624d0b n 1 2\r\n");
    assert!(client.ask("XMD5 n 1 2").starts_with("500"));
    peer.change(|behaviour| behaviour.digests_lie = true);
    assert_ne!(client.ask("XCRC n 1 2"), "250 CBF43926\r\n");
}

#[test]
fn any_command_can_get_any_reply() {
    let peer =
        peer(proper().instead("EPSV", "229 Entering (|||0|)").instead_of(Which::Only(1), "NOOP", "421 bye"));
    let mut client = Client::login(&peer);
    assert_eq!(client.ask("epsv"), "229 Entering (|||0|)\r\n");
    assert_eq!([(); 3].map(|()| client.ask("NOOP")[..3].to_owned()), ["200", "421", "200"]);
    peer.change(|behaviour| behaviour.instead[0].reply = String::new());
    client.say("EPSV");
    assert!(client.ask("PWD").starts_with("257"), "silence for EPSV");
}

#[test]
fn lines_are_ended_as_text_in_type_a() {
    let peer = peer(proper());
    peer.put_bytes("t", b"a\nb\n");
    let mut client = Client::login(&peer);
    client.ask("TYPE A");
    assert_eq!(client.retrieve("t").0, b"a\r\nb\r\n");
    assert!(client.reply().starts_with("226"));
    assert!(client.store("STOR u", b"c\r\nd\r\n").starts_with("226"));
    assert_eq!(peer.file("u").unwrap(), b"c\nd\n");
}

#[test]
fn curl_resumes_both_ways_over_tls_of_either_kind_and_is_cut_there_too() {
    for start in [FtpPeer::start_tls, FtpPeer::start_implicit] {
        let peer = start(proper().restart(Restart::Truncates));
        peer.put("f.bin", FILE).put("up", FILE.resized(1000));
        let ca = peer.ca_pem_path();
        let secure = ["--ssl-reqd", "--cacert", ca.to_str().unwrap()];
        let Some((code, body)) = curl(&[&secure[..], &["-C", "1000", &peer.url("f.bin")]].concat()) else {
            return;
        };
        assert!(code == 0 && body == FILE.bytes(1000..300_000), "{code}");
        let dir = tempfile::tempdir().unwrap();
        let local = dir.path().join("f");
        FILE.write_to(&local);
        let upload = ["-C", "1000", "-T", local.to_str().unwrap(), &peer.url("up")];
        assert_eq!(curl(&[&secure[..], &upload].concat()).unwrap().0, 0);
        peer.assert_file_is("up", FILE);
        assert_eq!(peer.count("PROT P"), 2);
        peer.change(|behaviour| behaviour.cut = Some((Which::Every, 100_000, Cut::Rst)));
        let (code, body) = curl(&[&secure[..], &[&peer.url("f.bin")]].concat()).unwrap();
        assert!(code != 0 && body.len() <= 100_000, "{code} {}", body.len());
    }
}

#[test]
fn a_session_over_tls_has_to_be_resumed_where_that_is_asked_for() {
    let peer = FtpPeer::start_tls(FtpBehaviour { reuse_required: true, ..proper() });
    peer.put("f.bin", FILE);
    let (ca, url) = (peer.ca_pem_path(), peer.url("f.bin"));
    let args = ["--ssl-reqd", "--cacert", ca.to_str().unwrap(), "--tls-max", "1.2", &url];
    let Some((code, body)) = curl(&args) else { return };
    assert!(code == 0 && body.len() == 300_000, "{code}");
    assert_ne!(curl(&[&["--no-sessionid"], &args[..]].concat()).unwrap().0, 0);
}

#[test]
fn bytes_behind_the_reply_to_auth_come_in_one_packet_with_it() {
    let peer = FtpPeer::start_tls(FtpBehaviour { after_auth: Some("230 you are in".into()), ..proper() });
    let mut stream = TcpStream::connect(peer.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut read = || {
        let mut piece = [0; 200];
        let count = stream.read(&mut piece).unwrap();
        stream.write_all(b"AUTH TLS\r\n").unwrap();
        String::from_utf8_lossy(&piece[..count]).into_owned()
    };
    assert_eq!(read(), "220 ready\r\n");
    assert_eq!(read(), "234 go on\r\n230 you are in\r\n");
}

/// What a file looks like in MODE B.
fn in_blocks(behaviour: FtpBehaviour, from: u64) -> Vec<u8> {
    let peer = peer(behaviour);
    let mut client = Client::login(&peer);
    assert!(client.ask("FEAT").contains(" MODE B;MARK\r\n"));
    assert!(client.ask("MODE B").starts_with("200"));
    assert!(client.ask(&format!("REST {from}")).starts_with("350"));
    let (wire, _) = client.retrieve("f.bin");
    assert!(client.reply().starts_with("226"));
    assert!(client.store("STOR g", b"").starts_with("504"));
    assert!(client.ask("MODE S").starts_with("200"));
    assert_eq!(client.get_from("f.bin", 299_990), FILE.bytes(299_990..300_000));
    wire
}

#[test]
fn a_file_in_blocks_is_laid_as_told() {
    let blocks = Blocks { len: 60_000, marked: Some(100_000), ..Blocks::default() };
    let piece = |from, to| block(0, &FILE.bytes(from..to));
    let rest = |from| {
        let pieces = [piece(from, 250_000), piece(250_000, 300_000)];
        pieces.concat()
    };
    let proper = [
        piece(150_000, 200_000),
        marker("200000"),
        piece(200_000, 260_000),
        piece(260_000, 300_000),
        block(64, &[]),
    ];
    assert_eq!(in_blocks(FtpBehaviour::proper().blocks(blocks.clone()), 150_000), proper.concat());
    let with = |at, fault| {
        let blocks = Blocks { marked: None, ..blocks.clone() }.fault(Which::Every, at, fault);
        in_blocks(FtpBehaviour::proper().blocks(blocks), 200_000)
    };
    let junk = vec![9, 9];
    let end = block(64, &[]);
    assert_eq!(
        with(250_000, Fault::Raw(junk.clone())),
        [piece(200_000, 250_000), junk.clone(), piece(250_000, 300_000), end.clone()].concat()
    );
    assert_eq!(with(250_000, Fault::Ends), [piece(200_000, 250_000), end.clone()].concat());
    assert_eq!(with(0, Fault::NoEnd), [piece(200_000, 260_000), piece(260_000, 300_000)].concat());
    assert_eq!(with(250_000, Fault::NoEnd), rest(200_000));
    let behind = with(250_000, Fault::Behind(junk.clone()));
    assert_eq!(behind, [rest(200_000), end, junk].concat());
    assert_eq!(with(0, Fault::Streamed), FILE.bytes(200_000..300_000));
    let short = with(250_000, Fault::Short(1));
    assert_eq!(short[50_003..50_006], [0, 195, 81]);
    assert_eq!(short.len(), rest(200_000).len() + 3);
}

#[test]
fn blocks_without_end_go_on_until_the_client_goes() {
    let peer = peer(FtpBehaviour::proper().blocks(Blocks::default().fault(
        Which::Every,
        1000,
        Fault::Endless(marker("m")),
    )));
    let mut client = Client::login(&peer);
    assert!(client.ask("MODE B").starts_with("200"));
    let mut data = client.data();
    assert!(client.ask("RETR f.bin").starts_with("150"));
    let mut bytes = vec![0; 2 << 20];
    data.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes[1003..1011], *b"\x10\0\x01m\x10\0\x01m");
    drop(data);
    assert!(client.reply().starts_with("426"));
}
