//! The judges of haul's HTTP door, judged themselves: linters that find what is wrong and let pass what is right, a
//! browser that does what a user would, clients whose scripts tell how an upload ended. None of it runs haul.

use std::path::Path;

use haul_testkit::{
    Behaviour, Content, HttpCaller, HttpPeer,
    hostile::{RetryAfter, Which},
    real::{Nginx, PythonHttp},
};
use serde_json::json;

use crate::scene::{
    SOON, Scene,
    browser::{Events, kill_browser, walk},
    lint::{Level, assert_clean, httplint, redbot},
    uploaders::Uploader,
};

/// A page with all that the steps of a walk may meet.
const PAGE: &str = r#"<!doctype html><html lang=en><meta charset=utf-8><title>Page</title>
<h1>One page</h1><p id=seen>never</p><input id=file type=file><div id=drop>here</div><a href=f.bin download>f.bin</a>
<script>
let store = localStorage.visits = 1 + +(localStorage.visits || 0);
seen.textContent = "visit " + store;
const told = (list) => { seen.textContent = Array.from(list, (f) => f.name + " of " + f.size).join(); };
file.onchange = () => told(file.files);
addEventListener("dragover", (event) => event.preventDefault());
drop.ondrop = (event) => { event.preventDefault(); told(event.dataTransfer.files); };
</script>"#;

#[test]
fn httplint_finds_what_is_wrong_and_lets_pass_what_is_right() {
    let wrong = b"HTTP/1.1 201 Created\r\nDate: yesterday\r\nContent-Length: 2\r\n\r\nok";
    let Some(notes) = httplint("POST", "/", &[], wrong) else { return };
    let bad: Vec<&str> =
        notes.iter().filter(|note| note.level == Level::Bad).map(|note| note.name.as_str()).collect();
    assert_eq!(bad, ["BAD_DATE_SYNTAX", "CREATED_WITHOUT_LOCATION"], "{notes:#?}");

    let scene = Scene::new();
    scene.write("f.txt", "ten bytes\n");
    let Some(server) = Nginx::over(scene.dir()).directive("add_header Cache-Control no-cache;").start()
    else {
        return;
    };
    let asked = "GET /f.txt HTTP/1.1\r\nHost: localhost\r\nRange: bytes=2-4\r\n\r\n";
    let answer = HttpCaller::to(server.addr()).asks(asked).expect(206);
    let notes = httplint("GET", "/f.txt", &["Host: localhost", "Range: bytes=2-4"], &answer.raw).unwrap();
    assert_clean(&notes, &[]);
}

#[test]
fn redbot_asks_with_conditions_and_ranges() {
    let scene = Scene::new();
    Content::new(1, 20_000).write_to(scene.path("f.bin"));
    let Some(server) = Nginx::over(scene.dir()).directive("add_header Cache-Control no-cache;").start()
    else {
        return;
    };
    let Some(notes) = redbot(&server.url("/f.bin"), &["Authorization: Basic YTpi"]) else { return };
    for right in ["INM_304", "IMS_304", "RANGE_CORRECT"] {
        assert!(notes.iter().any(|note| note.name == right && note.level == Level::Good), "{notes:#?}");
    }
    assert_clean(&notes, &[]);
}

#[test]
fn a_browser_does_what_a_user_would() {
    let scene = Scene::new();
    let served = Scene::new();
    served.write("page.html", PAGE);
    served.write("f.bin", "content");
    let Some(server) = PythonHttp::serve(served.dir()) else { return };
    let path = |name: &str| scene.path(name);
    let steps = json!([
        ["goto", server.url("/page.html")],
        ["text", "#seen"],
        ["choose", "#file", served.path("f.bin")],
        ["text", "#seen"],
        ["drop", "#drop", served.path("page.html")],
        ["read", "#seen", "page.html of"],
        ["download", "a", path("downloaded")],
        ["resize", 400, 300],
        ["shot", path("page.png")],
        ["reload"],
        ["read", "#seen", "visit 2"],
    ]);
    let profile = json!({ "profile": path("profile"), "phone": true });
    let Some(browser) = walk(&steps, &profile) else { return };
    let end = browser.run();
    let events = Events::of(&end);
    assert_eq!(end.code, Some(0), "{events:#?}\n{}", end.stderr);
    assert_eq!(events.found("text"), ["visit 1", "f.bin of 7"]);
    assert_eq!(scene.read("downloaded"), b"content");
    assert!(scene.read("page.png").starts_with(b"\x89PNG"));

    // What a page stores is there in the next run with that profile.
    let again = json!([["goto", server.url("/page.html")], ["text", "#seen"]]);
    let events = Events::of(&walk(&again, &profile).unwrap().run().expect_code(0));
    assert_eq!(events.found("text"), ["visit 3"]);

    // A browser that is killed ends the walk.
    let waiting = json!([["goto", server.url("/page.html")], ["await_file", path("never made")]]);
    let walking = walk(&waiting, &json!({})).unwrap().spawn();
    kill_browser(&walking);
    walking.wait_at_most(SOON).expect_code(1);

    // Without scripts, and what is not there: the walk ends with what it waited for in vain.
    let bare = json!([["goto", server.url("/page.html")], ["text", "#seen"], ["see", "#absent"]]);
    let end = walk(&bare, &json!({ "scripts": false, "patience": 1 })).unwrap().run().expect_code(1);
    let events = Events::of(&end);
    assert_eq!(events.found("text"), ["never"]);
    assert!(events.all("failed")[0]["message"].as_str().unwrap().contains("#absent"), "{events:?}");
}

/// What an uploader makes of a server that has no uploads.
#[track_caller]
fn is_refused(uploader: Uploader, options: impl Fn(&Path, &str) -> serde_json::Value) {
    let scene = Scene::new();
    let peer =
        HttpPeer::start(Behaviour::of(Content::new(1, 100)).refuses(Which::Every, 405, RetryAfter::None));
    scene.write("f.bin", "content");
    let (file, url) = (scene.path("f.bin"), peer.url("/"));
    let Some(client) = uploader.command(&file, &url, &options(scene.dir(), &url)) else { return };
    let end = client.run();
    let events = Events::of(&end);
    assert_eq!(end.code, Some(1), "{events:#?}\n{}", end.stderr);
    let [failed] = events.all("failed")[..] else { panic!("{events:#?}\n{}", end.stderr) };
    assert!(failed["message"].as_str().unwrap().contains("405"), "{failed}");
    let asked: Vec<_> = peer.requests().iter().map(|request| request.method.clone()).collect();
    assert!(asked.iter().all(|method| method == "POST") && !asked.is_empty(), "{asked:?}");
}

#[test]
fn a_refusal_is_told_by_tus_js_client_in_each_of_its_protocols() {
    for protocol in ["tus-v1", "ietf-draft-03", "ietf-draft-05"] {
        is_refused(Uploader::TusJs, |dir, _| json!({ "protocol": protocol, "storage": dir.join("urls") }));
    }
}

#[test]
fn a_refusal_is_told_by_tuspy() {
    is_refused(Uploader::Tuspy, |dir, _| json!({ "storage": dir.join("urls"), "chunk": 3 }));
}

#[test]
fn a_refusal_is_told_by_uppy_in_a_browser() {
    is_refused(Uploader::Uppy, |dir, url| json!({ "profile": dir.join("profile"), "page": url }));
}
