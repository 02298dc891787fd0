//! tus clients that nobody here wrote, killed in the middle or with their server in the middle: they go on, and what is
//! there in the end is what they sent.

use crate::scene;
use std::time::Duration;

use haul_testkit::{Content, Finished, HaulProcess, Link};
use serde_json::{Value, json};

use crate::scene::{
    MIB, SOON,
    browser::{Events, joined},
    served::Place,
    tus::unseen,
    uploaders::Uploader,
    wait_until,
};

const LEN: u64 = 5 * MIB + 321;
/// The user whom everybody knows.
const OWNER: &str = "Basic YTpzZWNyZXQ=";

/// What every client here is told.
fn told(place: &Place, more: &Value) -> Value {
    let all = json!({
        "storage": place.local("urls"),
        "metadata": { "filename": "f.bin" },
        "headers": { "Authorization": OWNER },
        "retry_delays": [100, 500, 1000, 1000, 2000, 3000, 5000],
    });
    joined(&all, more)
}

/// It said that it is done, and it is.
#[track_caller]
fn assert_done(end: &Finished, content: Content, place: &Place) -> Events {
    let events = Events::of(end);
    assert_eq!(end.code, Some(0), "{events:#?}\n{}", end.stderr);
    content.assert_file_is(place.far("f.bin"));
    events
}

/// Waits until a client at work says that.
#[track_caller]
fn wait_for(client: &HaulProcess, event: &str) {
    client.wait_for_output_line(
        |line| {
            line.contains(&format!("\"event\":\"{event}\""))
                || line.contains(&format!("\"event\": \"{event}\""))
        },
        SOON,
    );
}

#[track_caller]
fn is_gone_on_with_after_the_client_was_killed(uploader: Uploader, way: &Value) {
    let place = Place::new();
    let served = place.serve().http().start();
    let content = Content::new(11, LEN);
    content.write_to(place.local("source"));
    let endpoint = format!("http://{}/-/tus", served.http_addr());
    let file = place.local("source");
    let first = told(&place, &joined(way, &json!({ "hold": 3 * MIB })));
    let Some(client) = uploader.command(&file, &endpoint, &first) else { return };
    let client = client.spawn();
    wait_for(&client, "held");
    client.kill_9();
    assert!(unseen(&place.far("f.bin")));
    let again = uploader.command(&file, &endpoint, &told(&place, way)).unwrap();
    let events = assert_done(&again.run(), content, &place);
    assert_eq!(events.all("resuming").len(), 1, "{events:#?}");
    let created = events
        .all("response")
        .into_iter()
        .filter(|answer| answer["method"] == "POST" && answer["status"] == 201);
    let parallel = events.all("resuming")[0]["parts"].is_array();
    assert_eq!(created.count(), usize::from(parallel), "nothing was begun anew: {events:#?}");
}

#[track_caller]
fn goes_on_after_the_server_was_killed(uploader: Uploader, way: &Value) {
    let place = Place::new();
    let served = place.serve().http().start();
    let content = Content::new(12, LEN);
    content.write_to(place.local("source"));
    let link = Link::up_to(served.http_addr());
    // It has to be caught in the middle, however late somebody looks.
    link.rate(Some(MIB));
    let endpoint = format!("http://{}/-/tus", link.addr());
    let Some(client) = uploader.command(&place.local("source"), &endpoint, &told(&place, way)) else {
        return;
    };
    let client = client.spawn();
    wait_until(|| place.hidden() > MIB);
    let served = served.killed_and_started_again();
    link.rate(None);
    let events = assert_done(&client.wait_at_most(SOON), content, &place);
    assert!(link.passed() < 2 * LEN, "{} bytes were sent: {events:#?}", link.passed());
    drop(served);
}

#[test]
fn tus_js_client_goes_on_after_it_was_killed() {
    is_gone_on_with_after_the_client_was_killed(Uploader::TusJs, &json!({}));
    is_gone_on_with_after_the_client_was_killed(Uploader::TusJs, &json!({ "chunk": MIB }));
    is_gone_on_with_after_the_client_was_killed(
        Uploader::TusJs,
        &json!({ "chunk": 700_000, "override_patch": true }),
    );
    is_gone_on_with_after_the_client_was_killed(Uploader::TusJs, &json!({ "parallel": 3 }));
}

#[test]
fn tus_js_client_goes_on_when_its_server_comes_back() {
    goes_on_after_the_server_was_killed(Uploader::TusJs, &json!({}));
    goes_on_after_the_server_was_killed(Uploader::TusJs, &json!({ "chunk": MIB / 2 }));
}

#[test]
fn tus_js_client_sends_in_all_its_ways() {
    for way in [
        json!({ "parallel": 3 }),
        json!({ "with_creation": true }),
        json!({ "with_creation": true, "chunk": MIB }),
        json!({ "deferred": true, "chunk": MIB }),
    ] {
        let place = Place::new();
        let served = place.serve().http().start();
        let content = Content::new(13, LEN);
        content.write_to(place.local("source"));
        let endpoint = format!("http://{}/-/tus", served.http_addr());
        let client = Uploader::TusJs.command(&place.local("source"), &endpoint, &told(&place, &way));
        let Some(client) = client else { return };
        assert_done(&client.run(), content, &place);
        assert_eq!(place.staged(), 0, "no part is left");
    }
}

#[test]
fn tuspy_goes_on_after_it_was_killed() {
    is_gone_on_with_after_the_client_was_killed(Uploader::Tuspy, &json!({ "chunk": MIB }));
    is_gone_on_with_after_the_client_was_killed(Uploader::Tuspy, &json!({ "chunk": MIB, "checksum": true }));
}

#[test]
fn tuspy_goes_on_when_its_server_comes_back() {
    goes_on_after_the_server_was_killed(Uploader::Tuspy, &json!({ "chunk": MIB / 2 }));
    goes_on_after_the_server_was_killed(Uploader::Tuspy, &json!({ "chunk": MIB / 2, "checksum": true }));
}

/// What Uppy is told, in a page of this server's own.
fn uppy(page: &str, place: &Place, rate: Option<u64>) -> Value {
    json!({
        "page": page,
        "profile": place.local("profile"),
        "rate": rate,
        "login": { "username": "a", "password": "secret" },
        "tus": { "headers": { "Authorization": OWNER }, "chunkSize": MIB, "retryDelays": [100, 500, 1000, 2000, 3000, 5000] },
    })
}

#[test]
fn uppy_goes_on_when_its_server_comes_back_and_after_its_browser_was_killed() {
    let place = Place::new();
    let served = place.serve().http().start();
    let content = Content::new(14, LEN);
    content.write_to(place.local("f.bin"));
    let page = format!("http://{}/page", served.http_addr());
    let endpoint = format!("http://{}/-/tus", served.http_addr());
    let file = place.local("f.bin");
    let slow = uppy(&page, &place, Some(200 << 10));
    let Some(client) = Uploader::Uppy.command(&file, &endpoint, &slow) else { return };
    let client = client.spawn();
    client.wait_for_output_line(|line| line.contains("\"event\":\"accepted\""), SOON);
    let served = served.killed_and_started_again();
    // What a page stores is written late: the third piece comes ten seconds after the first.
    for piece in 2..=3 {
        let told = format!("\"offset\":{}", piece * MIB);
        client.wait_for_output_line(
            |line| line.contains("\"event\":\"accepted\"") && line.contains(&told),
            SOON + Duration::from_secs(30),
        );
    }
    scene::browser::kill_browser(&client);
    client.wait_at_most(SOON);
    assert!(unseen(&place.far("f.bin")));
    let fast = uppy(&page, &place, None);
    let end = Uploader::Uppy.command(&file, &endpoint, &fast).unwrap().run();
    let events = assert_done(&end, content, &place);
    let created = events.all("answer").into_iter().filter(|answer| answer["method"] == "POST");
    assert_eq!(created.count(), 0, "nothing was begun anew: {events:#?}");
    drop(served);
}

#[test]
fn uppy_uploads_from_a_page_elsewhere_that_may() {
    let place = Place::new();
    let page = "http://localhost:9/page";
    let served = place.serve().http().config("[http]\norigins = [\"http://localhost:9\"]\n").start();
    let content = Content::new(15, LEN);
    content.write_to(place.local("f.bin"));
    let endpoint = format!("http://{}/-/tus", served.http_addr());
    let options = uppy(page, &place, None);
    let Some(client) = Uploader::Uppy.command(&place.local("f.bin"), &endpoint, &options) else { return };
    assert_done(&client.run(), content, &place);
    // Any other page may not.
    let other =
        joined(&options, &json!({ "page": "http://localhost:8/page", "profile": place.local("other") }));
    let end = Uploader::Uppy.command(&place.local("f.bin"), &endpoint, &other).unwrap().run();
    assert_eq!(end.code, Some(1), "{}", end.stderr);
}
