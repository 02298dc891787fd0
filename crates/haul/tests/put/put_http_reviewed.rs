//! What a review of `haul put` over HTTP found: uploads that look whole and are none, servers that lose all they took,
//! answers without an end, strangers' files behind a redirect. Each was a fault once.

use std::{io::Write as _, time::Duration};

use crate::scene::{
    MIB, SOON, Told,
    ftp::{heard, says_for_ever, speaks},
    served::serve,
    upload::Upload,
    uploading::Ask,
    wait_until,
};
use haul_testkit::{
    Content, Cut, UploadBehaviour, UploadPeer,
    hostile::{
        Which,
        upload::{Fate, Finish, Instead, Limits, Step, Then, Told as Tells, When},
    },
};

/// More than the sockets of a connection hold.
const SIZE: u64 = 16 * MIB + 4321;
const CONTENT: Content = Content::new(190, SIZE);

/// A file to send, and a scripted server.
struct Stage {
    upload: Upload,
    peer: UploadPeer,
    url: String,
}

impl Stage {
    fn new(behaviour: UploadBehaviour) -> Self {
        let peer = UploadPeer::start(behaviour);
        let url = peer.url("/f.bin");
        Self { upload: Upload::of("f.bin", CONTENT), peer, url }
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> Told {
        self.upload.run(&[args, &["f.bin", &self.url]].concat(), code)
    }

    #[track_caller]
    fn is_there(&self, told: &Told) {
        assert!(self.peer.file("/f.bin") == Some(CONTENT.bytes(0..SIZE)), "{told}");
    }

    /// Sends until the server has so many bytes, and is killed.
    #[track_caller]
    fn killed_at(&self, bytes: u64) {
        self.peer.hold_at(Some(bytes));
        let haul = self.upload.put(&["f.bin", &self.url]).spawn();
        self.peer.wait_until_received(bytes, SOON);
        assert_eq!(haul.kill_9().signal, Some(9));
        self.peer.hold_at(None);
        wait_until(|| self.peer.open() == 0);
    }
}

/// The dialects in which an upload has a URL.
fn with_url() -> [(&'static str, UploadBehaviour); 2] {
    [
        ("draft", UploadBehaviour::draft()),
        ("tus", UploadBehaviour::tus(&["creation", "creation-with-upload", "termination"])),
    ]
}

fn answer(step: Step, which: Which, when: When, status: u16) -> Instead {
    Instead { which, step, when, status, fields: Vec::new(), upload: Fate::Kept, then: Then::Reads }
}

/// What others have begun and never said the end of has all its bytes, and is no file.
#[test]
fn an_upload_without_a_known_end_is_ended_and_not_called_done() {
    for begun_by in ["draft", "tus"] {
        let upload = Upload::of("f.bin", CONTENT);
        let server = serve(upload.root()).http().start();
        let (addr, bytes) = (server.http_addr(), CONTENT.bytes(0..SIZE));
        if begun_by == "draft" {
            let ask = Ask::new("PUT", "/f.bin").with("Upload-Complete", "?0");
            ask.with("Upload-Draft-Interop-Version", 8).brings(addr, &bytes).expect(201);
        } else {
            let ask = Ask::new("POST", "/").with("Tus-Resumable", "1.0.0").with("Upload-Defer-Length", 1);
            let ask = ask.with("Upload-Metadata", "filename Zi5iaW4=").with("Content-Length", 0);
            let begun = ask.to(addr).expect(201);
            let url = begun.field("Location").unwrap();
            let path = url.split_once("://").map_or(url, |(_, rest)| &rest[rest.find('/').unwrap()..]);
            let ask = Ask::new("PATCH", path).with("Tus-Resumable", "1.0.0").with("Upload-Offset", 0);
            ask.with("Content-Type", "application/offset+octet-stream").brings(addr, &bytes).expect(204);
        }
        assert!(!upload.far("f.bin").exists());
        for dialect in ["draft", "tus"] {
            let told = upload.run(&["--protocol", dialect, "f.bin", &server.http_url("/f.bin")], 0);
            assert!(upload.far("f.bin").exists(), "{begun_by}, {dialect}: there is no file\n{told}");
            CONTENT.assert_file_is(upload.far("f.bin"));
        }
    }
}

/// Two servers behind one name, and each knows only its own uploads.
#[test]
fn a_server_that_loses_all_it_took_again_and_again_is_given_up() {
    for (dialect, behaviour) in with_url() {
        let lost = Instead { upload: Fate::Lost, ..answer(Step::Append, Which::From(1), When::AtOnce, 404) };
        let behaviour = behaviour.cut(Which::Every, 2 * MIB, Cut::Rst).answers(lost);
        let stage = Stage::new(behaviour);
        let haul = stage.upload.put(&["--retries", "3", "f.bin", &stage.url]).spawn();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(3));
        assert!(told.message().contains("gone"), "{dialect}: {told}");
    }
}

/// Its disk has lost what it had confirmed: that is refused, and then there has to be a way out of it.
#[test]
fn after_a_contradiction_restart_begins_anew() {
    for (dialect, behaviour) in with_url() {
        let behaviour = behaviour.cut(Which::First(3), 2 * MIB, Cut::Rst);
        let stage = Stage::new(behaviour.lies(Step::Query, Which::From(1), Tells::Less(MIB)));
        let told = stage.run(&[], 8);
        assert!(told.message().contains("--restart"), "{dialect}: {told}");
        stage.peer.change(|behaviour| behaviour.cut = None);
        let told = stage.run(&["--restart"], 0);
        assert!(told.says_begun_anew(), "{dialect}: {told}");
        stage.is_there(&told);
    }
}

#[test]
fn an_answer_whose_body_never_ends_is_not_read_for_ever() {
    let addr = speaks(|mut stream| {
        let first = heard(&mut stream);
        while !heard(&mut stream).is_empty() {}
        let length = if first.starts_with("OPTIONS") { 200_000 } else { 0 };
        let head = format!("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let _ = stream.get_mut().write_all(head.as_bytes());
        if length > 0 {
            says_for_ever(&mut stream, "x", Duration::from_millis(100));
        }
        if first.starts_with("PUT") {
            // Who hangs up on what was not read takes the answer back.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let upload = Upload::of("f.bin", CONTENT);
    let url = format!("http://{addr}/f.bin");
    let args = ["--timeout", "1", "--retries", "1", "--if-exists", "overwrite", "f.bin", &url];
    let told = Told::by(upload.put(&args).spawn().wait_at_most(SOON).expect_code(4));
    assert!(told.message().contains("403"), "{told}");
}

/// What the first request led to was ours to write; what lies where it is sent on to is not.
#[test]
fn a_strangers_file_behind_a_late_redirect_is_left_alone() {
    let stranger = b"somebody's own".to_vec();
    for (when, behaviour) in [
        (When::AtOnce, UploadBehaviour::plain()),
        (When::After(MIB), UploadBehaviour::plain()),
        (When::After(MIB), UploadBehaviour::draft()),
    ] {
        let fields = vec![("Location".to_owned(), "/other.bin".to_owned())];
        let redirect = Instead { fields, ..answer(Step::Create, Which::Only(0), when, 307) };
        let stage = Stage::new(behaviour.answers(redirect));
        stage.peer.put("/other.bin", stranger.clone());
        let told = stage.run(&[], 8);
        assert!(stage.peer.file("/other.bin") == Some(stranger.clone()), "{when:?}: it was replaced\n{told}");
    }
}

/// The upload was announced: that it is not found is no word on the folder.
#[test]
fn an_announced_upload_that_is_lost_before_its_answer_is_begun_anew() {
    for then in [Then::Reads, Then::Closes] {
        for when in [When::After(2 * MIB), When::AtTheEnd] {
            let lost = answer(Step::Create, Which::Only(0), when, 404);
            let stage =
                Stage::new(UploadBehaviour::draft().answers(Instead { upload: Fate::Lost, then, ..lost }));
            let told = stage.run(&[], 0);
            assert!(told.says_begun_anew(), "{then:?} {when:?}: {told}");
            stage.is_there(&told);
        }
    }
}

/// It was finished by a run that was killed before it heard of it, and is somebody else's by now.
#[test]
fn what_came_in_the_place_of_a_finished_upload_is_left_alone() {
    for (dialect, behaviour) in with_url() {
        let stage = Stage::new(behaviour.finish(Which::Only(0), Finish::Silent));
        let haul = stage.upload.put(&["f.bin", &stage.url]).spawn();
        wait_until(|| stage.peer.file("/f.bin").is_some());
        assert_eq!(haul.kill_9().signal, Some(9));
        stage.peer.release();
        // Unchanged it is known again …
        let told = stage.run(&["--verify", "full"], 0);
        assert_eq!(told.fetched(), 0, "{dialect}: {told}");
        // … and a changed one is not ours to replace.
        let stage = Stage::new(stage_again(dialect).finish(Which::Only(0), Finish::Silent));
        let haul = stage.upload.put(&["f.bin", &stage.url]).spawn();
        wait_until(|| stage.peer.file("/f.bin").is_some());
        assert_eq!(haul.kill_9().signal, Some(9));
        stage.peer.release();
        stage.peer.put("/f.bin", b"somebody's own".to_vec());
        let told = stage.run(&[], 8);
        assert!(stage.peer.file("/f.bin") == Some(b"somebody's own".to_vec()), "{dialect}: {told}");
    }
}

fn stage_again(dialect: &str) -> UploadBehaviour {
    with_url().into_iter().find(|(name, _)| *name == dialect).unwrap().1
}

/// Of the same first bytes, and with another end.
#[test]
fn an_unfinished_upload_of_a_longer_file_is_not_gone_on_with() {
    let upload = Upload::of("f.bin", CONTENT);
    let server = serve(upload.root()).http().start();
    let (addr, bytes) = (server.http_addr(), CONTENT.bytes(0..MIB));
    let ask = Ask::new("PUT", "/f.bin").range(format!("0-{}/{}", MIB - 1, 2 * SIZE));
    ask.brings(addr, &bytes).expect(308);
    for dialect in ["draft", "tus", "put"] {
        let told = upload.run(&["--protocol", dialect, "f.bin", &server.http_url("/f.bin")], 8);
        assert!(told.message().contains("left alone"), "{dialect}: {told}");
    }
    upload.run(&["--if-exists", "overwrite", "f.bin", &server.http_url("/f.bin")], 0);
    CONTENT.assert_file_is(upload.far("f.bin"));
}

#[test]
fn an_unfinished_upload_within_a_folder_is_not_that_of_the_folder() {
    let upload = Upload::of("f.bin", CONTENT);
    let server = serve(upload.root()).http().start();
    std::fs::create_dir(upload.far("sub")).unwrap();
    let (addr, bytes) = (server.http_addr(), CONTENT.bytes(0..MIB));
    Ask::new("PUT", "/sub/f.bin").range(format!("0-{}/{SIZE}", MIB - 1)).brings(addr, &bytes).expect(308);
    let end = upload.put(&["f.bin", &server.http_url("/sub")]).run();
    assert!(!upload.far("sub/f.bin").exists(), "another's upload was finished\n{}", end.stderr);
    assert_ne!(end.code, Some(0), "{}", end.stderr);
}

/// A wait that a server asks for is kept to, also where bytes came before.
#[test]
fn later_means_later() {
    for (dialect, behaviour) in with_url() {
        for status in [429, 503] {
            let fields = vec![("Retry-After".to_owned(), "2".to_owned())];
            let step = if dialect == "draft" { Step::Create } else { Step::Append };
            let later = Instead { fields, ..answer(step, Which::Only(0), When::After(2 * MIB), status) };
            let stage = Stage::new(behaviour.clone().answers(Instead { then: Then::Closes, ..later }));
            let told = stage.run(&[], 0);
            stage.is_there(&told);
            assert!(told.seconds() >= 2.0, "{dialect} {status}: {told}");
            assert!(!told.says_begun_anew(), "{dialect} {status}: {told}");
            assert_eq!(stage.peer.sent_again(), 0, "{dialect} {status}: {told}");
        }
    }
}

#[test]
fn a_server_that_has_no_time_for_ever_is_given_up() {
    let steps = [Step::Options, Step::Look, Step::Create, Step::Append];
    for (dialect, behaviour) in with_url().into_iter().chain([("plain", UploadBehaviour::plain())]) {
        for (status, wait) in [(503, Some("1")), (429, None), (530, None)] {
            for step in steps {
                let fields = wait.map(|wait| ("Retry-After".to_owned(), wait.to_owned()));
                let busy = answer(step, Which::Every, When::AtOnce, status);
                let busy = Instead { fields: fields.into_iter().collect(), ..busy };
                let stage = Stage::new(behaviour.clone().answers(busy));
                let haul = stage.upload.put(&["--retries", "1", "f.bin", &stage.url]).spawn();
                let end = haul.wait_at_most(SOON);
                // Not each dialect comes to each step.
                if end.code == Some(0) {
                    let told = Told::by(end);
                    assert!(stage.peer.requests_of(step).is_empty(), "{dialect} {status} {step:?}: {told}");
                    continue;
                }
                let told = Told::by(end.expect_code(3));
                assert!(told.message().contains(&status.to_string()), "{dialect} {status} {step:?}: {told}");
            }
        }
    }
}

/// What is begun anew leaves nothing behind where the server lets it be taken away.
#[test]
fn what_is_begun_anew_is_given_up_at_the_server() {
    for (dialect, behaviour) in with_url() {
        let stage = Stage::new(behaviour);
        stage.killed_at(3 * MIB);
        let other = Content::new(191, SIZE);
        other.write_to(stage.upload.local("f.bin"));
        let told = stage.run(&[], 0);
        assert!(told.says_begun_anew(), "{dialect}: {told}");
        assert_eq!(stage.peer.requests_of(Step::Cancel).len(), 1, "{dialect}: {told}");
        assert!(stage.peer.file("/f.bin") == Some(other.bytes(0..SIZE)), "{dialect}: {told}");
    }
}

/// What a dialect has to say stands once, whatever the user adds.
#[test]
fn fields_of_the_user_do_not_get_in_the_way_of_those_of_a_dialect() {
    for (dialect, behaviour) in with_url() {
        let stage = Stage::new(behaviour.cut(Which::Only(0), 2 * MIB, Cut::Rst));
        let told = stage.run(&["-H", "Content-Type: image/png", "-H", "X-Own: 1"], 0);
        stage.is_there(&told);
        let requests = stage.peer.requests();
        assert!(requests.iter().all(|request| request.field("X-Own") == Some("1")), "{dialect}");
    }
}

/// A server that promises to announce uploads, behind a proxy that passes on no interim answer.
#[test]
fn an_upload_that_is_never_announced_is_created_carefully_and_resumes_after_a_kill() {
    let stage = Stage::new(UploadBehaviour { announcements: 0, ..UploadBehaviour::draft() });
    stage.killed_at(3 * MIB);
    let told = stage.run(&[], 0);
    assert!(told.kept() >= 3 * MIB && !told.says_begun_anew(), "{told}");
    stage.is_there(&told);
    assert_eq!(stage.peer.sent_again(), 0, "{told}");
}

/// Of what cannot be gone on with it is of no use.
#[test]
fn how_long_it_is_kept_is_said_of_what_can_be_gone_on_with() {
    for (dialect, behaviour) in with_url() {
        let limits = Limits { max_age: Some(Duration::from_secs(3600)), ..Limits::default() };
        let stage = Stage::new(UploadBehaviour { limits, ..behaviour });
        let says = |told: &Told| told.to_string().contains("keeps what is unfinished");
        Content::new(192, 1000).write_to(stage.upload.local("small"));
        let told = stage.upload.run(&["small", &stage.peer.url("/small")], 0);
        assert!(!says(&told), "{dialect}: {told}");
        assert!(dialect == "tus" || says(&stage.run(&[], 0)), "{dialect}");
    }
}

/// On several connections, too.
#[test]
fn lanes_give_up_what_never_comes_and_wait_for_what_comes_later() {
    let parts = ["creation", "concatenation", "creation-defer-length", "termination"];
    for (step, status) in [(Step::Create, 503), (Step::Append, 503), (Step::Append, 429), (Step::Append, 404)]
    {
        let never = answer(step, Which::Every, When::AtOnce, status);
        let stage = Stage::new(UploadBehaviour::tus(&parts).answers(never));
        let haul = stage.upload.put(&["-n", "4", "--retries", "2", "f.bin", &stage.url]).spawn();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(3));
        assert!(told.message().contains(&status.to_string()), "{step:?} {status}: {told}");

        let fields = vec![("Retry-After".to_owned(), "1".to_owned())];
        let later = Instead { fields, ..answer(step, Which::First(4), When::AtOnce, status) };
        let stage = Stage::new(UploadBehaviour::tus(&parts).answers(later));
        let told = stage.run(&["-n", "4"], 0);
        stage.is_there(&told);
    }
}
