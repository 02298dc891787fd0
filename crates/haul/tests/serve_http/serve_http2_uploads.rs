//! Uploads over HTTP/2, in the clear with prior knowledge and within TLS: what is told while they come, how they are cut
//! and gone on with, and how a newer request ends an older one, on its own connection or another.

use h2::Reason;
use haul_testkit::{Content, Served};
use http::HeaderMap;

use crate::scene::{
    MIB,
    h2::{Exchange, H2, Heard},
    http::OWNER,
    served::{Place, part},
    tls::{certificates, certified},
    tus::{BYTES, V1, filename, offset_of, unseen},
    uploading::offset,
    wait_until,
};

const LEN: u64 = 3 * MIB + 5;
const CONTENT: Content = Content::new(1, LEN);
const DRAFT: &str = "Upload-Draft-Interop-Version: 9";
const PARTIAL: &str = "Content-Type: application/partial-upload";

/// A server with both doors, and what makes a connection to each.
fn doors(place: &Place) -> (Served, [(&'static str, Connect); 2]) {
    let served = certified(place.serve()).http().https().start();
    let clear: Connect = |served| H2::to(served.http_addr());
    let secured: Connect = |served| H2::to_tls(served.https_addr(), certificates());
    (served, [("clear", clear), ("secured", secured)])
}

type Connect = fn(&Served) -> H2;
type Cut = fn(H2, Exchange);

fn value<'a>(fields: &'a HeaderMap, name: &str) -> &'a str {
    fields.get(name).unwrap_or_else(|| panic!("no {name}: {fields:?}")).to_str().unwrap()
}

fn number(fields: &HeaderMap, name: &str) -> u64 {
    value(fields, name).parse().unwrap()
}

/// An upload of the draft that is begun and has these bytes; its URL.
fn creates(h2: &H2, path: &str, more: &[&str], bytes: &[u8]) -> (Exchange, String) {
    let fields = [&[OWNER, DRAFT, "Upload-Complete: ?1"], more].concat();
    let mut creation = h2.begins("POST", path, &fields);
    let told = creation.interim();
    assert_eq!(told.status(), 104);
    let url = value(told.headers(), "location").to_owned();
    creation.sends(bytes);
    (creation, url)
}

/// How far an upload is, as the draft tells it: whoever brings bytes to it is ended.
fn head(h2: &H2, url: &str) -> u64 {
    h2.asks("HEAD", url, &[OWNER, DRAFT], b"").expect(204).number("Upload-Offset").unwrap()
}

/// The rest of it by the draft.
fn appends(h2: &H2, url: &str, at: u64) -> Heard {
    let fields = [OWNER, DRAFT, PARTIAL, "Upload-Complete: ?1", &offset_of(at)];
    h2.asks("PATCH", url, &fields, &part(CONTENT, at, LEN))
}

#[test]
fn progress_is_told_of_what_is_safe_while_it_comes() {
    let place = Place::new();
    let (mut served, doors) = doors(&place);
    for (name, connect) in doors {
        let h2 = connect(&served);
        let path = format!("/{name}");
        let (mut creation, url) = creates(&h2, &path, &[&format!("Upload-Length: {LEN}")], b"");
        let mut told = 0;
        for at in 0..5 {
            creation.sends(&part(CONTENT, at * 1000, (at + 1) * 1000));
            // Who asks has it made safe; whoever sends hears of that with the next bytes.
            wait_until(|| offset(served.http_addr(), &path) == Some((at + 1) * 1000));
            if at == 0 {
                continue;
            }
            let interim = creation.interim();
            assert_eq!((interim.status().as_u16(), interim.headers().get("location")), (104, None));
            assert_eq!(value(interim.headers(), "upload-draft-interop-version"), "9");
            let now = number(interim.headers(), "upload-offset");
            assert!(now > told && now <= (at + 1) * 1000, "{told} {now}");
            told = now;
        }
        served = served.killed_and_started_again();
        let h2 = connect(&served);
        let known = head(&h2, &url);
        assert!(known >= told && known <= 5000, "{told} were told, {known} are there");
        assert_eq!(appends(&h2, &url, known).status, 204, "{name}");
        CONTENT.assert_file_is(place.far(name));
    }
}

/// How an upload is cut in the middle: one request, or its connection.
const CUTS: [(&str, Cut); 6] = [
    ("CANCEL", |_, exchange| exchange.resets(Reason::CANCEL)),
    ("NO_ERROR", |_, exchange| exchange.resets(Reason::NO_ERROR)),
    ("INTERNAL_ERROR", |_, exchange| exchange.resets(Reason::INTERNAL_ERROR)),
    ("FIN", |h2, _| h2.hangs_up()),
    ("RST", |h2, _| h2.resets()),
    ("dropped", |_, exchange| drop(exchange)),
];

#[test]
fn what_is_cut_stays_unfinished_and_is_gone_on_with() {
    let place = Place::new();
    let (served, doors) = doors(&place);
    std::thread::scope(|scope| {
        for (door, connect) in doors {
            for (how, cut) in CUTS {
                let scene =
                    Scene { place: &place, served: &served, name: format!("{door}-{how}"), connect, cut };
                scope.spawn(move || {
                    // Where the length is known, and where it is not and one byte is held back.
                    scene.by_the_draft("known", &[&format!("Upload-Length: {LEN}")], 2 * MIB);
                    scene.by_the_draft("unknown", &[], 2 * MIB - 1);
                    scene.by_tus();
                    scene.by_put();
                });
            }
        }
    });
}

/// One way to one door, and one way to be cut.
struct Scene<'a> {
    place: &'a Place,
    served: &'a Served,
    name: String,
    connect: Connect,
    cut: Cut,
}

impl Scene<'_> {
    fn connect(&self) -> H2 {
        (self.connect)(self.served)
    }

    /// Cuts it when so many bytes of what becomes `name` are safe.
    fn cut(&self, h2: H2, exchange: Exchange, name: &str, safe: u64) {
        wait_until(|| offset(self.served.http_addr(), &format!("/{name}")) == Some(safe));
        (self.cut)(h2, exchange);
    }

    fn by_the_draft(&self, what: &str, lengths: &[&str], safe: u64) {
        let (name, h2) = (format!("{}-{what}", self.name), self.connect());
        let (creation, url) = creates(&h2, &format!("/{name}"), lengths, &part(CONTENT, 0, 2 * MIB));
        self.cut(h2, creation, &name, safe);
        let h2 = self.connect();
        assert_eq!(head(&h2, &url), safe);
        assert!(unseen(&self.place.far(&name)));
        appends(&h2, &url, safe).expect(204);
        CONTENT.assert_file_is(self.place.far(&name));
    }

    /// To the last byte but one.
    fn by_tus(&self) {
        let (name, h2) = (format!("{}-tus", self.name), self.connect());
        let length = format!("Upload-Length: {LEN}");
        let made = h2.asks("POST", "/", &[OWNER, V1, &length, &filename(&name)], b"").expect(201);
        let url = made.field("location").unwrap();
        let mut patch = h2.begins("PATCH", url, &[OWNER, V1, BYTES, "Upload-Offset: 0"]);
        patch.sends(&part(CONTENT, 0, LEN - 1));
        self.cut(h2, patch, &name, LEN - 1);
        let h2 = self.connect();
        let known = h2.asks("HEAD", url, &[OWNER, V1], b"").expect(200);
        assert_eq!(known.number("upload-offset"), Some(LEN - 1));
        assert!(unseen(&self.place.far(&name)));
        let last = [OWNER, V1, BYTES, &offset_of(LEN - 1)];
        h2.asks("PATCH", url, &last, &part(CONTENT, LEN - 1, LEN)).expect(204);
        CONTENT.assert_file_is(self.place.far(&name));
    }

    /// A plain PUT that tells no length: only its own end is the end of the file.
    fn by_put(&self) {
        let (name, h2) = (format!("{}-put", self.name), self.connect());
        let mut put = h2.begins("PUT", &format!("/{name}"), &[OWNER]);
        put.sends(&part(CONTENT, 0, MIB));
        self.cut(h2, put, &name, MIB - 1);
        assert!(unseen(&self.place.far(&name)));
        let range = format!("Content-Range: bytes {}-{}/{LEN}", MIB - 1, LEN - 1);
        let rest = part(CONTENT, MIB - 1, LEN);
        self.connect().asks("PUT", &format!("/{name}"), &[OWNER, &range], &rest).expect(201);
        CONTENT.assert_file_is(self.place.far(&name));
    }
}

/// What whoever was taken over hears: that, or nothing but the end of the request.
#[track_caller]
fn was_taken_over(mut older: Exchange) {
    let _ = older.tries(b"late");
    if let Ok(heard) = older.hears() {
        assert_eq!(heard.status, 409, "{}", String::from_utf8_lossy(&heard.body));
    }
}

#[test]
fn the_newest_request_on_an_uploads_url_wins() {
    let place = Place::new();
    let (served, doors) = doors(&place);
    let length = format!("Upload-Length: {LEN}");
    for (door, connect) in doors {
        for same_connection in [true, false] {
            let one = connect(&served);
            let another = if same_connection { None } else { Some(connect(&served)) };
            let two = another.as_ref().unwrap_or(&one);
            // tus: PATCH after PATCH.
            let name = format!("{door}-{same_connection}-tus");
            let made = one.asks("POST", "/", &[OWNER, V1, &length, &filename(&name)], b"").expect(201);
            let url = made.field("location").unwrap();
            let mut older = one.begins("PATCH", url, &[OWNER, V1, BYTES, "Upload-Offset: 0"]);
            older.sends(&part(CONTENT, 0, MIB));
            wait_until(|| offset(served.http_addr(), &format!("/{name}")) == Some(MIB));
            let fields = [OWNER, V1, BYTES, &offset_of(MIB)];
            let newest = two.asks("PATCH", url, &fields, &part(CONTENT, MIB, 2 * MIB)).expect(204);
            assert_eq!(newest.number("upload-offset"), Some(2 * MIB));
            was_taken_over(older);
            let fields = [OWNER, V1, BYTES, &offset_of(2 * MIB)];
            two.asks("PATCH", url, &fields, &part(CONTENT, 2 * MIB, LEN)).expect(204);
            CONTENT.assert_file_is(place.far(&name));
            // The draft: HEAD ends a creation, and what it tells is accepted; then PATCH ends a PATCH.
            let name = format!("{door}-{same_connection}-draft");
            let (older, url) = creates(&one, &format!("/{name}"), &[&length], &part(CONTENT, 0, MIB));
            let at = head(two, &url);
            assert!(at <= MIB, "{at}");
            was_taken_over(older);
            let fields = [OWNER, DRAFT, PARTIAL, "Upload-Complete: ?1", &offset_of(at)];
            let mut older = one.begins("PATCH", &url, &fields);
            older.sends(&part(CONTENT, at, 2 * MIB));
            wait_until(|| offset(served.http_addr(), &format!("/{name}")) == Some(2 * MIB));
            appends(two, &url, 2 * MIB).expect(204);
            was_taken_over(older);
            assert_eq!(head(two, &url), LEN);
            CONTENT.assert_file_is(place.far(&name));
            // DELETE ends it, and nothing is left.
            let name = format!("{door}-{same_connection}-gone");
            let (older, url) = creates(&one, &format!("/{name}"), &[&length], &part(CONTENT, 0, MIB));
            two.asks("DELETE", &url, &[OWNER, DRAFT], b"").expect(204);
            was_taken_over(older);
            assert!([404, 410].contains(&two.asks("HEAD", &url, &[OWNER, DRAFT], b"").status));
            assert!(unseen(&place.far(&name)));
        }
    }
}
