//! The sessions that people type to see whether a server can resume, word by word over raw sockets.

use haul_testkit::{Caller, Content, served::USER};

use crate::scene::{
    SOON, haul,
    served::{Place, owner, wait_until_taken},
};

#[test]
fn a_line_is_appended_by_telnet_without_a_type() {
    let place = Place::new();
    std::fs::write(place.far("1.TXT"), "12345").unwrap();
    let served = place.serve().start();
    let mut telnet = Caller::to(served.addr());
    telnet.hears(220);
    telnet.says(&format!("user {USER}"), 331);
    telnet.says("pass secret", 230);
    assert_eq!(telnet.says("size 1.TXT", 213).number(), 5);
    let addr = telnet.passive();
    telnet.sends("appe 1.TXT");
    let mut data = telnet.data_at(addr);
    telnet.hears(150);
    data.sends(b"678");
    data.finish();
    telnet.hears(226);
    assert_eq!(telnet.says("size 1.TXT", 213).number(), 8);
    telnet.says("quit", 221);
    assert!(telnet.is_ended());
    assert_eq!(std::fs::read(place.far("1.TXT")).unwrap(), b"12345678");
}

#[test]
fn a_download_is_gone_on_with_by_telnet() {
    let place = Place::new();
    let content = Content::new(1, 400_000);
    std::fs::create_dir_all(place.far("pub/etext/1")).unwrap();
    content.write_to(place.far("pub/etext/1/1056.zip"));
    let served = place.serve().start();
    let mut telnet = Caller::login(served.addr(), USER, "secret");
    telnet.says("TYPE I", 200);
    let mut data = telnet.data();
    let rest = telnet.says("REST 187392", 350);
    assert!(rest.text.contains("187392"), "{rest:?}");
    let opened = telnet.says("RETR /pub/etext/1/1056.zip", 150);
    assert!(opened.text.contains("(400000"), "the size of the whole file: {opened:?}");
    let begin = data.takes(1000);
    let bytes = [begin, data.all()].concat();
    telnet.hears(226);
    assert!(bytes == content.bytes(187_392..400_000), "exactly the bytes from there on");
}

#[test]
fn rest_alone_is_how_people_test_for_resume() {
    let place = Place::new();
    let served = place.serve().start();
    let mut telnet = owner(served.addr());
    telnet.says("REST 1000", 350);
    telnet.says("REST 100", 350);
    telnet.says("NOOP", 200);
    telnet.says("QUIT", 221);
}

#[test]
fn netcat_ends_lines_with_a_bare_line_feed() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().start();
    let mut netcat = Caller::to(served.addr());
    netcat.hears(220);
    netcat.sends_bytes(b"USER a\nPASS secret\nTYPE I\nSIZE f\n");
    for code in [331, 230, 200, 213] {
        netcat.hears(code);
    }
}

#[test]
fn an_upload_by_netcat_is_whole_when_netcat_ends() {
    let place = Place::new();
    let served = place.serve().start();
    let mut netcat = owner(served.addr());
    let mut data = netcat.data();
    netcat.says("STOR new.txt", 150);
    data.sends(b"by hand");
    wait_until_taken(&data);
    assert!(!place.far("new.txt").exists(), "nobody sees a half");
    data.finish();
    netcat.hears(226);
    assert_eq!(std::fs::read(place.far("new.txt")).unwrap(), b"by hand");
}

#[test]
fn a_port_of_the_systems_choice_is_told() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let server = haul()
        .args(["serve", "--http", "off", "--ftp", "127.0.0.1:0", "--user", "a:secret"])
        .arg(place.root())
        .spawn();
    let line = server.wait_for_output_line(|line| line.starts_with("listening ftp "), SOON);
    let addr = line.strip_prefix("listening ftp ").unwrap().parse().unwrap();
    assert_eq!(owner(addr).size("f"), Some(1));
}
