//! `haul put` over HTTP against a scripted server that cuts, lies, loses, refuses and withholds: the right file or a
//! clear refusal, and nothing that was acknowledged is sent again.

use std::time::Duration;

use haul_testkit::{
    Content, Cut, UploadBehaviour, UploadPeer,
    hostile::{
        Which,
        upload::{Fate, Finish, Instead, Limits, Location, Locked, Step, Then, Told as Tells, When},
    },
};

use crate::scene::{MIB, SOON, Told, upload::Upload, wait_until};

const SIZE: u64 = 12 * MIB + 4321;
const CONTENT: Content = Content::new(90, SIZE);

/// A file to send, and a server to send it to.
struct Stage {
    upload: Upload,
    peer: UploadPeer,
    url: String,
}

impl Stage {
    fn new(behaviour: UploadBehaviour) -> Self {
        Self::over(UploadPeer::start(behaviour))
    }

    fn over(peer: UploadPeer) -> Self {
        let url = peer.url("/f.bin");
        Self { upload: Upload::of("f.bin", CONTENT), peer, url }
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> Told {
        self.upload.run(&[args, &["f.bin", &self.url]].concat(), code)
    }

    /// Sends it; it is there as it should be, and nothing acknowledged was sent again.
    #[track_caller]
    fn sends(&self, args: &[&str]) -> Told {
        let told = self.run(args, 0);
        self.is_there(&told);
        told
    }

    #[track_caller]
    fn is_there(&self, told: &Told) {
        let there = self.peer.file("/f.bin").unwrap_or_else(|| panic!("there is no file\n{told}"));
        assert!(there == CONTENT.bytes(0..SIZE), "{} bytes, not those of the file\n{told}", there.len());
        assert_eq!(self.peer.sent_again(), 0, "{told}");
    }

    /// It ends with this code, and there is no file.
    #[track_caller]
    fn fails(&self, args: &[&str], code: i32) -> String {
        let told = self.run(args, code);
        assert!(self.peer.file("/f.bin").is_none(), "{told}");
        told.message()
    }
}

/// The dialects in which an upload has a URL.
fn with_url() -> [(&'static str, UploadBehaviour); 2] {
    [
        ("draft", UploadBehaviour::draft()),
        ("tus", UploadBehaviour::tus(&["creation", "creation-with-upload", "termination"])),
    ]
}

/// All that resume.
fn resuming() -> Vec<(&'static str, UploadBehaviour)> {
    with_url().into_iter().chain([("put", UploadBehaviour::pieces())]).collect()
}

/// The step in which most bytes come.
fn bulk(dialect: &str) -> Step {
    if dialect == "draft" { Step::Create } else { Step::Append }
}

/// An answer when so many bytes of a request came.
fn in_the_middle(step: Step, status: u16, upload: Fate, then: Then) -> Instead {
    let (which, when) = (Which::Only(0), When::After(3 * MIB));
    Instead { which, step, when, status, fields: Vec::new(), upload, then }
}

#[test]
fn a_proper_server_gets_it_once_in_each_dialect() {
    for (dialect, behaviour) in resuming().into_iter().chain([("plain", UploadBehaviour::plain())]) {
        let stage = Stage::new(behaviour);
        let told = stage.sends(&[]);
        assert_eq!(told.fetched(), SIZE, "{dialect}: {told}");
        // Of a server that tells nothing it has to be tried whether it puts pieces in their places.
        let tried = if matches!(dialect, "put" | "plain") { 256 << 10 } else { 0 };
        assert!(stage.peer.received() <= SIZE + tried, "{dialect}: {} bytes", stage.peer.received());
    }
}

#[test]
fn an_upload_that_is_announced_twice_or_never_is_one_upload() {
    for announcements in [0, 1, 2] {
        let stage = Stage::new(UploadBehaviour { announcements, ..UploadBehaviour::draft() });
        let told = stage.sends(&[]);
        assert_eq!(stage.peer.received(), SIZE, "{announcements}: {told}");
        // And it is gone on with, not begun anew, after a cut.
        let behaviour = UploadBehaviour { announcements, ..UploadBehaviour::draft() };
        let stage = Stage::new(behaviour.cut(Which::Only(1), 5 * MIB, Cut::Rst));
        let told = stage.sends(&[]);
        assert!(!told.says_begun_anew(), "{announcements}: {told}");
    }
}

#[test]
fn a_server_of_another_version_is_asked_for_the_url_first() {
    let stage = Stage::new(UploadBehaviour { draft: Some(6), ..UploadBehaviour::draft() });
    stage.sends(&[]);
    let first = &stage.peer.requests_of(Step::Create)[0];
    assert_eq!((first.received(), first.field("Upload-Complete")), (0, Some("?0")));
}

#[test]
fn connections_cut_every_5_mib_cost_seconds_and_hardly_a_byte() {
    for (dialect, behaviour) in with_url() {
        for how in [Cut::Fin, Cut::Rst] {
            let stage = Stage::new(behaviour.clone().cut(Which::Every, 5 * MIB, how));
            let told = stage.sends(&[]);
            assert!(told.seconds() < 20.0, "{dialect} {how:?}: {told}");
            assert!(!told.says_begun_anew(), "{dialect} {how:?}: {told}");
            let received = stage.peer.received();
            assert!(received <= SIZE + MIB, "{dialect} {how:?}: {received} of {SIZE}\n{told}");
        }
    }
}

#[test]
fn an_offset_that_goes_back_is_refused() {
    for (dialect, behaviour) in with_url() {
        let behaviour = behaviour.cut(Which::Every, 3 * MIB, Cut::Rst);
        let stage = Stage::new(behaviour.lies(Step::Query, Which::From(1), Tells::Less(4 * MIB)));
        let said = stage.fails(&[], 8);
        assert!(said.contains("offset") || said.contains("bytes"), "{dialect}: {said}");
        assert_eq!(stage.peer.sent_again(), 0, "{dialect}: {said}");
    }
}

#[test]
fn an_offset_past_what_was_sent_is_refused() {
    for (dialect, behaviour) in with_url() {
        // At this pace nothing is in the sockets when the connection is cut: 3 MiB is what was sent, 9 MiB is not.
        let behaviour = behaviour.cut(Which::Every, 3 * MIB, Cut::Rst);
        let stage = Stage::new(behaviour.lies(Step::Query, Which::Every, Tells::More(6 * MIB)));
        let said = stage.fails(&["--limit-rate", "2M", "--retries", "2"], 8);
        assert!(said.contains("offset") || said.contains("bytes"), "{dialect}: {said}");
        assert_eq!(stage.peer.requests_of(Step::Query).len(), 1, "{dialect}: it is not asked again: {said}");
    }
}

#[test]
fn an_offset_past_the_end_of_the_file_is_refused() {
    for (dialect, behaviour) in with_url() {
        let behaviour = behaviour.cut(Which::Every, 3 * MIB, Cut::Rst);
        let stage = Stage::new(behaviour.lies(Step::Query, Which::Every, Tells::More(SIZE)));
        let said = stage.fails(&["--retries", "2"], 8);
        assert!(said.contains("offset") || said.contains("bytes"), "{dialect}: {said}");
    }
}

#[test]
fn offsets_that_cannot_be_read_are_never_relied_on() {
    for (dialect, behaviour) in with_url() {
        for tells in [Tells::Nothing, Tells::Text("-5".into()), Tells::Text("99999999999999999999999".into())]
        {
            let behaviour = behaviour.clone().cut(Which::First(2), 3 * MIB, Cut::Rst);
            let stage = Stage::new(behaviour.lies(Step::Query, Which::Every, tells.clone()));
            let end = stage.upload.put(&["--retries", "2", "f.bin", &stage.url]).run();
            let (code, told) = (end.code, Told::by(end));
            match stage.peer.file("/f.bin") {
                Some(there) => assert!(there == CONTENT.bytes(0..SIZE), "{dialect} {tells:?}: {told}"),
                None => assert_ne!(code, Some(0), "{dialect} {tells:?}: {told}"),
            }
        }
    }
}

#[test]
fn lies_while_bytes_are_under_way_do_no_harm() {
    for tells in [Tells::Less(2 * MIB), Tells::More(100 * MIB), Tells::Text("x".into()), Tells::Nothing] {
        let behaviour = UploadBehaviour { progress: Some(MIB), ..UploadBehaviour::draft() };
        let stage = Stage::new(behaviour.lies(Step::Progress, Which::From(2), tells.clone()));
        let end = stage.upload.put(&["f.bin", &stage.url]).run();
        let (code, told) = (end.code, Told::by(end));
        assert!(matches!(code, Some(0 | 8)), "{tells:?}: {code:?} {told}");
        if code == Some(0) {
            stage.is_there(&told);
        }
    }
}

#[test]
fn a_conflict_is_asked_about_and_gone_on_from() {
    for (dialect, behaviour) in with_url() {
        for bare in [false, true] {
            // Cut once, so that something is appended; and to that the server says 409.
            let behaviour = behaviour.clone().cut(Which::First(2), 3 * MIB, Cut::Rst);
            let behaviour = UploadBehaviour { bare_conflicts: bare, ..behaviour };
            let stage = Stage::new(behaviour.instead(Step::Append, Which::Only(1), When::AtOnce, 409));
            let told = stage.sends(&[]);
            assert!(!told.says_begun_anew(), "{dialect}, bare {bare}: {told}");
        }
    }
}

#[test]
fn an_upload_that_is_lost_in_the_middle_is_begun_anew_and_that_is_said() {
    for (dialect, behaviour) in with_url() {
        for (status, fate) in [(404, Fate::Lost), (410, Fate::Expired)] {
            for then in [Then::Reads, Then::Closes] {
                // In the draft nothing is appended unless there was a cut.
                let cut = (dialect == "draft").then_some((Which::First(1), 2 * MIB, Cut::Rst));
                let behaviour = UploadBehaviour { cut, ..behaviour.clone() };
                let stage = Stage::new(behaviour.answers(in_the_middle(Step::Append, status, fate, then)));
                let told = stage.sends(&[]);
                assert!(told.says_begun_anew(), "{dialect} {status} {then:?}: {told}");
            }
        }
    }
}

#[test]
fn what_the_server_lost_between_two_runs_is_begun_anew_and_that_is_said() {
    for (dialect, behaviour) in with_url() {
        for fate in [Fate::Lost, Fate::Expired] {
            let stage = Stage::new(behaviour.clone());
            killed_at(&stage, 5 * MIB);
            stage.peer.lose_uploads(fate);
            let told = stage.sends(&[]);
            assert!(told.says_begun_anew(), "{dialect} {fate:?}: {told}");
        }
    }
}

/// Sends until the server has so many bytes, and is killed.
#[track_caller]
fn killed_at(stage: &Stage, bytes: u64) {
    stage.peer.hold_at(Some(bytes));
    let haul = stage.upload.put(&["f.bin", &stage.url]).spawn();
    stage.peer.wait_until_received(bytes, SOON);
    assert_eq!(haul.kill_9().signal, Some(9));
    stage.peer.hold_at(None);
    wait_until(|| stage.peer.open() == 0);
}

#[test]
fn after_a_kill_the_server_is_asked_and_nothing_it_has_is_sent_again() {
    for (dialect, behaviour) in with_url() {
        let stage = Stage::new(behaviour);
        killed_at(&stage, 5 * MIB);
        let there = stage.peer.offset().unwrap();
        assert!(there >= 5 * MIB, "{dialect}");
        let told = stage.sends(&[]);
        assert_eq!((told.kept(), told.fetched()), (there, SIZE - there), "{dialect}: {told}");
        assert_eq!(stage.peer.received(), SIZE, "{dialect}");
    }
}

#[test]
fn a_local_file_that_changed_is_begun_anew_and_that_is_said() {
    for (dialect, behaviour) in with_url() {
        let stage = Stage::new(behaviour);
        killed_at(&stage, 5 * MIB);
        let other = Content::new(91, SIZE);
        other.write_to(stage.upload.local("f.bin"));
        let told = stage.run(&[], 0);
        assert!(stage.peer.file("/f.bin") == Some(other.bytes(0..SIZE)), "{dialect}: {told}");
        assert!(told.says_begun_anew(), "{dialect}: {told}");
    }
}

#[test]
fn what_is_too_large_is_told_beforehand_or_refused() {
    let limits = Limits { max_size: Some(MIB), ..Limits::default() };
    for (dialect, behaviour) in with_url() {
        let stage = Stage::new(UploadBehaviour { limits, ..behaviour.clone() });
        let said = stage.fails(&[], 4);
        assert!(stage.peer.received() == 0, "{dialect}: no byte was sent in vain\n{said}");
        let words = format!("files of up to {MIB} bytes, and this one has {SIZE}");
        assert!(said.contains(&words), "{dialect}: {said}");
        for when in [When::AtOnce, When::After(3 * MIB), When::AtTheEnd] {
            let stage = Stage::new(behaviour.clone().instead(bulk(dialect), Which::Every, when, 413));
            let said = stage.fails(&["--retries", "3"], 4);
            assert!(said.contains("413") || said.contains("large"), "{dialect} {when:?}: {said}");
        }
    }
    let stage = Stage::new(UploadBehaviour::plain().instead(Step::Create, Which::Every, When::AtOnce, 413));
    stage.fails(&[], 4);
}

#[test]
fn no_request_brings_more_than_the_server_takes_in_one() {
    let limits = Limits { max_append: Some(MIB), ..Limits::default() };
    let stage = Stage::new(UploadBehaviour { limits, ..UploadBehaviour::draft() });
    stage.sends(&[]);
    let most = stage.peer.requests().iter().map(|request| request.received()).max();
    assert!(most.is_some_and(|most| most <= MIB), "{most:?}");
    assert_eq!(stage.peer.received(), SIZE);
    let brought = stage.peer.requests().iter().filter(|request| request.received() > 0).count() as u64;
    assert!((SIZE.div_ceil(MIB)..SIZE / MIB + 8).contains(&brought), "in {brought} requests");
}

#[test]
fn after_a_kill_too_no_request_brings_more_than_the_server_takes_in_one() {
    let limits = Limits { max_append: Some(MIB), ..Limits::default() };
    let stage = Stage::new(UploadBehaviour { limits, ..UploadBehaviour::draft() });
    // However late the kill comes, there is a rest that has not come.
    stage.peer.hold_at(Some(SIZE / 2 + MIB));
    let haul = stage.upload.put(&["--limit-rate", "8M", "f.bin", &stage.url]).spawn();
    wait_until(|| stage.peer.received() >= SIZE / 2);
    assert_eq!(haul.kill_9().signal, Some(9), "it was still at work");
    stage.peer.hold_at(None);
    let told = stage.sends(&[]);
    assert!(told.kept() >= SIZE / 2 - MIB, "{told}");
    let most = stage.peer.requests().iter().map(|request| request.received()).max();
    assert!(most.is_some_and(|most| most <= MIB), "{most:?}");
}

#[test]
fn a_lock_that_is_left_behind_is_waited_out() {
    for (dialect, behaviour) in with_url() {
        for retry_after in [None, Some(1)] {
            let time = Duration::from_secs(3);
            let locked = Some(Locked { after: 5 * MIB, time, retry_after });
            let stage = Stage::new(UploadBehaviour { locked, ..behaviour.clone() });
            let told = stage.sends(&[]);
            assert!(!told.says_begun_anew(), "{dialect} {retry_after:?}: {told}");
            assert!((3.0..20.0).contains(&told.seconds()), "{dialect} {retry_after:?}: {told}");
            assert!(stage.peer.received() <= SIZE + MIB, "{dialect} {retry_after:?}: {told}");
        }
    }
}

#[test]
fn a_server_that_fails_in_the_middle_is_tried_again_from_where_it_is() {
    for (dialect, behaviour) in with_url() {
        for then in [Then::Reads, Then::Closes] {
            let instead = in_the_middle(bulk(dialect), 500, Fate::Kept, then);
            let stage = Stage::new(behaviour.clone().answers(instead));
            let told = stage.sends(&[]);
            assert!(!told.says_begun_anew(), "{dialect} {then:?}: {told}");
        }
    }
}

#[test]
fn what_has_all_its_bytes_and_was_not_ended_is_ended() {
    let when = When::AtTheEnd;
    let behaviour = UploadBehaviour::draft().instead(Step::Create, Which::Only(0), when, 500);
    let told = Stage::new(behaviour).sends(&[]);
    assert!(!told.says_begun_anew(), "{told}");
}

#[test]
fn a_server_that_always_fails_is_given_up() {
    for (dialect, behaviour) in resuming().into_iter().chain([("plain", UploadBehaviour::plain())]) {
        let behaviour = behaviour.instead(Step::Create, Which::Every, When::AtOnce, 500);
        let stage = Stage::new(behaviour.instead(Step::Append, Which::Every, When::AtOnce, 500));
        let said = stage.fails(&["--retries", "2"], 3);
        assert!(said.contains("500"), "{dialect}: {said}");
    }
}

#[test]
fn a_file_that_is_complete_without_an_answer_is_noticed() {
    let dialects = || resuming().into_iter().chain([("plain", UploadBehaviour::plain())]);
    for (dialect, behaviour) in dialects() {
        for finish in [Finish::Silent, Finish::Cut(Cut::Rst), Finish::Cut(Cut::Fin), Finish::Status(504)] {
            for forgets_complete in [false, true] {
                let behaviour = UploadBehaviour { forgets_complete, ..behaviour.clone() };
                let stage = Stage::new(behaviour.finish(Which::Only(0), finish));
                let haul = stage.upload.put(&["f.bin", &stage.url]).spawn();
                // A server may take minutes for the last step, and this one ends without a word then.
                wait_until(|| stage.peer.file("/f.bin").is_some());
                stage.peer.release();
                let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
                stage.is_there(&told);
                let tried = if matches!(dialect, "put" | "plain") { 256 << 10 } else { 0 };
                let received = stage.peer.received();
                assert!(
                    received <= SIZE + tried,
                    "{dialect} {finish:?} {forgets_complete}: {received}\n{told}"
                );
            }
        }
    }
}

#[test]
fn an_answer_that_comes_before_the_content_is_heard() {
    for status in [401, 403, 413] {
        let behaviour = UploadBehaviour::plain().instead(Step::Create, Which::Every, When::AtOnce, status);
        let stage = Stage::new(behaviour.rate(8 * MIB));
        let said = stage.fails(&[], 4);
        assert!(stage.peer.received() < SIZE, "{status}: it was heard before all was sent\n{said}");
    }
}

#[test]
fn a_server_that_never_reads_is_given_up_in_time() {
    for (dialect, behaviour) in with_url() {
        let stage = Stage::new(UploadBehaviour { never_reads: Some(Which::Every), ..behaviour });
        let said = stage.fails(&["--timeout", "1", "--retries", "1"], 3);
        assert!(
            said.contains("second") || said.contains("1 s") || said.contains("time"),
            "{dialect}: {said}"
        );
    }
    // Once is no reason to give up.
    let never_reads = Some(Which::First(2));
    let stage = Stage::new(UploadBehaviour { never_reads, ..UploadBehaviour::draft() });
    stage.sends(&["--timeout", "1"]);
}

/// Redirects requests of a step to the same path elsewhere.
fn redirect(step: Step, status: u16, to: &str) -> Instead {
    let fields = vec![("Location".into(), to.into())];
    Instead {
        which: Which::Every,
        step,
        when: When::AtOnce,
        status,
        fields,
        upload: Fate::Kept,
        then: Then::Reads,
    }
}

#[test]
fn redirects_are_followed_with_the_content_and_without_the_credentials() {
    for status in [307, 308] {
        for (dialect, behaviour) in resuming().into_iter().chain([("plain", UploadBehaviour::plain())]) {
            let there = Stage::new(behaviour.clone());
            let behaviour = [Step::Options, Step::Create, Step::Look, Step::Query]
                .into_iter()
                .fold(behaviour, |b, step| b.answers(redirect(step, status, &there.url)));
            let here = UploadPeer::start(behaviour);
            let told = there.upload.run(&["-u", "name:hunter2", "f.bin", &here.url("/f.bin")], 0);
            there.is_there(&told);
            let leaked = there.peer.requests().iter().any(|request| request.field("Authorization").is_some());
            assert!(!leaked, "{dialect} {status}: another origin has heard the password");
        }
    }
}

#[test]
fn no_redirect_leads_from_tls_into_the_clear() {
    let clear = Stage::new(UploadBehaviour::plain());
    let behaviour = [Step::Options, Step::Create, Step::Look]
        .into_iter()
        .fold(UploadBehaviour::plain(), |b, step| b.answers(redirect(step, 307, &clear.url)));
    let stage = Stage::over(UploadPeer::start_tls(behaviour));
    let ca = stage.peer.ca_pem_path();
    let said = stage.fails(&["--cacert", ca.to_str().unwrap()], 4);
    assert!(clear.peer.requests().is_empty(), "{said}");
}

#[test]
fn an_upload_that_is_told_to_be_elsewhere_does_not_take_the_credentials_along() {
    for (dialect, behaviour) in with_url() {
        let elsewhere = UploadPeer::start(behaviour.clone());
        let login = Some(("name".to_owned(), "hunter2".to_owned()));
        let location = Location::Behind(elsewhere.url(""));
        let stage = Stage::new(UploadBehaviour { login, location, ..behaviour });
        let end = stage.upload.put(&["-u", "name:hunter2", "--retries", "2", "f.bin", &stage.url]).run();
        let leaked = elsewhere.requests().iter().any(|request| request.field("Authorization").is_some());
        assert!(!leaked, "{dialect}: another origin has heard the password\n{}", end.stderr);
    }
}

#[test]
fn credentials_are_sent_where_they_are_asked_for() {
    for (dialect, behaviour) in resuming().into_iter().chain([("plain", UploadBehaviour::plain())]) {
        let login = Some(("name".to_owned(), "hunter2".to_owned()));
        let stage = Stage::new(UploadBehaviour { login, ..behaviour });
        let said = stage.fails(&[], 4);
        assert!(
            said.contains("401") || said.contains("credentials") || said.contains("--user"),
            "{dialect}: {said}"
        );
        stage.sends(&["-u", "name:hunter2"]);
    }
}

#[test]
fn what_is_not_understood_gives_way_to_what_is() {
    // OPTIONS is refused, pieces are refused: plain PUT is left, and it is said that it cannot be resumed.
    let stage = Stage::new(UploadBehaviour { options_refused: Some(405), ..UploadBehaviour::plain() });
    let told = stage.sends(&[]);
    let remarks = told.all("remark");
    let said = remarks.iter().any(|remark| remark["text"].as_str().unwrap().contains("cannot be resumed"));
    assert!(said, "{told}");
    // What is asked for by name and not spoken is refused.
    for dialect in ["draft", "tus"] {
        let stage = Stage::new(UploadBehaviour::plain());
        let said = stage.fails(&["--protocol", dialect, "--retries", "1"], 4);
        assert!(!said.is_empty(), "{dialect}");
    }
}

#[test]
fn over_tls_it_is_the_same() {
    for (dialect, behaviour) in with_url() {
        let stage = Stage::over(UploadPeer::start_tls(behaviour.cut(Which::Every, 5 * MIB, Cut::Rst)));
        let ca = stage.peer.ca_pem_path();
        let told = stage.sends(&["--cacert", ca.to_str().unwrap()]);
        assert!(!told.says_begun_anew(), "{dialect}: {told}");
    }
}

#[test]
fn pieces_are_gone_on_with_after_a_cut() {
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::new(UploadBehaviour::pieces().cut(Which::Every, 5 * MIB, how));
        let told = stage.sends(&["--retries", "3"]);
        assert!(!told.says_begun_anew() && stage.peer.received() <= SIZE + MIB, "{how:?}: {told}");
    }
}

#[test]
fn pieces_are_gone_on_with_after_a_failure() {
    let instead = in_the_middle(Step::Append, 500, Fate::Kept, Then::Reads);
    let told = Stage::new(UploadBehaviour::pieces().answers(instead)).sends(&[]);
    assert!(!told.says_begun_anew(), "{told}");
}

#[test]
fn a_local_file_that_changed_is_told_of_with_pieces_too() {
    let stage = Stage::new(UploadBehaviour::pieces());
    killed_at(&stage, 5 * MIB);
    Content::new(91, SIZE).write_to(stage.upload.local("f.bin"));
    let told = stage.run(&[], 0);
    assert!(told.says_begun_anew(), "{told}");
}

#[test]
fn a_server_that_never_reads_a_piece_is_given_up_in_time() {
    let stage = Stage::new(UploadBehaviour { never_reads: Some(Which::Every), ..UploadBehaviour::pieces() });
    let haul = stage.upload.put(&["--timeout", "1", "--retries", "1", "f.bin", &stage.url]).spawn();
    haul.wait_at_most(SOON).expect_code(3);
}

#[test]
fn a_conflict_that_contradicts_what_was_told_is_refused() {
    for (dialect, behaviour) in with_url() {
        let behaviour = behaviour.cut(Which::Every, 3 * MIB, Cut::Rst);
        let stage = Stage::new(behaviour.lies(Step::Query, Which::Every, Tells::More(2 * MIB)));
        let said = stage.fails(&["--retries", "2"], 8);
        assert!(said.contains("offset") || said.contains("bytes"), "{dialect}: {said}");
    }
}
