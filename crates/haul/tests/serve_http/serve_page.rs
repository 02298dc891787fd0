//! A folder as people see it, in a real headless Chromium: sorted and filtered with and without its script, uploads that
//! go on after a cut and in another visit, and names that try to be more than names.

use crate::scene;
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _};

use haul_testkit::{
    Content, HaulProcess, HttpCaller, Serve, Served,
    served::{PASSWORD, USER},
};
use serde_json::{Value, json};

use crate::scene::{
    MIB, SOON,
    browser::{Events, joined, walk},
    served::Place,
};

/// What is uploaded where it has to take a while.
const LARGE: Content = Content::new(5, 12 * MIB);
/// Bytes a second, so that it does.
const PACE: u64 = 2 * MIB;
/// Offsets that a page sends are noted in it.
const NOTE_OFFSETS: &str = "void (() => {
    const set = XMLHttpRequest.prototype.setRequestHeader;
    window.offsets = [];
    XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
        if (name === 'Upload-Offset') offsets.push(Number(value));
        return set.call(this, name, value);
    };
})()";
/// A part of it has left.
const UNDER_WAY: &str = "document.querySelector('#uploads .sending progress')?.value > 3e6";

fn serve(place: &Place) -> Served {
    Serve::over(env!("CARGO_BIN_EXE_haul"), place.root()).http().start()
}

/// A URL without a name in it.
fn url(served: &Served, path: &str) -> String {
    format!("http://{}{path}", served.http_addr())
}

/// Of somebody who gives a name when asked for one.
fn user() -> Value {
    json!({ "login": { "username": USER, "password": PASSWORD } })
}

/// Where one has to give it; leads to a folder.
fn signed_in(served: &Served, folder: &str) -> String {
    url(served, &format!("/?login={folder}"))
}

#[track_caller]
fn walked(steps: &Value, options: &Value) -> Option<Events> {
    let end = walk(steps, options)?.run();
    let events = Events::of(&end);
    assert_eq!(end.code, Some(0), "{events:#?}\n{}", end.stderr);
    assert!(events.all("error").is_empty(), "{events:#?}");
    Some(events)
}

/// How often a page has asked with this method.
fn asked(events: &Events, method: &str) -> usize {
    events.all("response").iter().filter(|response| response["method"] == method).count()
}

fn wait_for_step(walking: &HaulProcess, step: &str) {
    let told = format!(r#""step":"{step}""#);
    walking.wait_for_output_line(|line| line.contains(&told), SOON);
}

/// Three files and a folder, of different sizes and dates.
fn furnished(place: &Place) {
    for (name, size, date) in [("b10.txt", 3, 2000), ("B9.txt", 2000, 3000), ("a&b.txt", 1_500_000, 1000)] {
        Content::new(1, size).write_to(place.far(name));
        let file = fs::File::options().write(true).open(place.far(name)).unwrap();
        let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(date);
        file.set_modified(date).unwrap();
    }
    fs::create_dir_all(place.far("folder/deeper")).unwrap();
}

#[test]
fn without_its_script_a_page_is_sorted_and_filtered_by_links_and_a_form() {
    let place = Place::new();
    furnished(&place);
    let served = serve(&place);
    let names = json!(["texts", "td.name bdi"]);
    let steps = json!([
        ["goto", signed_in(&served, "/")],
        names,
        ["texts", "td.size"],
        ["texts", "td.date"],
        ["read", "noscript pre", format!("-T FILE {}", url(&served, "/"))],
        ["click", "th.size a"],
        names,
        ["click", "th.size a"],
        names,
        ["click", "th.date a"],
        names,
        ["fill", "#filter", "B"],
        ["click", "form button"],
        names,
        ["fill", "#filter", "nothing has that"],
        ["click", "form button"],
        ["text", "#count"],
        ["goto", url(&served, "/folder/deeper/")],
        ["text", "#count"],
        ["texts", "nav bdi"],
        ["click", "nav li:nth-child(2) a"],
        names,
    ]);
    let options = joined(&user(), &json!({ "scripts": false }));
    let Some(events) = walked(&steps, &options) else { return };
    let texts = events.found("texts");
    assert_eq!(*texts[0], json!(["folder", "a&b.txt", "B9.txt", "b10.txt"]));
    assert_eq!(*texts[1], json!(["", "1.4 MiB", "2.0 KiB", "3 B"]));
    assert_eq!(texts[2][1], "1970-01-01 00:16");
    assert_eq!(*texts[3], json!(["folder", "a&b.txt", "B9.txt", "b10.txt"]));
    assert_eq!(*texts[4], json!(["folder", "b10.txt", "B9.txt", "a&b.txt"]));
    assert_eq!(*texts[5], json!(["folder", "B9.txt", "b10.txt", "a&b.txt"]));
    // In the order that was chosen before.
    assert_eq!(*texts[6], json!(["B9.txt", "b10.txt", "a&b.txt"]));
    assert_eq!(events.found("text"), ["No name has that in it.", "This folder is empty."]);
    assert_eq!(*texts[7], json!(["Files", "folder", "deeper"]));
    assert_eq!(*texts[8], json!(["deeper"]));
    events.assert_quiet();
}

#[test]
fn with_its_script_a_page_filters_while_one_types_and_tells_dates_as_its_reader_does() {
    let place = Place::new();
    furnished(&place);
    let served = serve(&place);
    let seen = "[...document.querySelectorAll('tbody tr')].filter((row) => row.offsetParent).length";
    let steps = json!([
        ["goto", url(&served, "/?sort=date")],
        ["fill", "#filter", "b"],
        ["value", seen],
        ["text", "#count"],
        ["press", "Enter"],
        ["fill", "#filter", ""],
        ["value", seen],
        ["texts", "td.date"],
        ["value", "location.search"],
        ["goto", url(&served, "/?filter=b9")],
        ["value", seen],
        // More than is on the page: the server is asked.
        ["fill", "#filter", "b"],
        ["until", format!("{seen} === 3")],
        ["value", "location.search"],
    ]);
    let Some(events) = walked(&steps, &json!({})) else { return };
    assert_eq!(
        events.found("value"),
        [&json!(3), &json!(4), &json!("?sort=date"), &json!(1), &json!("?filter=b")]
    );
    assert_eq!(events.found("text"), ["3 of 4 names"]);
    assert_eq!(events.found("texts")[0][1], "1 Jan 1970, 00:16");
    events.assert_quiet();
}

#[test]
fn nothing_of_a_name_is_markup_and_each_leads_to_its_file() {
    let place = Place::new();
    let names: [&[u8]; 7] = [
        b"<img src=x onerror=alert(1)>.txt",
        b"\"quotes\" & 'quotes' &lt;.txt",
        b"</bdi></a><script>alert(2)</script>",
        b"not \xff\xfe UTF-8.txt",
        "\u{202e}txt.exe".as_bytes(),
        b"  blanks  ?#%41+;:@.txt",
        b"javascript:alert(3)",
    ];
    let names: Vec<Vec<u8>> =
        names.iter().map(|name| name.iter().copied().filter(|byte| *byte != b'/').collect()).collect();
    for name in &names {
        fs::write(place.far("").join(OsStr::from_bytes(name)), name).unwrap();
    }
    let folder = b"<b>\"'&\xff".as_slice();
    fs::create_dir(place.far("").join(OsStr::from_bytes(folder))).unwrap();
    let served = serve(&place);
    let steps = json!([
        ["goto", signed_in(&served, "/")],
        ["value", "[...document.querySelectorAll('td.name')].map((cell) => cell.textContent)"],
        ["value", "[...document.querySelectorAll('a.file')].map((link) => link.pathname)"],
        ["count", "main img, main script, main b, td bdi *"],
        ["value", "document.documentElement.scrollWidth <= innerWidth"],
        ["click", "a.folder"],
        ["text", "h1"],
        ["value", "document.title"],
        ["count", "h1 b, nav b, title b"],
    ]);
    let options = joined(&user(), &json!({ "size": [390, 844], "phone": true }));
    let Some(events) = walked(&steps, &options) else { return };
    assert!(events.all("dialog").is_empty(), "{events:#?}");
    events.assert_quiet();
    assert_eq!(events.found("count"), [0, 0]);
    let [shown, links, fits, title] = events.found("value")[..] else { panic!("{events:#?}") };
    assert_eq!(*fits, json!(true), "it is wider than a phone");
    assert_eq!(events.found("text"), ["<b>\"'&\u{fffd}"]);
    assert_eq!(*title, "<b>\"'&\u{fffd}");
    let shown: Vec<&str> = shown.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in &names {
        let name = String::from_utf8_lossy(name);
        assert!(shown.contains(&&*name), "{name:?} is not among {shown:?}");
    }
    // A file has its own name in it.
    let links = links.as_array().unwrap();
    assert_eq!(links.len(), names.len());
    let mut found: Vec<Vec<u8>> = links
        .iter()
        .map(|link| {
            let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", link.as_str().unwrap());
            HttpCaller::to(served.http_addr()).asks(request).expect(200).body
        })
        .collect();
    let mut names = names;
    found.sort();
    names.sort();
    assert_eq!(found, names);
}

#[test]
fn an_upload_goes_on_when_the_server_was_killed_in_the_middle_of_it() {
    let place = Place::new();
    fs::create_dir(place.far("in")).unwrap();
    LARGE.write_to(place.local("large \"1\".bin"));
    fs::write(place.local("small.txt"), "x").unwrap();
    let served = serve(&place);
    let steps = json!([
        ["goto", signed_in(&served, "/in/")],
        ["value", NOTE_OFFSETS],
        ["pace", PACE],
        ["choose", "#files", place.local("large \"1\".bin"), place.local("small.txt")],
        ["until", UNDER_WAY],
        ["read", "#uploads .cut .words", "Next try in"],
        ["click", "#uploads .cut button"],
        ["read", "#uploads .done:nth-child(2)", "small.txt"],
        ["value", "offsets"],
        ["texts", "td.name bdi"],
    ]);
    let Some(walking) = walk(&steps, &user()) else { return };
    let walking = walking.spawn();
    wait_for_step(&walking, "until");
    let _served = served.killed_and_started_again();
    let events = Events::of(&walking.wait_at_most(SOON).expect_code(0));
    assert!(events.all("error").is_empty(), "{events:#?}");
    LARGE.assert_file_is(place.far("in/large \"1\".bin"));
    assert_eq!(fs::read(place.far("in/small.txt")).unwrap(), b"x");
    assert_eq!(asked(&events, "POST"), 2, "begun once each: {events:#?}");
    let offsets = events.found("value")[1].as_array().unwrap();
    // The beginning, the rest of it, and the second file.
    let [0, rest, .., 0] = offsets.iter().map(|offset| offset.as_u64().unwrap()).collect::<Vec<_>>()[..]
    else {
        panic!("{offsets:?}")
    };
    assert!(rest > 0, "{offsets:?}");
}

#[test]
fn an_upload_goes_on_in_another_visit_and_from_another_browser() {
    let place = Place::new();
    let file = place.local("large.bin");
    LARGE.write_to(&file);
    let served = serve(&place);
    let profile = joined(&user(), &json!({ "profile": place.local("profile") }));
    // The page is closed in the middle.
    let first = json!([
        ["goto", signed_in(&served, "/")],
        ["pace", PACE],
        ["choose", "#files", file],
        ["until", UNDER_WAY],
    ]);
    let Some(_) = walked(&first, &profile) else { return };
    let steps = json!([
        ["goto", signed_in(&served, "/")],
        ["value", NOTE_OFFSETS],
        ["text", "td.name"],
        ["pace", PACE],
        ["drop", "main", file],
        ["until", "document.querySelector('#uploads .sending progress')?.value > 8e6"],
        ["value", "offsets"],
    ]);
    let events = walked(&steps, &profile).unwrap();
    assert_eq!(asked(&events, "POST"), 0, "{events:#?}");
    let second = events.found("value")[1][0].as_u64().unwrap();
    assert!(second > 0);
    let row = events.found("text")[0].as_str().unwrap();
    assert!(row.contains("large.bin") && row.contains("unfinished") && row.contains("Discard"), "{row}");

    // Somewhere else nobody knows whether it is the same file.
    let elsewhere = json!([
        ["goto", signed_in(&served, "/")],
        ["value", NOTE_OFFSETS],
        ["choose", "#files", file],
        ["text", "#uploads .asking .words"],
        ["click", "#uploads button >> text=Continue it"],
        ["see", "#uploads .done"],
        ["value", "offsets"],
        ["value", "localStorage.length"],
    ]);
    let events = walked(&elsewhere, &user()).unwrap();
    assert_eq!(asked(&events, "POST"), 0, "{events:#?}");
    let words = events.found("text")[0].as_str().unwrap();
    assert!(words.contains("of 12.0 MiB"), "{words}");
    let third = events.found("value")[1][0].as_u64().unwrap();
    assert!(third > second, "{third} after {second}");
    // What is done is not remembered.
    assert_eq!(*events.found("value")[2], json!(0));
    LARGE.assert_file_is(place.far("large.bin"));
}

#[test]
fn an_upload_is_paused_gone_on_with_given_up_and_never_replaces_unasked() {
    let place = Place::new();
    let file = place.local("large.bin");
    LARGE.write_to(&file);
    fs::write(place.local("there.txt"), "new").unwrap();
    fs::write(place.far("there.txt"), "old").unwrap();
    let served = serve(&place);
    let steps = json!([
        ["goto", signed_in(&served, "/")],
        ["pace", PACE],
        ["choose", "#files", file],
        ["until", UNDER_WAY],
        ["click", "#uploads button >> text=Pause"],
        ["see", "#uploads .paused"],
        // Another one goes meanwhile, but not over what is there.
        ["choose", "#files", place.local("there.txt")],
        ["see", "#uploads .asking"],
        ["click", "#uploads .paused button >> text=Go on"],
        ["see", "#uploads .sending"],
        ["click", "#uploads .sending button >> text=Cancel"],
        ["until", "document.querySelectorAll('#uploads li').length === 1"],
        ["count", "#uploads li"],
        ["await_file", place.local("seen")],
        ["click", "#uploads .asking button >> text=Replace it"],
        ["see", "#uploads .done"],
    ]);
    let Some(walking) = walk(&steps, &user()) else { return };
    let walking = walking.spawn();
    wait_for_step(&walking, "count");
    assert_eq!(fs::read(place.far("there.txt")).unwrap(), b"old");
    scene::wait_until(|| place.hidden() < MIB);
    fs::write(place.local("seen"), "").unwrap();
    let events = Events::of(&walking.wait_at_most(SOON).expect_code(0));
    assert!(events.all("error").is_empty(), "{events:#?}");
    assert_eq!(fs::read(place.far("there.txt")).unwrap(), b"new");
    assert!(!place.far("large.bin").exists());
}

#[test]
fn who_may_not_upload_is_asked_for_a_name_and_comes_back() {
    let place = Place::new();
    fs::create_dir(place.far("a b")).unwrap();
    let served = serve(&place);
    let steps = json!([
        ["goto", url(&served, "/a%20b/")],
        ["count", "#upload"],
        ["click", ".who a"],
        ["count", "#upload"],
        ["text", ".who"],
        ["value", "location.pathname + location.search"],
    ]);
    let Some(events) = walked(&steps, &user()) else { return };
    assert_eq!(events.found("count"), [0, 1]);
    assert_eq!(events.found("text"), [&format!("signed in as {USER}")]);
    assert_eq!(events.found("value"), ["/a%20b/"]);
}

#[test]
fn who_may_only_bring_files_sees_none_and_brings_them() {
    let place = Place::new();
    fs::write(place.far("secret.txt"), "secret").unwrap();
    fs::write(place.local("brought.txt"), "brought").unwrap();
    let served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root())
        .args(["--user", &format!("{USER}:{PASSWORD}:w")])
        .http()
        .start();
    let steps = json!([
        ["goto", signed_in(&served, "/")],
        ["text", "main"],
        ["choose", "#files", place.local("brought.txt")],
        ["see", "#uploads .done"],
    ]);
    let Some(events) = walked(&steps, &user()) else { return };
    let text = events.found("text")[0].as_str().unwrap();
    assert!(text.contains("not shown to you") && !text.contains("secret"), "{text}");
    assert_eq!(fs::read(place.far("brought.txt")).unwrap(), b"brought");
}

#[test]
fn anybody_may_add_where_that_is_so_and_replaces_nothing() {
    let place = Place::new();
    fs::write(place.far("there.txt"), "old").unwrap();
    fs::write(place.local("there.txt"), "new").unwrap();
    fs::write(place.local("new.txt"), "new").unwrap();
    let served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root())
        .args(["--anonymous", "rw"])
        .http()
        .start();
    let steps = json!([
        ["goto", url(&served, "/")],
        ["choose", "#files", place.local("there.txt"), place.local("new.txt")],
        ["see", "#uploads .done"],
        ["text", "#uploads .failed .words"],
    ]);
    let Some(events) = walked(&steps, &json!({})) else { return };
    assert_eq!(events.found("text"), ["Failed: a file of that name is here already"]);
    assert_eq!(fs::read(place.far("there.txt")).unwrap(), b"old");
    assert_eq!(fs::read(place.far("new.txt")).unwrap(), b"new");
}

#[test]
fn where_nothing_is_kept_unfinished_files_are_uploaded_whole() {
    let place = Place::new();
    LARGE.write_to(place.local("large.bin"));
    fs::write(place.local("small.txt"), "").unwrap();
    let served = Serve::over(env!("CARGO_BIN_EXE_haul"), place.root())
        .config("[uploads]\nmode = \"in-place\"\n")
        .http()
        .start();
    let steps = json!([
        ["goto", signed_in(&served, "/")],
        ["choose", "#files", place.local("large.bin"), place.local("small.txt")],
        ["see", "#uploads .done:nth-child(2)"],
    ]);
    let Some(events) = walked(&steps, &user()) else { return };
    assert_eq!(asked(&events, "PATCH"), 0);
    LARGE.assert_file_is(place.far("large.bin"));
    assert_eq!(fs::read(place.far("small.txt")).unwrap(), b"");
}

/// A request's answer, without a name.
#[track_caller]
fn get(served: &Served, path: &str, fields: &str) -> haul_testkit::http_caller::Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    HttpCaller::to(served.http_addr()).asks(request)
}

#[test]
fn programs_get_json_and_a_large_folder_in_pieces() {
    let place = Place::new();
    for number in 0..6000 {
        fs::write(place.far(&format!("file {number}.bin")), "").unwrap();
    }
    let served = serve(&place);
    let answer = get(&served, "/?sort=name&order=desc", "Accept: application/json\r\n").expect(200);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let entries = told["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 6000);
    assert_eq!(entries[0]["href"], "/file%205999.bin");
    assert_eq!(entries[5999]["name"], "file 0.bin");

    let page = get(&served, "/?from=5000", "Accept: text/html,*/*;q=0.8\r\n").expect(200);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.field("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert_eq!(page.text().matches("<tr role=\"row\"><td").count(), 1000);
    assert!(page.text().contains("5,001 to 6,000 of 6,000"));
    let first = get(&served, "/", "").expect(200).text();
    assert_eq!(first.matches("<tr role=\"row\"><td").count(), 5000);
    assert!(first.trim_end().ends_with("</html>"));
}

#[test]
fn what_a_page_leans_on_is_kept_by_browsers_and_asked_for_by_nobody_in_vain() {
    let place = Place::new();
    let served =
        Serve::over(env!("CARGO_BIN_EXE_haul"), place.root()).arg("--anonymous").arg("off").http().start();
    get(&served, "/", "").expect(401);
    let request =
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {}\r\n\r\n", "YTpzZWNyZXQ=");
    let page = HttpCaller::to(served.http_addr()).asks(request).expect(200).text();
    for (asset, kind) in [("/-/page.css?v=", "text/css"), ("/-/page.js?v=", "text/javascript")] {
        let at = page.find(asset).expect(asset);
        let link = page[at..].split('"').next().unwrap();
        let answer = get(&served, link, "").expect(200);
        assert!(answer.field("content-type").unwrap().starts_with(kind), "{answer:?}");
        assert_eq!(answer.field("cache-control"), Some("public, max-age=31536000, immutable"));
        let etag = answer.field("etag").unwrap().to_owned();
        assert!(etag.starts_with('"'), "{etag}");
        get(&served, link, &format!("If-None-Match: {etag}\r\n")).expect(304);
        // Another version's name is not remembered as this one's.
        let old = get(&served, &format!("{asset}0"), "").expect(200);
        assert_eq!(old.field("cache-control"), Some("no-cache"));
    }
}
