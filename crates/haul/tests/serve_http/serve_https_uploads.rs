//! Uploads over HTTP/1.1 within TLS, by tus and by the IETF draft: created, cut, gone on with over a new connection or in
//! the clear, also after a kill of the server. An end of the connection that TLS does not vouch for is no end of a file.

use crate::scene;
use haul_testkit::{Content, HttpCaller, Served, http_caller::Answer, tls::Version};

use crate::scene::{
    MIB,
    http::{OWNER, request},
    served::{Place, part},
    tls::{certificates, certified},
    tus::{BYTES, V1, filename, location, offset_of, unseen},
    uploading::{Draft, Known, offset},
    wait_until,
};

const LEN: u64 = 3 * MIB + 5;
const CONTENT: Content = Content::new(1, LEN);
const PARTIAL: &str = "Content-Type: application/partial-upload";
const NEWEST: Draft = Draft(9);
const SAYS: [&str; 3] = [OWNER, "Upload-Draft-Interop-Version: 9", "Upload-Complete: ?1"];

fn to(served: &Served, version: Version) -> HttpCaller {
    HttpCaller::to_tls(served.https_addr(), &certificates().client_config(Some(version)))
}

#[track_caller]
fn asks(served: &Served, method: &str, path: &str, fields: &[&str], content: &[u8]) -> Answer {
    let content = (!content.is_empty()).then_some(content);
    to(served, Version::Tls13).asks(request(method, path, fields, content))
}

/// A request that brings these bytes of content that is longer, or that is in chunks.
fn begins(caller: &mut HttpCaller, method: &str, path: &str, fields: &[&str], told: Option<u64>) {
    let told = match told {
        Some(length) => format!("Content-Length: {length}"),
        None => "Transfer-Encoding: chunked".to_owned(),
    };
    caller.sends(request(method, path, &[fields, &[&told]].concat(), None));
}

/// How a connection ends. None of them says goodbye in TLS: of what comes before such an end nothing says that it is all.
const ENDS: [fn(HttpCaller); 3] = [HttpCaller::resets, drop, |caller| caller.shuts()];

#[test]
fn tus_goes_on_after_cuts_and_a_kill() {
    let place = Place::new();
    let mut served = certified(place.serve()).http().https().start();
    for (version, name) in [(Version::Tls13, "thirteen"), (Version::Tls12, "twelve")] {
        let length = format!("Upload-Length: {LEN}");
        let made = asks(&served, "POST", "/-/tus", &[OWNER, V1, &length, &filename(name)], b"").expect(201);
        let (url, mut at) = (location(&made), 0);
        for (end, upto) in ENDS.iter().zip([1, MIB, LEN - 1]) {
            let mut caller = to(&served, version);
            let fields = [OWNER, V1, BYTES, &offset_of(at)];
            begins(&mut caller, "PATCH", &url, &fields, Some(LEN - at));
            caller.sends(part(CONTENT, at, upto));
            wait_until(|| offset(served.http_addr(), &format!("/{name}")) == Some(upto));
            end(caller);
            let known = asks(&served, "HEAD", &url, &[OWNER, V1], b"").expect(200);
            assert_eq!(known.head.number("Upload-Offset"), Some(upto));
            assert!(unseen(&place.far(name)));
            at = upto;
        }
        served = served.killed_and_started_again();
        let last = [OWNER, V1, BYTES, &offset_of(at)];
        asks(&served, "PATCH", &url, &last, &part(CONTENT, at, LEN)).expect(204);
        CONTENT.assert_file_is(place.far(name));
    }
}

#[test]
fn the_draft_goes_on_after_cuts_and_a_kill() {
    let place = Place::new();
    let mut served = certified(place.serve()).http().https().start();
    for (version, name) in [(Version::Tls13, "thirteen"), (Version::Tls12, "twelve")] {
        for (number, end) in ENDS.iter().enumerate() {
            // With a length, and in chunks, where one byte is held back.
            for (told, held) in [(Some(LEN), 0), (None, 1)] {
                let name = format!("{name}{number}{held}");
                let mut caller = to(&served, version);
                begins(&mut caller, "POST", &format!("/{name}"), &SAYS, told);
                let interim = caller.next_head().expect("104");
                assert_eq!(interim.status, 104);
                let url = interim.field("Location").unwrap();
                let bytes = part(CONTENT, 0, 2 * MIB);
                match told {
                    Some(_) => caller.sends(&bytes),
                    None => caller.sends([format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes].concat()),
                }
                wait_until(|| offset(served.http_addr(), &format!("/{name}")) == Some(2 * MIB - held));
                end(caller);
                if number == 0 {
                    served = served.killed_and_started_again();
                }
                let known = Known::of(&asks(&served, "HEAD", url, &SAYS[..2], b"").expect(204), NEWEST);
                assert_eq!(known, Known { offset: 2 * MIB - held, complete: false });
                assert!(unseen(&place.far(&name)));
                let offset = offset_of(known.offset);
                let fields = [&SAYS[..], &[PARTIAL, &offset]].concat();
                let rest = part(CONTENT, known.offset, LEN);
                // What began within TLS may end in the clear, where that is allowed.
                let done = if held == 0 {
                    asks(&served, "PATCH", url, &fields, &rest)
                } else {
                    scene::http::send(served.http_addr(), "PATCH", url, &fields, &rest)
                };
                assert_eq!(Known::of(&done.expect(204), NEWEST), Known { offset: LEN, complete: true });
                CONTENT.assert_file_is(place.far(&name));
            }
        }
    }
}
