//! Where the bytes go: taken when an earlier run left something, else when the first answer has said what the file is.

use std::{
    path::{Path, PathBuf},
    thread,
};

use haul_core::{
    Entity,
    transfer::{Basis, Memo, Transfer},
};
use haul_store::{FsPartial, Subject};
use tokio::sync::{mpsc, oneshot};

use super::{
    Drive, WORDS, plan,
    seat::{self, Look, Seat},
    writer::{Told, Writer},
};
use crate::{
    failure::{Failure, Kind},
    job::Target,
    notice::{Done, Notice, Verified},
    out::Out,
};

/// Where the bytes go, once that is known.
pub(super) struct Place {
    pub(super) writer: Writer,
    pub(super) told: mpsc::UnboundedReceiver<Told>,
    /// `None` is standard output.
    pub(super) target: Option<PathBuf>,
    /// What the journal was last told.
    pub(super) noted: Subject,
    /// The bytes were left by another program, under the file's own name.
    pub(super) adopted: bool,
}

/// Where the first answer leads.
pub(super) enum Sat {
    /// Its bytes can be used.
    Here,
    /// Something was there: the machine has begun anew from that, and asks again.
    Elsewhere,
    /// The file is there already.
    Done(Done),
}

impl Drive<'_> {
    /// What the machine may have learned from an answer is told to the journal before any byte of it is.
    pub(super) fn after_answer(&mut self) {
        self.note_subject();
        self.report.begins(self.machine.size(), self.target());
    }

    pub(super) fn note_subject(&mut self) {
        let subject = self.subject(self.machine.size(), &self.machine.sources());
        let Some(place) = &mut self.place else { return };
        if place.noted != subject {
            place.noted = subject.clone();
            place.writer.note(subject);
        }
    }

    pub(super) fn subject(&self, size: Option<u64>, known: &[Option<Entity>]) -> Subject {
        let mut subject = seat::subject(&self.job, self.target().as_deref(), size, known);
        if self.place.as_ref().is_some_and(|place| place.adopted) && self.machine.is_unproven() {
            subject.sources.push(seat::stranger());
        }
        subject
    }

    pub(super) fn target(&self) -> Option<PathBuf> {
        self.place.as_ref().and_then(|place| place.target.clone())
    }

    /// Finds the place where nothing has to be asked for that.
    pub(super) async fn sit_unasked(&mut self) -> Result<(), Failure> {
        let job = self.job.clone();
        if job.target != Target::Stdout {
            let found = self.look(move || seat::before_asking(&job)).await?;
            return found.map_or(Ok(()), |seat| self.sit(seat, None));
        }
        if job.checksum.is_some() {
            let message = "what goes to standard output cannot be checked by a checksum";
            return Err(Failure::new(Kind::Usage, message));
        }
        self.take(Out::standard()?, None, seat::subject(&job, None, None, &[]))
    }

    /// Looks at what is there on a thread of its own: where files have to be read that takes its time. Other transfers go
    /// on meanwhile, and a stop is heeded.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (tell, told) = oneshot::channel();
        let begun = thread::Builder::new().name("haul-seat".into()).spawn(move || drop(tell.send(look())));
        begun.map_err(|error| Failure::new(Kind::Local, format!("no thread for reading: {error}")))?;
        tokio::select! {
            told = told => told.unwrap_or_else(|gone| Err(Failure::new(Kind::Unexpected, gone.to_string()))),
            () = self.stop.stopped() => Err(self.interrupted()),
        }
    }

    /// Finds the place now that the far end has said what the file is.
    pub(super) async fn sit_by_answer(&mut self, seen: &Entity, name: Option<&str>) -> Result<Sat, Failure> {
        let (job, said, name) = (self.job.clone(), seen.clone(), name.map(str::to_owned));
        match self.look(move || seat::with_answer(&job, &said, name.as_deref())).await? {
            Look::Already { target, size } => {
                let verified =
                    self.job.checksum.as_ref().map_or(Verified::By(Basis::Date), |_| Verified::Digest);
                Ok(Sat::Done(self.report.already(target, size, verified)))
            }
            Look::Seat(seat) => {
                let fresh = seat.memo.is_none();
                self.sit(*seat, Some(seen))?;
                Ok(if fresh { Sat::Here } else { Sat::Elsewhere })
            }
        }
    }

    /// Takes a place; where an earlier run left something, the machine begins anew from that.
    pub(super) fn sit(&mut self, seat: Seat, seen: Option<&Entity>) -> Result<(), Failure> {
        let Seat { partial, target, memo, remarks, adopted, .. } = seat;
        if let Some(memo) = &memo {
            let size = memo.size.or(seen.and_then(|seen| seen.size));
            seat::check_room(&target, size, memo.held.total())?;
        }
        remarks.into_iter().for_each(|remark| self.report.tell(Notice::Remark(remark)));
        let known: Vec<_> = match &memo {
            Some(memo) => memo.sources.clone(),
            None => vec![seen.cloned()],
        };
        let size = memo.as_ref().map_or(seen.and_then(|seen| seen.size), |memo| memo.size);
        let mut subject = seat::subject(&self.job, Some(&target), size, &known);
        if adopted {
            subject.sources.push(seat::stranger());
        }
        let unwritten = memo.as_ref().is_some_and(|memo| memo.held.is_empty());
        self.take(partial, Some(target), subject.clone())?;
        if let Some(place) = &mut self.place {
            place.adopted = adopted;
        }
        if let Some(memo) = memo {
            self.begin_from(memo);
            if let Some(place) = &mut self.place {
                // What an earlier run left may be of no use, or be known by an older URL.
                if unwritten { place.writer.reset(subject) } else { place.writer.note(subject) }
            }
        }
        Ok(())
    }

    pub(super) fn take<P: haul_store::Partial>(
        &mut self,
        partial: P,
        target: Option<PathBuf>,
        noted: Subject,
    ) -> Result<(), Failure> {
        let started = Writer::start(partial);
        let (writer, told) =
            started.map_err(|error| Failure::new(Kind::Local, format!("no thread for writing: {error}")))?;
        self.shared.reader = Some(writer.reader());
        self.place = Some(Place { writer, told, target, noted, adopted: false });
        Ok(())
    }

    /// What another program had left was not the file's beginning and is kept under another name: begins with nothing.
    pub(super) fn sit_anew(&mut self, aside: &Path) -> Result<(), Failure> {
        let Some(target) = self.target() else { return Ok(()) };
        self.report.tell(Notice::Remark(format!("what was there is kept as {}", aside.display())));
        let subject = seat::subject(&self.job, Some(&target), None, &[]);
        let partial = FsPartial::create(&target, &subject).map_err(|error| seat::store(&error))?;
        self.take(partial, Some(target), subject)
    }

    /// Begins the machine from what an earlier run left. Lanes of the machine before are let go, and so are their words.
    pub(super) fn begin_from(&mut self, memo: Memo) {
        self.report.resumes(memo.size, memo.held.total(), self.target());
        self.lanes.clear();
        let (sender, words) = mpsc::channel(WORDS);
        self.shared.words = sender;
        self.words = words;
        self.machine = Transfer::new(Some(memo), plan(&self.job));
    }

    /// Lets everything go in order: connections first, then the disk, which is told why it ended unfinished.
    pub(super) async fn close(&mut self, why: Option<&Failure>) {
        self.lanes.clear();
        self.shared.reader = None;
        self.words.close();
        while self.words.recv().await.is_some() {}
        let Some(place) = self.place.take() else { return };
        if let Some(why) = why {
            place.writer.note_stop(why.message.clone());
        }
        place.writer.end().await;
        if let Some(target) = place.target {
            self.report.left = why.map(|_| left(&target));
            self.report.last_target = Some(target);
        }
    }
}

/// How many bytes the next run would find, as the journal tells it that was kept to the end.
fn left(target: &Path) -> u64 {
    let found = haul_store::inspect(target).ok();
    // What another process has begun meanwhile is not ours.
    let ours = found.filter(|found| found.part_len.is_some() && found.in_use.is_none());
    ours.map_or(0, |found| found.held.written.total())
}
