//! What `haul get` learns of an FTP server's MODE B holds for the whole run and all of the server's files; and what a
//! server answers to other questions in that mode is not taken for what it says in MODE S.

use haul_testkit::{
    Content, Cut, FtpBehaviour,
    hostile::{
        Which,
        ftp::{Blocks, Completion, Fault, Sizes},
    },
};

use crate::scene::{
    MIB, Told,
    stage::{SIZE, Stage},
};

const FILE: Content = Content::new(140, SIZE);
const SMALL: Content = Content::new(141, 300_000);

impl Stage {
    /// With three more files, in a folder.
    fn with_more(behaviour: FtpBehaviour) -> Self {
        let stage = Self::of(behaviour, FILE);
        stage.peer.make_folder("sub");
        for name in ["a", "b", "c"] {
            stage.peer.put(&format!("sub/{name}"), SMALL);
        }
        stage
    }

    /// Fetches those one after the other, and they are there.
    #[track_caller]
    fn gets_more(&self) -> Told {
        let urls = ["a", "b", "c"].map(|name| self.peer.url(&format!("sub/{name}")));
        let told = self.scene.run(&["-n", "1", "-j", "1", &urls[0], &urls[1], &urls[2]], 0);
        for name in ["a", "b", "c"] {
            SMALL.assert_file_is(self.scene.path(name));
        }
        told
    }

    /// The commands of each session, with the mode that each was sent in.
    fn in_modes(&self) -> Vec<(String, String)> {
        let mut modes = vec!["S".to_owned(); self.peer.sessions()];
        let mut lines = Vec::new();
        for command in self.peer.commands() {
            if let Some(mode) = command.line.strip_prefix("MODE ") {
                modes[command.session] = mode.into();
            }
            lines.push((modes[command.session].clone(), command.line));
        }
        lines
    }
}

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper().blocks(Blocks::default())
}

fn faulty(at: u64, fault: Fault) -> FtpBehaviour {
    FtpBehaviour::proper().blocks(Blocks::default().fault(Which::Every, at, fault))
}

#[test]
fn a_server_whose_blocks_are_broken_is_asked_for_none_of_its_other_files() {
    let broken = || Fault::Raw(vec![7, 0, 1, b'x']);
    let stage = Stage::with_more(faulty(100_000, broken()));
    stage.gets_more();
    assert_eq!(stage.peer.count("MODE B"), 1, "{:?}", stage.modes());
    let stage = Stage::with_more(faulty(100_000, broken()));
    stage.scene.run(&["-r", "-n", "1", "-j", "1", &stage.peer.url("sub/")], 0);
    assert_eq!(stage.peer.count("MODE B"), 1, "{:?}", stage.modes());
    for name in ["a", "b", "c"] {
        SMALL.assert_file_is(stage.scene.path("sub").join(name));
    }
}

#[test]
fn blocks_that_are_refused_are_asked_for_once() {
    // Each transfer takes its session along.
    let lost = |behaviour: FtpBehaviour| behaviour.completion(Which::Every, Completion::Lost(Cut::Fin));
    let stage = Stage::with_more(lost(proper().instead("MODE B", "504 only S")));
    let urls = ["a", "b", "c"].map(|name| stage.peer.url(&format!("sub/{name}")));
    stage.scene.get(&["-n", "1", "-j", "1", "--retries", "1", &urls[0], &urls[1], &urls[2]]).run();
    assert!(stage.peer.sessions() > 3);
    assert_eq!(stage.peer.count("MODE B"), 1, "{:?}", stage.modes());
}

/// RFC 3659 §4.1: SIZE counts what would be sent in the mode of the moment.
#[test]
fn a_size_that_goes_by_the_mode_is_asked_for_in_mode_s() {
    let stage = Stage::with_more(proper().sizes(Sizes::OfMode));
    let told = stage.gets_more();
    assert!(told.all("changed").is_empty() && told.all("retry").is_empty(), "{told}");
    let stage = Stage::with_more(proper().sizes(Sizes::OfMode).cut(Which::Every, 5 * MIB, Cut::Fin));
    for lanes in ["1", "4"] {
        let told = stage.run(&["-n", lanes, "--restart", "--overwrite"], 0);
        FILE.assert_file_is(stage.scene.path("f.bin"));
        assert!(told.all("changed").is_empty() && told.all("retry").is_empty(), "{told}");
    }
}

#[test]
fn a_server_that_tells_one_size_in_both_modes_is_left_in_blocks() {
    let stage = Stage::with_more(proper());
    stage.gets_more();
    assert_eq!((stage.peer.sessions(), stage.peer.count("MODE")), (1, 1), "{:?}", stage.modes());
}

#[test]
fn whether_there_is_rest_is_not_asked_in_blocks() {
    let features = "211-extensions:\r\n SIZE\r\n MDTM\r\n EPSV\r\n MODE B;MARK\r\n211 end";
    let stage = Stage::with_more(proper().instead("FEAT", features));
    stage.gets_more();
    let lines = stage.in_modes();
    let tries = lines.iter().filter(|(_, line)| line == "REST 1").map(|(mode, _)| mode.as_str());
    assert_eq!(tries.collect::<Vec<_>>(), ["S", "S", "S"], "{lines:?}");
}

#[test]
fn a_session_that_does_not_leave_blocks_is_left_itself() {
    let broken = Fault::Raw(vec![7, 0, 1, b'x']);
    for reply in ["504 no", "451 not now"] {
        // The transfer is refused in blocks, or its REST, or they are broken.
        for behaviour in [
            proper().instead_of(Which::Only(0), "RETR", "504 not in this mode"),
            proper().instead_of(Which::Only(0), "REST", "501 no such marker").cut(
                Which::Only(0),
                MIB,
                Cut::Fin,
            ),
            faulty(MIB, broken.clone()),
        ] {
            let stage = Stage::of(behaviour.instead("MODE S", reply), FILE);
            let told = stage.gets("1");
            assert!(told.all("changed").is_empty(), "{told}");
            assert!(stage.peer.count("MODE S") <= 1, "{:?}", stage.modes());
        }
    }
}
