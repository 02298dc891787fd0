//! Through tinyproxy and microsocks: both ways of an HTTP proxy and both of SOCKS, told by option and by environment.

use crate::scene;
use crate::scene::{MIB, Scene, Told};
use haul_testkit::hostile::Which;
use haul_testkit::real::{Microsocks, Running, Tinyproxy};
use haul_testkit::{Behaviour, Content, HttpPeer, Link};

const FILE: Content = Content::new(61, 16 * MIB + 99);
const USER: (&str, &str) = ("ann", "s3cret");

/// The proxy's URL with credentials in it.
fn with_password(proxy: &Running) -> String {
    proxy.url("").replace("//", "//ann:s3cret@")
}

/// Kills a run of eight lanes that goes through this proxy, and has it resumed.
fn carries_lanes_and_a_resume(proxy: &Running, peer: &HttpPeer, url: &str, more: &[&str]) {
    let scene = Scene::new();
    let args = [&["-n", "8"], more, &[url]].concat();
    peer.change(|behaviour| behaviour.rates = vec![(Which::Every, 2 * MIB)]);
    scene.killed_behind(peer, &[peer.addr().port(), proxy.addr().port()], 8 * MIB, &args);
    peer.change(|behaviour| behaviour.rates.clear());
    let told = scene.run(&args, 0);
    FILE.assert_file_is(scene.path("f.bin"));
    // The proxy may have had bytes of its own that never arrived.
    assert!(told.kept() > 2 * MIB, "{told}");
    let connections: std::collections::HashSet<_> =
        peer.requests().iter().map(|request| request.connection).collect();
    assert!(connections.len() > 2, "lanes have connections of their own");
}

#[test]
fn tinyproxy_carries_lanes_and_a_resume() {
    for auth in [None, Some(USER)] {
        let Some(proxy) = Tinyproxy::start(auth) else { return };
        let peer = HttpPeer::start(Behaviour::of(FILE));
        let through = if auth.is_some() { with_password(&proxy) } else { proxy.url("") };
        carries_lanes_and_a_resume(&proxy, &peer, &peer.url("/f.bin"), &["--proxy", &through]);
        assert!(proxy.log().contains("GET http://127.0.0.1:"), "the absolute form\n{}", proxy.log());
        assert!(peer.requests().iter().all(|request| request.target == "/f.bin"));
        let leaked = |request: &haul_testkit::hostile::Request| {
            request.field("Proxy-Authorization").is_some() || request.field("Authorization").is_some()
        };
        assert!(!peer.requests().iter().any(leaked), "the proxy's password is for the proxy");
    }
}

#[test]
fn tinyproxy_tunnels_tls() {
    for auth in [None, Some(USER)] {
        let Some(proxy) = Tinyproxy::start(auth) else { return };
        let peer = HttpPeer::start_tls(Behaviour::of(FILE));
        let ca = peer.ca_pem_path();
        let through = if auth.is_some() { with_password(&proxy) } else { proxy.url("") };
        let args = ["--cacert", ca.to_str().unwrap(), "--proxy", &through];
        carries_lanes_and_a_resume(&proxy, &peer, &peer.url("/f.bin"), &args);
        assert!(proxy.log().contains("CONNECT 127.0.0.1:"), "{}", proxy.log());
    }
}

#[test]
fn microsocks_carries_lanes_and_a_resume() {
    for auth in [None, Some(USER)] {
        let Some(proxy) = Microsocks::start(auth) else { return };
        let peer = HttpPeer::start(Behaviour::of(FILE));
        let through = if auth.is_some() { with_password(&proxy) } else { proxy.url("") };
        carries_lanes_and_a_resume(&proxy, &peer, &peer.url("/f.bin"), &["--proxy", &through]);
        let port = peer.addr().port().to_string();
        assert!(proxy.log().contains(&port), "{}", proxy.log());

        // socks5h: the proxy resolves the name.
        let scene = Scene::new();
        let named = peer.url("/f.bin").replace("127.0.0.1", "localhost");
        scene.run(&["--proxy", &through.replace("socks5:", "socks5h:"), &named], 0);
        FILE.assert_file_is(scene.path("f.bin"));
        assert!(proxy.log().contains("localhost"), "{}", proxy.log());
    }
}

#[test]
fn the_environment_names_proxies_by_scheme_and_exceptions() {
    let (Some(http), Some(socks)) = (Tinyproxy::start(None), Microsocks::start(None)) else { return };
    let plain = HttpPeer::start(Behaviour::of(FILE));
    let tls = HttpPeer::start_tls(Behaviour::of(FILE));
    let ca = tls.ca_pem_path();
    let ca = ca.to_str().unwrap();
    let through = |proxy: &Running, word: &str| proxy.log().matches(word).count();
    let fetch = |peer: &HttpPeer, args: &[&str], environment: &[(&str, &str)]| {
        let scene = Scene::new();
        let url = peer.url("/f.bin");
        let run = scene.get(&[&["--cacert", ca, "-n", "1"], args, &[&url]].concat());
        let run = environment.iter().fold(run, |run, (name, value)| run.env(name, value));
        run.run().expect_code(0);
        FILE.assert_file_is(scene.path("f.bin"));
        (through(&http, "GET http"), through(&http, "CONNECT 127"), through(&socks, "connected to"))
    };
    let (h, s) = (http.url(""), socks.url(""));
    assert_eq!(fetch(&plain, &[], &[]), (0, 0, 0));
    assert_eq!(fetch(&plain, &[], &[("http_proxy", &h)]), (1, 0, 0));
    assert_eq!(fetch(&plain, &[], &[("https_proxy", &h)]), (1, 0, 0), "that one is for https");
    assert_eq!(fetch(&tls, &[], &[("https_proxy", &h), ("http_proxy", "http://127.0.0.1:9")]), (1, 1, 0));
    assert_eq!(fetch(&plain, &[], &[("ALL_PROXY", &s)]), (1, 1, 1));
    assert_eq!(fetch(&tls, &[], &[("ALL_PROXY", &s), ("HTTPS_PROXY", &h)]), (1, 2, 1));
    for exceptions in ["127.0.0.1", "*", "example.com, 127.0.0.0/8"] {
        let all = [("ALL_PROXY", s.as_str()), ("http_proxy", &h), ("NO_PROXY", exceptions)];
        assert_eq!(fetch(&plain, &[], &all), (1, 2, 1), "{exceptions}");
        assert_eq!(fetch(&plain, &["--proxy", &h], &all), (1, 2, 1), "{exceptions} holds for the option too");
    }
    // The option stands above the environment; an empty one is none.
    assert_eq!(fetch(&plain, &["--proxy", &s], &[("http_proxy", "http://127.0.0.1:9")]), (1, 2, 2));
    assert_eq!(fetch(&plain, &["--proxy", ""], &[("http_proxy", "http://127.0.0.1:9")]), (1, 2, 2));
}

/// What a run through this proxy says, which has to end with this code and to touch nothing.
fn refused(proxy: &str, url: &str, ca: Option<&str>, code: i32) -> Told {
    let scene = Scene::new();
    let mut args = vec!["--proxy", proxy, url];
    args.extend(ca.iter().flat_map(|ca| ["--cacert", ca]));
    let told = scene.run(&args, code);
    assert!(scene.files().is_empty(), "{told}");
    assert!(!told.message().contains("s3cret") && !told.message().contains("wrong"), "{told}");
    told
}

#[test]
fn a_proxy_that_wants_a_password_is_named() {
    let (Some(http), Some(socks)) = (Tinyproxy::start(Some(USER)), Microsocks::start(Some(USER))) else {
        return;
    };
    let plain = HttpPeer::start(Behaviour::of(FILE));
    let tls = HttpPeer::start_tls(Behaviour::of(FILE));
    let ca = tls.ca_pem_path();
    let wrong = |proxy: &Running| proxy.url("").replace("//", "//ann:wrong@");
    for proxy in [http.url(""), socks.url(""), wrong(&http), wrong(&socks)] {
        for (url, ca) in [(plain.url("/f"), None), (tls.url("/f"), ca.to_str())] {
            let told = refused(&proxy, &url, ca, 4);
            let said = told.message();
            // What tinyproxy says of a wrong password is what a server would say (401).
            let ambiguous = proxy.starts_with("http") && proxy.contains("wrong") && ca.is_none();
            assert!(said.contains("password") && (ambiguous || said.contains("proxy")), "{said}");
            assert!(told.all("retry").is_empty(), "at once\n{told}");
        }
    }
}

#[test]
fn a_proxy_that_is_not_there_is_a_network_failure_after_three_tries() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let link = Link::to(peer.addr());
    link.refuse(true);
    scene::wait_until(|| std::net::TcpStream::connect(link.addr()).is_err());
    for scheme in ["http", "socks5"] {
        let proxy = format!("{scheme}://ann:s3cret@{}", link.addr());
        let began = std::time::Instant::now();
        let told = refused(&proxy, &peer.url("/f"), None, 3);
        assert!(told.message().contains("cannot connect to proxy 127.0.0.1"), "{told}");
        assert_eq!(told.all("retry").len(), 2, "{told}");
        assert!(began.elapsed().as_secs() < 6);
    }
    assert!(peer.requests().is_empty(), "never past the proxy");
}

#[test]
fn what_is_no_proxy_is_said_to_be_none() {
    // A web server answers a CONNECT as it answers anything else it does not do.
    let server = HttpPeer::start(Behaviour::of(FILE));
    let tls = HttpPeer::start_tls(Behaviour::of(FILE));
    let ca = tls.ca_pem_path();
    let no_tunnel = refused(&server.url(""), &tls.url("/f"), ca.to_str(), 4);
    assert!(no_tunnel.message().contains("refused the tunnel: HTTP 405"), "{no_tunnel}");

    // A server that waits for the rest of a request line says nothing at all.
    let scene = Scene::new();
    let silent = server.url("").replace("http:", "socks5:");
    let patience = ["--connect-timeout", "0.5", "--retries", "1", "--proxy", &silent, &server.url("/f")];
    let said = scene.run(&patience, 3).message();
    assert!(said.contains(&format!("through the proxy {}", server.addr())), "{said}");
}

#[test]
fn a_server_that_the_proxy_cannot_reach_is_a_network_failure() {
    let (Some(http), Some(socks)) = (Tinyproxy::start(None), Microsocks::start(None)) else { return };
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let link = Link::to(peer.addr());
    link.refuse(true);
    scene::wait_until(|| std::net::TcpStream::connect(link.addr()).is_err());
    let tunnelled = link.url("/f").replace("http:", "https:");
    for (proxy, url) in [(&http, &tunnelled), (&socks, &tunnelled), (&socks, &link.url("/f"))] {
        let told = refused(&proxy.url(""), url, None, 3);
        assert!(told.message().contains("the proxy"), "{told}");
    }
}
