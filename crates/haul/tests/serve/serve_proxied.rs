//! Clients that come through a proxy which tells whose connection it is: at every door and before TLS, that client's
//! address is the one that counts; from anybody else such a tale is not believed.

use crate::scene;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    process::Command,
};

use haul_testkit::{
    Caller, Content, HttpCaller, KeptPort, Serve, Served,
    caller::connect_from,
    real::{Haproxy, peer},
    served::{PASSWORD, USER},
    tls::Certificates,
};

use crate::scene::{
    SOON,
    http::{OWNER, request},
    served::{Place, hash_of},
};

const CONTENT: Content = Content::new(1, 300_000);
/// All of loopback is trusted.
const TRUSTED: &str = "[proxy]\ntrusted = [\"127.0.0.0/8\"]\n";

fn all() -> Vec<u8> {
    CONTENT.bytes(0..CONTENT.size())
}

/// A header of the first version.
fn first(from: &str) -> Vec<u8> {
    let from: SocketAddr = from.parse().unwrap();
    let (family, to) = if from.is_ipv4() { ("TCP4", "198.51.100.1") } else { ("TCP6", "2001:db8::1") };
    format!("PROXY {family} {} {to} {} 21\r\n", from.ip(), from.port()).into_bytes()
}

/// One of the second version, with something that nobody needs to know behind the addresses.
fn second(from: &str) -> Vec<u8> {
    let from: SocketAddr = from.parse().unwrap();
    let (family, mut rest) = match from.ip() {
        IpAddr::V4(ip) => (0x11, [ip.octets(), [198, 51, 100, 1]].concat()),
        IpAddr::V6(ip) => (0x21, [ip.octets(), [1; 16]].concat()),
    };
    rest.extend([from.port().to_be_bytes(), [0, 21]].concat());
    rest.extend([4, 0, 2, 0, 0]);
    raw(0x21, family, &rest)
}

fn raw(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

fn connected(to: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(header).unwrap();
    stream
}

/// Greeted over a connection that begins so.
#[track_caller]
fn caller(served: &Served, header: &[u8]) -> Caller {
    let mut caller = Caller::over(connected(served.addr(), header));
    caller.hears(220);
    caller
}

/// The server closes without a word.
#[track_caller]
fn is_closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut said = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut said);
    assert_eq!(said, b"", "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_address_that_a_trusted_proxy_tells_is_the_clients_at_each_door() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().config(TRUSTED).http().start();
    for (header, address) in [
        (first("192.0.2.7:4711"), "192.0.2.7"),
        (second("192.0.2.8:4711"), "192.0.2.8"),
        (first("[2001:db8::7]:4711"), "2001:db8::7"),
        (second("[2001:db8::8]:4711"), "2001:db8::8"),
        (second("[::ffff:192.0.2.9]:4711"), "192.0.2.9"),
    ] {
        let mut over_ftp = caller(&served, &header);
        over_ftp.logs_in(USER, PASSWORD);
        let told = |what: &str| {
            let end = format!("address={address}");
            served.process().wait_for_line(|line| line.contains(what) && line.contains(&end), SOON);
        };
        told("connected session=");
        told("login session=");
        let mut over_http = HttpCaller::over(connected(served.http_addr(), &header));
        over_http.asks(request("GET", "/f", &[OWNER], None)).expect(200);
        told("door=http ");
    }
    // What is the proxy's own is that.
    for own in [&b"PROXY UNKNOWN\r\n"[..], &raw(0x20, 0, &[])] {
        caller(&served, own).logs_in(USER, PASSWORD);
    }
    served
        .process()
        .wait_for_line(|line| line.contains("connected") && line.contains("address=127.0.0.1 "), SOON);
}

#[test]
fn limits_and_failed_logins_are_the_clients_and_not_the_proxys() {
    let place = Place::new();
    let config = format!("{TRUSTED}[ftp]\nsessions_per_address = 1\n[login]\nfailures = 1\n");
    let served = place.serve().config(&config).start();
    let mut failing = caller(&served, &first("192.0.2.1:1"));
    failing.says("USER a", 331);
    failing.says("PASS wrong", 530);
    let mut again = Caller::over(connected(served.addr(), &second("192.0.2.1:2")));
    again.hears(421);
    // Another one through the same proxy is not concerned.
    caller(&served, &second("192.0.2.2:1")).logs_in(USER, PASSWORD);
    drop(failing);
    let refused = |caller: &mut Caller| {
        caller.asks("USER a");
        caller.asks("PASS secret").code != 230
    };
    scene::wait_until(|| Caller::over(connected(served.addr(), &first("192.0.2.1:3"))).reply().code == 220);
    scene::wait_until(|| {
        let mut third = Caller::over(connected(served.addr(), &first("192.0.2.1:3")));
        third.reply().code == 220 && refused(&mut third)
    });
}

/// What a client hears at both doors: the code of FTP's greeting, or of the reply to PASS where it may say one, and
/// HTTP's status.
fn heard(served: &Served, from: &str, fields: &[&str]) -> (u16, u16) {
    let mut caller = Caller::over(connected(served.addr(), &second(from)));
    let mut code = caller.reply().code;
    if code == 220 {
        caller.says("USER a", 331);
        code = caller.asks("PASS secret").code;
    }
    drop(caller);
    let mut caller = HttpCaller::over(connected(served.http_addr(), &second(from)));
    (code, caller.asks(request("GET", "/f", fields, None)).status())
}

#[test]
fn networks_of_ipv6_are_heeded_at_each_door() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let config = format!(
        "{TRUSTED}[limits]\nnetworks = [\"2001:db8::/47\", \"2001:db8:ffff::1\", \"192.0.2.0/24\"]\n\
         [anonymous]\naccess = \"off\"\n\
         [[user]]\nname = \"a\"\npassword = \"{}\"\nnetworks = [\"2001:db8:1::/48\"]\n",
        hash_of("secret")
    );
    let served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(&config).http().start();
    for (from, expected) in [
        // Of everybody's networks and of this user's own.
        ("[2001:db8:1::1]:1", (230, 200)),
        ("[2001:db8:1:ffff:ffff:ffff:ffff:ffff]:1", (230, 200)),
        // Of everybody's alone: the last address before and the first one in the other half of the /47.
        ("[2001:db8:0:ffff:ffff:ffff:ffff:ffff]:1", (530, 403)),
        ("[2001:db8:ffff::1]:1", (530, 403)),
        // An address of IPv4 is that, whatever it is written in.
        ("[::ffff:192.0.2.1]:1", (530, 403)),
        // Of none.
        ("[2001:db8:2::]:1", (421, 403)),
        ("[2001:db8:ffff::2]:1", (421, 403)),
        ("[::1]:1", (421, 403)),
        ("[::ffff:192.0.3.1]:1", (421, 403)),
    ] {
        assert_eq!(heard(&served, from, &[OWNER]), expected, "{from}");
    }
}

#[test]
fn a_64_of_ipv6_is_one_address_to_all_limits_at_each_door() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let config = format!(
        "{TRUSTED}[limits]\nsessions_per_address = 3\n[anonymous]\nsessions = 2\n[login]\nfailures = 2\n"
    );
    let served = place.serve().config(&config).http().start();
    let web = |from: &str| HttpCaller::over(connected(served.http_addr(), &second(from)));
    let get = |fields: &[&str]| request("GET", "/f", fields, None);
    // Three addresses of one network, at both doors: one more is one too many, from a fourth.
    let one = caller(&served, &second("[2001:db8:0:1::1]:1"));
    let mut two = web("[2001:db8:0:1::2]:1");
    two.asks(get(&[OWNER])).expect(200);
    let three = caller(&served, &second("[2001:db8:0:1:ffff::3]:1"));
    assert_eq!(heard(&served, "[2001:db8:0:1:8000::4]:1", &[OWNER]), (421, 429));
    // The network beside it is another one, and IPv4 has single addresses.
    assert_eq!(heard(&served, "[2001:db8:0:2::1]:1", &[OWNER]), (230, 200));
    drop((one, two, three));
    scene::wait_until(|| heard(&served, "[2001:db8:0:1:8000::4]:1", &[OWNER]) == (230, 200));
    // Those without a name share what one of them may have.
    let mut one = web("[2001:db8:0:3::1]:1");
    one.asks(get(&[])).expect(200);
    let mut two = caller(&served, &second("[2001:db8:0:3::2]:1"));
    two.logs_in("anonymous", "me");
    web("[2001:db8:0:3::3]:1").asks(get(&[])).expect(429);
    web("[2001:db8:0:4::3]:1").asks(get(&[])).expect(200);
    // Who was refused may still be on the way out, and counts until then.
    scene::wait_until(|| web("[2001:db8:0:3::3]:1").asks(get(&[OWNER])).status() == 200);
    drop((one, two));
    scene::wait_until(|| web("[2001:db8:0:3::3]:1").asks(get(&[])).status() == 200);
    // Who guesses is refused whatever address of the network is used next, over HTTP as over FTP.
    for from in ["[2001:db8:0:5::1]:1", "[2001:db8:0:5:1::1]:1"] {
        let mut guessing = caller(&served, &second(from));
        guessing.says("USER a", 331);
        guessing.says("PASS wrong", 530);
    }
    let (ftp, http) = heard(&served, "[2001:db8:0:5:2::1]:1", &[OWNER]);
    assert!(ftp != 230 && http != 200, "{ftp} {http}");
    assert_eq!(heard(&served, "[2001:db8:0:6::1]:1", &[OWNER]), (230, 200));
}

#[test]
fn unfinished_uploads_of_the_nameless_are_those_of_the_address_that_was_told() {
    let place = Place::new();
    let served = place.serve().config(TRUSTED).args(["--anonymous", "rw"]).http().start();
    let put = |header: Vec<u8>, range: &str, bytes: &[u8]| {
        let mut caller = HttpCaller::over(connected(served.http_addr(), &header));
        let length = format!("Content-Length: {}", bytes.len());
        let range = format!("Content-Range: bytes {range}");
        caller.sends(request("PUT", "/f", &[&length, &range], None));
        caller.sends(bytes);
        caller.answer("PUT").status()
    };
    assert_eq!(put(first("192.0.2.1:1"), "0-4/10", b"12345"), 308);
    assert_eq!(put(first("192.0.2.2:1"), "5-9/10", b"67890"), 409, "another one has begun nothing");
    assert_eq!(put(second("192.0.2.1:2"), "5-9/10", b"67890"), 201);
}

#[test]
fn a_64_of_ipv6_has_as_many_unfinished_uploads_as_one_address_at_each_door() {
    let place = Place::new();
    let config = format!("{TRUSTED}[uploads]\nmax_unfinished = 1\n");
    let served = place.serve().config(&config).args(["--anonymous", "rw"]).http().start();
    let put = |from: &str, name: &str| {
        let mut caller = HttpCaller::over(connected(served.http_addr(), &second(from)));
        caller.sends(request("PUT", name, &["Content-Length: 5", "Content-Range: bytes 0-4/10"], None));
        caller.sends(b"12345");
        caller.answer("PUT").status()
    };
    let stor = |from: &str, name: &str| {
        let mut nameless = caller(&served, &second(from));
        nameless.logs_in("anonymous", "me");
        nameless.says("EPSV", 229);
        nameless.asks(&format!("STOR {name}")).code
    };
    assert_eq!(put("[2001:db8:0:1::1]:1", "/f"), 308);
    assert_eq!(put("[2001:db8:0:1::2]:1", "/g"), 507, "another address of one network");
    assert_eq!(stor("[2001:db8:0:1:ffff::3]:1", "h"), 452);
    assert_eq!(put("[2001:db8:0:2::1]:1", "/i"), 308, "another network");
    assert_eq!(stor("[2001:db8:0:3::1]:1", "j"), 150);
    // What its address has begun it goes on with.
    assert_eq!(put("[2001:db8:0:1::1]:2", "/f"), 308);
}

#[test]
fn what_does_not_begin_with_a_header_is_closed_unheard() {
    let place = Place::new();
    fs::write(place.far("f"), "secret").unwrap();
    let served = place.serve().config(TRUSTED).http().start();
    let nonsense: Vec<Vec<u8>> = vec![
        request("GET", "/f", &[OWNER], None),
        b"USER a\r\nPASS secret\r\nRETR f\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1\r\nUSER a\r\n".to_vec(),
        [b"PROXY UNKNOWN ", &[b'x'; 500][..]].concat(),
        raw(0x21, 0x12, &[0; 12]),
        raw(0x21, 0x11, &[0; 60_000]),
        // The checksum of nothing.
        raw(0x21, 0x11, &[&[0; 12][..], &[3, 0, 4, 0, 0, 0, 0]].concat()),
    ];
    for to in [served.addr(), served.http_addr()] {
        for bytes in &nonsense {
            let mut stream = TcpStream::connect(to).unwrap();
            let _ = stream.write_all(bytes);
            is_closed(stream);
        }
    }
    served.process().wait_for_line(
        |line| line.contains("refused why=\"it does not begin with a PROXY header\" address=127.0.0.1"),
        SOON,
    );
    // Who begins and does not go on is not waited for.
    is_closed(connected(served.addr(), b"PROXY TCP4 192.0"));
    served.process().wait_for_line(|line| line.contains("did not come in time"), SOON);
}

#[test]
fn who_is_no_trusted_proxy_is_sent_away_or_is_who_it_is() {
    let place = Place::new();
    let trusted = "[proxy]\ntrusted = [\"127.0.0.2\", \"2001:db8::/32\"]\n";
    let served = place.serve().config(trusted).http().start();
    for to in [served.addr(), served.http_addr()] {
        is_closed(connected(to, &first("192.0.2.1:1")));
    }
    served.process().wait_for_line(|line| line.contains("refused why=\"only proxies are let in"), SOON);
    let mut stream = connect_from("127.0.0.2".parse().unwrap(), served.addr());
    stream.write_all(&first("192.0.2.1:1")).unwrap();
    Caller::over(stream).hears(220);

    let place = Place::new();
    let served = place.serve().config(&format!("{trusted}others = \"direct\"\n")).http().start();
    Caller::to(served.addr()).hears(220);
    served
        .process()
        .wait_for_line(|line| line.contains("connected") && line.contains("address=127.0.0.1"), SOON);
    // A tale of theirs is what it is in their own protocol: nothing.
    let mut liar = caller(&served, &first("192.0.2.1:1"));
    assert!((500..=504).contains(&liar.reply().code));
    let mut liar = HttpCaller::over(connected(served.http_addr(), &first("192.0.2.1:1")));
    liar.sends(request("GET", "/", &[OWNER], None));
    assert_eq!(liar.answer("GET").status(), 400);
    assert!(!served.process().stderr().contains("192.0.2.1"));
}

#[test]
fn no_data_goes_to_anybody_but_the_client_that_was_told() {
    let place = Place::new();
    CONTENT.write_to(place.far("f"));
    let served = place.serve().config(TRUSTED).start();
    let mut caller = caller(&served, &second("192.0.2.7:4711"));
    caller.logs_in(USER, PASSWORD);
    caller.says("TYPE I", 200);
    // Neither to the proxy, nor to wherever somebody says.
    let reply = caller.asks("PORT 127,0,0,1,200,1");
    assert!(reply.code >= 500, "{reply:?}");
    // From the proxy without a word, or for another one.
    for header in [Vec::new(), first("192.0.2.8:1"), second("192.0.2.8:1"), b"PROXY UNKNOWN\r\n".to_vec()] {
        let at = caller.passive();
        let mut data = connected(at, &header);
        caller.sends("RETR f");
        if header.is_empty() {
            data.shutdown(std::net::Shutdown::Write).unwrap();
        }
        assert_eq!(caller.hears(150).code, 150);
        let reply = caller.reply();
        assert_eq!(reply.code, 425, "{header:?}: {reply:?}");
        let mut came = Vec::new();
        let _ = data.read_to_end(&mut came);
        assert_eq!(came, b"");
    }
    // For that one.
    for header in [first("192.0.2.7:9"), second("192.0.2.7:9")] {
        let at = caller.passive();
        let data = caller.data_over(connected(at, &header));
        caller.says("RETR f", 150);
        assert!(data.all() == all());
        caller.hears(226);
    }
}

#[test]
fn a_header_stands_before_tls() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let certificates = Certificates::for_loopback();
    let served = place
        .serve()
        .arg("--tls-cert")
        .arg(certificates.cert_pem_path())
        .arg("--tls-key")
        .arg(certificates.key_pem_path())
        .config(TRUSTED)
        .ftps()
        .https()
        .start();
    let Some(curl) = peer("curl") else { return };
    let url = format!("https://{USER}:{PASSWORD}@{}/f", served.https_addr());
    let asks = |args: &[&str]| {
        let mut command = Command::new(&curl);
        command.args(["-sS", "--cacert"]).arg(certificates.ca_pem_path()).args(args).arg(&url);
        command.output().unwrap()
    };
    assert_eq!(asks(&["--haproxy-protocol"]).stdout, b"x");
    assert_ne!(asks(&[]).status.code(), Some(0), "without it there is no TLS");
    let Some(proxy) = Haproxy::start(served.ftps_addr(), 2, None) else { return };
    let mut caller = Caller::to_tls(proxy.addr(), certificates.client_config(None));
    caller.hears(220);
    caller.logs_in(USER, PASSWORD);
}

#[test]
fn curl_and_lftp_work_through_haproxy_data_connections_too() {
    for version in [1, 2] {
        let place = Place::new();
        CONTENT.write_to(place.far("f"));
        CONTENT.write_to(place.local("up"));
        let port = KeptPort::new();
        let passive = format!("{0}-{0}", port.addr().port());
        let served = place
            .serve()
            .config(TRUSTED)
            .args(["--passive-ports", &passive, "--external-address", "127.0.0.3"])
            .start();
        let Some(proxy) = Haproxy::start(served.addr(), version, Some(port.addr().port())) else { return };
        let Some(curl) = peer("curl") else { return };
        let url = format!("ftp://{USER}:{PASSWORD}@127.0.0.3:{}", proxy.addr().port());
        for how in [&["--disable-epsv"][..], &[]] {
            let mut command = Command::new(&curl);
            // As another machine would.
            command.args(["-sS", "--interface", "127.0.0.9"]).args(how);
            let got = command.arg(format!("{url}/f")).output().unwrap();
            assert!(got.status.success(), "{got:?}\n{}", proxy.log());
            assert!(got.stdout == all());
        }
        let mut command = Command::new(&curl);
        command
            .args(["-sS", "--interface", "127.0.0.9", "-T"])
            .arg(place.local("up"))
            .arg(format!("{url}/up"));
        let put = command.output().unwrap();
        assert!(put.status.success(), "{put:?}");
        CONTENT.assert_file_is(place.far("up"));
        served.process().wait_for_line(
            |line| line.contains("received session=") && line.contains("address=127.0.0.9 path=\"/up\""),
            SOON,
        );
        let Some(lftp) = peer("lftp") else { return };
        let mut command = Command::new(lftp);
        let script =
            format!("set net:max-retries 1; open {url}; get f -o {}; exit", place.local("got").display());
        let got = command.args(["-c", &script]).env("HOME", place.dir()).output().unwrap();
        assert!(got.status.success(), "{got:?}");
        CONTENT.assert_file_is(place.local("got"));
    }
}
