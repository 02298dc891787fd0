//! The data path: RETR, STOR, APPE and listings, and how they break.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::behaviour::{Append, Completion, Lists, Rest, Restart};
use super::blocks::{Laid, Laying};
use super::control::Heard;
use super::listing::{self, Kind};
use super::record::{FtpTransfer, FtpVerb, Progress};
use super::session::{Session, Then};
use super::tree::{File, parent};
use crate::hostile::wire::Wire;
use crate::pace::Pace;
use crate::socket::Cut;

const PIECE: usize = 256 << 10;
const TICK: Duration = Duration::from_millis(5);

/// How a data connection ended.
enum End {
    /// All was sent, or the client had no more.
    Whole,
    Cut(Cut),
    /// By ABOR.
    Aborted,
    /// By the client, without a word.
    Broken,
    /// There is no more room; this is the reply.
    Full(String),
}

/// Whether bytes may go.
enum Gate {
    Open(usize),
    End(End),
}

/// A transfer under way.
struct Run {
    number: usize,
    completion: Completion,
    progress: Arc<Progress>,
    carried: u64,
    pace: Option<Pace>,
    control_is_cut: bool,
}

impl Session {
    pub(super) fn retrieve(&mut self, name: &str) -> io::Result<Then> {
        let rest = std::mem::take(&mut self.rest);
        let path = self.path(name);
        let file = self.shared.lock().tree.file(&path).cloned();
        let Some(file) = file else { return self.say(&format!("550 {name}: no such file")) };
        let from = match self.behaviour.rest {
            Rest::FromZero => 0,
            Rest::OffBy(by) if rest > 0 => rest.saturating_add_signed(by),
            Rest::RetrRefused(code) if rest > 0 => return self.say(&format!("{code} not from there")),
            _ => rest,
        };
        if rest > file.size() {
            return self.say("554 that is past its end");
        }
        let run = self.begin(FtpVerb::Retr, path, rest);
        self.run(run, |session, data, run| session.send_file(data, run, &file, from))
    }

    pub(super) fn store(&mut self, name: &str, verb: FtpVerb) -> io::Result<Then> {
        let rest = std::mem::take(&mut self.rest);
        let path = self.path(name);
        let (size, has_folder, busy) = {
            let mut state = self.shared.lock();
            let size = state.tree.file(&path).map(File::size);
            let busy = size.and_then(|_| state.busy());
            (size, state.tree.is_folder(parent(&path)) && !state.tree.is_folder(&path), busy)
        };
        if self.in_blocks && self.behaviour.blocks.is_some() {
            return self.say("504 nothing is taken in blocks");
        }
        if self.behaviour.read_only || !has_folder {
            return self.say(&format!("553 {name} cannot be written"));
        }
        if let Some(reply) = busy {
            return self.say(&reply);
        }
        let (from, cut) = match self.place(verb, rest, size) {
            Ok(place) => place,
            Err(reply) => return self.say(&reply),
        };
        let meant = if verb == FtpVerb::Appe { size.unwrap_or(0) } else { rest };
        let run = self.begin(verb, path.clone(), meant);
        self.run(run, |session, data, run| session.take_file(data, run, &path, from, cut))
    }

    /// Where an upload is written from, and where the file is cut before; or the refusal.
    fn place(&self, verb: FtpVerb, rest: u64, size: Option<u64>) -> Result<(u64, Option<u64>), String> {
        let end = size.unwrap_or(0);
        if verb == FtpVerb::Appe {
            return match self.behaviour.append {
                Append::Proper => Ok((end, None)),
                Append::Truncates => Ok((0, Some(0))),
                Append::Refused(code) if size.is_some() => Err(format!("{code} no APPE here")),
                Append::Refused(_) => Ok((0, None)),
            };
        }
        if rest == 0 {
            return Ok((0, Some(0)));
        }
        match self.behaviour.restart {
            Restart::Refused(code) => Err(format!("{code} Append/Restart not permitted")),
            _ if rest > end => Err("554 that is past its end".into()),
            Restart::InPlace => Ok((rest, None)),
            Restart::Truncates => Ok((rest, Some(rest))),
            Restart::FromZero => Ok((0, Some(0))),
        }
    }

    pub(super) fn list(&mut self, argument: &str, kind: Kind) -> io::Result<Then> {
        self.rest = 0;
        let folder = argument.split(' ').find(|word| !word.starts_with('-')).unwrap_or_default();
        let path = self.path(folder);
        let text = {
            let state = self.shared.lock();
            match state.tree.file(&path) {
                Some(file) => {
                    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                    listing::listing(kind, &[(name, Some(file.clone()))], &self.behaviour)
                }
                None if state.tree.is_folder(&path) => {
                    listing::listing(kind, &state.tree.children(&path), &self.behaviour)
                }
                None => String::new(),
            }
        };
        if text.is_empty() && !self.shared.lock().tree.is_folder(&path) {
            return self.say(&format!("550 {folder} is not there"));
        }
        let Ok(mut data) = self.open_data()? else { return Ok(Then::Go) };
        self.reply("150 here it comes")?;
        let sent = match &self.behaviour.lists {
            Lists::Proper => data.write_all(text.as_bytes()).and_then(|()| data.flush()),
            Lists::Text(bytes) => data.write_all(bytes).and_then(|()| data.flush()),
            Lists::Endless(bytes) => {
                let many = bytes.repeat(PIECE.div_ceil(bytes.len().max(1)));
                loop {
                    if let Err(gone) = data.write_all(&many) {
                        break Err(gone);
                    }
                }
            }
        };
        data.close();
        self.say(if sent.is_ok() { "226 that is all" } else { "426 you have gone" })
    }

    fn say(&mut self, text: &str) -> io::Result<Then> {
        self.reply(text)?;
        Ok(Then::Go)
    }

    fn begin(&mut self, verb: FtpVerb, path: String, from: u64) -> Run {
        let progress = Arc::<Progress>::default();
        let mut state = self.shared.lock();
        let number = state.begun;
        state.begun += 1;
        let transfer =
            FtpTransfer { session: self.number, verb, path, from, progress: Arc::clone(&progress) };
        state.transfers.push(transfer);
        let completion = state.behaviour.completion_of(number);
        Run { number, completion, progress, carried: 0, pace: None, control_is_cut: false }
    }

    /// The data connection; the inner error was told to the client already.
    fn open_data(&mut self) -> io::Result<Result<Wire, ()>> {
        let Some(meeting) = self.meeting.take() else {
            self.reply("425 where?")?;
            return Ok(Err(()));
        };
        let opened = meeting.connect(&self.shared.stopped).and_then(|mut wire| {
            let config = self.shared.tls.clone().filter(|_| self.protected);
            if let Some(config) = config {
                wire.secure(&config)?;
            }
            Ok(wire)
        });
        match opened {
            Ok(wire) if self.protected && self.behaviour.reuse_required && !wire.is_resumed() => {
                self.reply("522 SSL connection failed: session reuse required")?;
                Ok(Err(()))
            }
            Ok(wire) => Ok(Ok(wire)),
            Err(_) => {
                self.reply("425 no data connection")?;
                Ok(Err(()))
            }
        }
    }

    /// From 150 to 226, or to whatever comes instead.
    fn run(
        &mut self,
        mut run: Run,
        carry: impl FnOnce(&mut Self, &mut Wire, &mut Run) -> io::Result<End>,
    ) -> io::Result<Then> {
        let Ok(mut data) = self.open_data()? else { return Ok(Then::Go) };
        let begun = "150 here it goes";
        match run.completion {
            Completion::Early => self.reply(&format!("{begun}\r\n226 done"))?,
            _ => self.reply(begun)?,
        }
        let end = if self.wait_while(run.number, &Completion::Nothing)? {
            End::Aborted
        } else {
            carry(self, &mut data, &mut run).unwrap_or(End::Broken)
        };
        match end {
            End::Cut(how) => data.cut(how),
            End::Full(_) => data.cut(Cut::Fin),
            _ => data.close(),
        }
        if run.control_is_cut || self.shared.is_stopped() {
            return Ok(Then::Close);
        }
        run.progress.complete.store(matches!(end, End::Whole), Ordering::Relaxed);
        self.finish(&run, end)
    }

    fn finish(&mut self, run: &Run, end: End) -> io::Result<Then> {
        match end {
            End::Whole => {}
            End::Broken => return self.say("426 you have gone"),
            End::Full(reply) => return self.say(&reply),
            End::Aborted => {
                let replies = self.behaviour.abor.join("\r\n");
                return self.say(&replies);
            }
            End::Cut(_) => {
                let reply = self.shared.lock().behaviour.cut_reply.clone();
                let Some(reply) = reply else { return Ok(Then::Close) };
                return self.say(&reply);
            }
        }
        match &run.completion {
            Completion::Proper | Completion::Nothing => self.say("226 done"),
            Completion::Early => Ok(Then::Go),
            Completion::AbortedThenDone => self.say("426 stopped\r\n226 done"),
            Completion::Withheld => {
                let aborted = self.wait_while(run.number, &Completion::Withheld)?;
                let replies = self.behaviour.abor.join("\r\n");
                self.say(if aborted { &replies } else { "226 done" })
            }
            Completion::Lost(how) => {
                self.control.wire.die(*how);
                Ok(Then::Close)
            }
            Completion::Reply(reply) => self.say(reply),
        }
    }

    /// Waits as long as the transfer is to end like this; true if ABOR ended it.
    fn wait_while(&mut self, transfer: usize, completion: &Completion) -> io::Result<bool> {
        while self.shared.lock().behaviour.completion_of(transfer) == *completion {
            match self.control.hear() {
                Heard::Nothing => {}
                Heard::Abor => {
                    self.note_abor();
                    return Ok(true);
                }
                Heard::End => return Err(ErrorKind::UnexpectedEof.into()),
            }
            if self.shared.is_stopped() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            std::thread::sleep(TICK);
        }
        Ok(false)
    }

    fn send_file(&mut self, data: &mut Wire, run: &mut Run, file: &File, from: u64) -> io::Result<End> {
        let (mut at, size) = (from, file.size());
        let blocks = self.behaviour.blocks.as_ref().filter(|_| self.in_blocks);
        let mut laying = blocks.map(|blocks| Laying::new(blocks, run.number, from, size));
        while at < size {
            let most = match self.gate(data, run)? {
                Gate::Open(most) => most,
                Gate::End(end) => return Ok(end),
            };
            let piece = file.read(at, most);
            if let Some(laying) = &mut laying {
                if self.send_laid(data, laying.lay(at, &piece))? {
                    return Ok(End::Whole);
                }
                at += piece.len() as u64;
                run.count(piece.len());
                self.shared.lock().count_sent(piece.len() as u64);
                continue;
            }
            at += piece.len() as u64;
            let sent = if self.image { piece } else { to_lines(&piece) };
            data.write_all(&sent)?;
            run.count(sent.len());
            self.shared.lock().count_sent(sent.len() as u64);
        }
        if let Some(laying) = &mut laying {
            self.send_laid(data, laying.finish())?;
            laying.part(data, || self.shared.is_stopped())?;
        }
        data.flush()?;
        Ok(End::Whole)
    }

    /// Sends what was laid in blocks. Whether the transfer is over.
    fn send_laid(&self, data: &mut Wire, laid: Laid) -> io::Result<bool> {
        match laid {
            Laid::Wire(wire) => data.write_all(&wire).map(|()| false),
            Laid::Last(wire) => {
                data.write_all(&wire)?;
                data.flush().map(|()| true)
            }
            Laid::Endless(wire, bytes) => {
                data.write_all(&wire)?;
                let many = bytes.repeat((PIECE / 4).div_ceil(bytes.len().max(1)));
                while !self.shared.is_stopped() {
                    data.write_all(&many)?;
                }
                Err(ErrorKind::ConnectionAborted.into())
            }
        }
    }

    fn take_file(
        &mut self,
        data: &mut Wire,
        run: &mut Run,
        path: &str,
        from: u64,
        cut: Option<u64>,
    ) -> io::Result<End> {
        {
            let mut state = self.shared.lock();
            match (state.tree.file_mut(path), cut) {
                (Some(file), Some(cut)) => file.cut(cut),
                (Some(_), None) => {}
                (None, _) => state.tree.put(path, File::stored(Vec::new())),
            }
        }
        let mut at = from;
        let mut piece = vec![0; PIECE];
        loop {
            let most = match self.gate(data, run)? {
                Gate::Open(most) => most,
                Gate::End(end) => return Ok(end),
            };
            let count = match data.read_now(&mut piece[..most]) {
                Ok(Some(0)) => return Ok(End::Whole),
                Ok(Some(count)) => count,
                Ok(None) => {
                    std::thread::sleep(Duration::from_micros(200));
                    continue;
                }
                Err(_) => return Ok(End::Broken),
            };
            let taken = if self.image { piece[..count].to_vec() } else { from_lines(&piece[..count]) };
            run.count(count);
            let mut state = self.shared.lock();
            state.received += count as u64;
            let room = state.behaviour.room.clone();
            let left = room.as_ref().map_or(u64::MAX, |(bytes, _)| bytes.saturating_sub(at));
            let kept = &taken[..(taken.len() as u64).min(left) as usize];
            if let Some(file) = state.tree.file_mut(path) {
                file.write(at, kept);
            }
            at += kept.len() as u64;
            if let Some((_, reply)) = room.filter(|_| kept.len() < taken.len()) {
                return Ok(End::Full(reply));
            }
        }
    }

    /// Waits until bytes may go, and says how many at most; or how the transfer ends here.
    fn gate(&mut self, data: &mut Wire, run: &mut Run) -> io::Result<Gate> {
        loop {
            if self.shared.is_stopped() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            let limits = self.shared.limits(run.number);
            let mut most = PIECE as u64;
            if let Some((bytes, how)) = limits.control_cut.filter(|_| !run.control_is_cut) {
                if run.carried >= bytes {
                    run.control_is_cut = true;
                    self.control.wire.die(how);
                } else {
                    most = most.min(bytes - run.carried);
                }
            }
            if let Some((bytes, how)) = limits.cut {
                if run.carried >= bytes {
                    data.flush()?;
                    return Ok(Gate::End(End::Cut(how)));
                }
                most = most.min(bytes - run.carried);
            }
            if let Some(bytes) = limits.stall {
                most = most.min(bytes.saturating_sub(run.carried));
            }
            // That the client has gone is no reason to stop: real servers let the data go on.
            if !run.control_is_cut && self.control.hear() == Heard::Abor {
                self.note_abor();
                return Ok(Gate::End(End::Aborted));
            }
            let wait = run.paced(limits.rate, &mut most);
            if most > 0 {
                return Ok(Gate::Open(most as usize));
            }
            data.flush()?;
            std::thread::sleep(wait);
        }
    }

    fn note_abor(&self) {
        let session = self.number;
        self.shared.lock().commands.push(super::FtpCommand { session, line: "ABOR".into() });
    }
}

impl Run {
    fn count(&mut self, bytes: usize) {
        self.carried += bytes as u64;
        self.progress.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(pace) = &mut self.pace {
            pace.pay(Instant::now(), bytes);
        }
    }

    /// Lowers `most` to what the rate allows; if that is nothing, for how long.
    fn paced(&mut self, rate: Option<u64>, most: &mut u64) -> Duration {
        if self.pace.as_ref().map(Pace::rate) != rate {
            self.pace = rate.map(Pace::new);
        }
        match self.pace.as_ref().map(|pace| pace.allows(Instant::now())) {
            Some(Ok(count)) => {
                *most = (*most).min(count as u64);
                TICK
            }
            Some(Err(wait)) => {
                *most = 0;
                wait.min(TICK)
            }
            None => TICK,
        }
    }
}

/// Line ends as TYPE A has them.
fn to_lines(piece: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len());
    for byte in piece {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

fn from_lines(piece: &[u8]) -> Vec<u8> {
    piece.iter().copied().filter(|byte| *byte != b'\r').collect()
}
