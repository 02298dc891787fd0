//! What the tests of `haul get` against a scripted FTP server stand on: the server with a file, and a folder for it.

use haul_testkit::{Content, FtpBehaviour, FtpPeer, hostile::Which};

use super::{MIB, SOON, Scene, Told, ftp::wait_until_left};

/// The size of its file.
pub(crate) const SIZE: u64 = 16 * MIB + 4321;

/// A server with `f.bin`, and a folder for it.
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) peer: FtpPeer,
    pub(crate) url: String,
    content: Content,
}

impl Stage {
    pub(crate) fn of(behaviour: FtpBehaviour, content: Content) -> Self {
        let peer = FtpPeer::start(behaviour);
        peer.put("f.bin", content);
        let url = peer.url("f.bin");
        Self { scene: Scene::in_memory(), peer, url, content }
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> Told {
        self.scene.run(&[args, &[&self.url]].concat(), code)
    }

    /// Fetches it on so many lanes, and it is there as it should be.
    #[track_caller]
    pub(crate) fn gets(&self, lanes: &str) -> Told {
        self.gets_by(&["-n", lanes])
    }

    /// The same with these arguments.
    #[track_caller]
    pub(crate) fn gets_by(&self, args: &[&str]) -> Told {
        let told = self.run(args, 0);
        self.content.assert_file_is(self.scene.path("f.bin"));
        self.scene.assert_only("f.bin");
        told
    }

    /// Kills a run when the peer has sent so much more.
    #[track_caller]
    pub(crate) fn killed_after(&self, bytes: u64, args: &[&str]) {
        let goal = self.peer.body_sent() + bytes;
        // Whoever is kept from looking may not find it done: no transfer brings much more, and several bring it slowly.
        let rate = if args.starts_with(&["-n", "1"]) { 24 * MIB } else { 4 * MIB };
        let (mut stall, mut rates) = (Some((Which::Every, bytes + MIB)), vec![(Which::Every, rate)]);
        self.peer.change(|behaviour| {
            std::mem::swap(&mut behaviour.stall, &mut stall);
            std::mem::swap(&mut behaviour.rates, &mut rates);
        });
        let haul = self.scene.get(&[args, &[&self.url]].concat()).spawn();
        self.peer.wait_until_sent(goal, SOON);
        let end = haul.kill_9();
        assert_eq!(end.signal, Some(9), "it was still at work\n{}", end.stderr);
        self.peer.change(|behaviour| {
            behaviour.stall = stall;
            behaviour.rates = rates;
        });
        wait_until_left(&self.peer);
    }

    /// The modes that were asked for, and the transfers, in order.
    pub(crate) fn modes(&self) -> Vec<String> {
        let commands = self.peer.commands().into_iter().map(|command| command.line);
        commands.filter(|line| line.starts_with("MODE") || line.starts_with("RETR")).collect()
    }

    /// Blocks were asked for, and the last transfer was none of blocks.
    #[track_caller]
    pub(crate) fn ended_in_streams(&self) {
        let commands = self.peer.commands();
        let last = commands.iter().rposition(|command| command.line.starts_with("RETR")).unwrap();
        let own = commands[..last].iter().filter(|command| command.session == commands[last].session);
        let mut lines = own.map(|command| command.line.as_str());
        let mode = lines.rfind(|line| line.starts_with("MODE"));
        assert_ne!(mode, Some("MODE B"), "{:?}", self.modes());
        assert!(self.peer.count("MODE B") > 0, "{:?}", self.modes());
    }

    /// No transfer was one without blocks.
    #[track_caller]
    pub(crate) fn stayed_in_blocks(&self) {
        assert_eq!(self.peer.count("MODE S"), 0, "{:?}", self.modes());
        assert!(self.peer.count("MODE B") > 0, "{:?}", self.modes());
    }
}

/// Slowly enough to be caught in the middle.
pub(crate) fn slow(behaviour: FtpBehaviour) -> FtpBehaviour {
    behaviour.rate(Which::Every, 24 * MIB)
}
