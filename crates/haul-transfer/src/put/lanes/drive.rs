//! The driver of an upload on several lanes: does what the machine wants, and remembers where parts are before a byte of
//! them is sent.

use std::{collections::HashMap, time::Instant};

use haul_core::{
    transfer::{LaneId, Trouble},
    upload::{
        Anew, Event as Told, Name, Refusal,
        lanes::{Action, Event, Kept, Outcome, PartId, Plan, Spread, worth},
    },
};
use haul_store::UploadPart;
use tokio::sync::mpsc;

use super::{
    Door, Errand, Joined,
    lane::{Lane, Order, Shared, Word},
};
use crate::{
    failure::{Failure, Kind},
    put::{
        Put, TICK,
        feed::Feed,
        remember::Parts,
        seed,
        sink::{Fault, Sink},
        words,
    },
    source::Failed,
    threads::Threads,
};

/// What a lane reads and hands over at a time.
const GRANT: usize = 256 << 10;
/// Words of lanes that wait for the driver.
const WORDS: usize = 64;
/// So many parts are joined at most: their names stand in one field, and servers take 8 KiB of that.
const MOST_PARTS: usize = 64;
/// Of ranges that fill one upload nothing is named; a server keeps so many holes apart.
const MOST_RANGES: usize = 500;
/// Where parts cannot be cut: smaller ones would cost more than an even end is worth.
const SMALLEST_PIECE: u64 = 4 << 20;
/// Parts begin where blocks on a disk do.
const GRAIN: u64 = 4096;

/// An upload on its way.
struct Drive<'p, 'a, S> {
    put: &'p mut Put<'a, S>,
    name: Name,
    shared: Shared,
    spread: Spread,
    /// Where parts are, of those that were begun.
    places: HashMap<PartId, String>,
    /// Which lane has which part.
    at_work: HashMap<LaneId, (PartId, Lane)>,
}

/// What the driver does next.
enum Turn {
    GoOn,
    Over(Outcome),
    /// The local file is another one now.
    Changed,
    /// The upload is not there any more.
    Gone(Told),
}

impl<'a, S: Sink> Put<'a, S> {
    /// Sends all of the file on several lanes; `None` where the far end takes it on one only, or that is what is wanted.
    pub(in crate::put) async fn send_on_lanes(
        &mut self,
        name: Name,
        at: u64,
    ) -> Result<Option<Told>, Failure> {
        let Feed::File(file, _) = &self.feed else { return Ok(None) };
        let file = file.clone();
        let size = file.identity.size;
        let lanes = worth(size, self.lanes);
        let remembered = self.memory.parts(file.identity);
        if lanes <= 1 && !matches!(remembered, Parts::Same(_)) {
            return Ok(None);
        }
        let known = match &remembered {
            Parts::Same(parts) if !self.restart => parts.first().map(|part| part.url.clone()),
            _ => None,
        };
        let door = match self.sink.door(name, at, size, known.as_deref()).await {
            Ok(Some(door)) => door,
            Ok(None) => {
                self.tell_one_lane();
                return Ok(None);
            }
            Err(fault) => return Ok(Some(self.fault(fault))),
        };
        let (kept, places) = match door.upload() {
            Some((upload, held)) => {
                // From here on what lies under the name is ours.
                self.machine.handle(Instant::now(), Told::Begun);
                let part = UploadPart { from: 0, end: size, url: upload.to_owned() };
                self.memory.parts_begun(file.identity, vec![part]).await;
                self.tell_remarks();
                (held, HashMap::new())
            }
            None => match self.survey(&door, remembered).await {
                Ok(found) => found,
                Err(fault) => return Ok(Some(self.fault(fault))),
            },
        };
        let grant = self.client.piece(GRANT);
        let plan = Plan {
            size,
            lanes: lanes.max(1),
            cuts: door.cuts(),
            most_parts: if door.upload().is_some() { MOST_RANGES } else { MOST_PARTS },
            piece: size.div_ceil(MOST_PARTS as u64).max(SMALLEST_PIECE),
            grant: grant as u64,
            grain: GRAIN,
            retries: self.retries,
            seed: seed(),
        };
        // What is begun from here on is not to be begun anew again.
        self.restart = false;
        let (told, words) = mpsc::channel(WORDS);
        let limit = self.client.limit.clone();
        let mut drive = Drive {
            put: self,
            name,
            shared: Shared { door, file, words: told, limit, grant },
            spread: Spread::new(plan, &kept),
            places,
            at_work: HashMap::new(),
        };
        let before: u64 = kept.iter().map(|kept| kept.at - kept.from).sum();
        drive.put.machine.handle(Instant::now(), Told::Kept(before));
        drive.put.tell.begins_on_lanes(before);
        drive.run(words).await.map(Some)
    }

    /// What is there of the parts of an earlier run, and where.
    async fn survey(
        &mut self,
        door: &Door,
        remembered: Parts,
    ) -> Result<(Vec<Kept>, HashMap<PartId, String>), Fault> {
        let (parts, dropped) = match remembered {
            Parts::None => (Vec::new(), None),
            Parts::Other(parts) => (parts, Some(Anew::LocalChanged)),
            Parts::Same(parts) => (parts, self.restart.then_some(Anew::Asked)),
        };
        if let Some(why) = dropped {
            let places: Vec<String> = parts.into_iter().map(|part| part.url).collect();
            door.give_up(&places).await;
            self.memory.no_parts();
            self.tell.remark(words::anew(why));
            return Ok(Default::default());
        }
        let (mut kept, mut places, mut gone) = (Vec::<Kept>::new(), HashMap::new(), 0);
        for (number, part) in parts.iter().enumerate() {
            // A part ends where the next one begins: its tail was given to that.
            let end = parts.get(number + 1).map_or(part.end, |next| part.end.min(next.from));
            let part = UploadPart { end, ..part.clone() };
            match door.survey(&part).await? {
                Some(found) => {
                    places.insert(PartId(kept.len()), part.url);
                    kept.push(found);
                }
                None => gone += 1,
            }
        }
        match (gone, kept.is_empty()) {
            (0, _) => {}
            (_, true) => self.tell.remark(words::anew(Anew::Gone)),
            (gone, false) => self.tell.remark(&words::parts_gone(gone, parts.len())),
        }
        Ok((kept, places))
    }

    fn tell_one_lane(&mut self) {
        if self.lanes > 1 && !std::mem::replace(&mut self.told_one_lane, true) {
            self.tell.remark(words::ONE_LANE);
        }
    }
}

impl<S: Sink> Drive<'_, '_, S> {
    async fn run(&mut self, mut words: mpsc::Receiver<(LaneId, Word)>) -> Result<Told, Failure> {
        loop {
            match self.act().await? {
                Turn::GoOn => {}
                Turn::Over(outcome) => return self.over(outcome).await,
                Turn::Changed => return self.changed().await,
                Turn::Gone(event) => return Ok(event),
            }
            let now = Instant::now();
            let tick = now + TICK;
            let until = self.spread.deadline(now).map_or(tick, |deadline| deadline.min(tick));
            let first = tokio::select! {
                word = words.recv() => word,
                () = tokio::time::sleep_until(until.into()) => None,
            };
            // All that was said meanwhile, so that the parts of several lanes are remembered at once.
            let mut heard = Vec::from_iter(first);
            while let Ok(word) = words.try_recv() {
                heard.push(word);
            }
            match self.hear(heard).await? {
                Turn::Changed => return self.changed().await,
                Turn::Gone(event) => {
                    self.put.memory.no_parts();
                    return Ok(event);
                }
                Turn::GoOn | Turn::Over(_) => {}
            }
            self.put.kept_on_lanes = self.spread.done();
            self.put.tell.progress_on_lanes(&self.spread, now);
        }
    }

    /// Does all that the machine wants now.
    async fn act(&mut self) -> Result<Turn, Failure> {
        while let Some(action) = self.spread.poll(Instant::now()) {
            match action {
                Action::Open { lane, part, from, at, end } => {
                    let place = self.places.get(&part).cloned();
                    self.open(part, Errand { lane, from, at, end, place });
                }
                Action::Grant { lane, range } => self.order(lane, Order::Send(range)),
                Action::End { lane, at } => self.order(lane, Order::End(at)),
                Action::Drop(lane) => drop(self.at_work.remove(&lane)),
                Action::Join if !self.shared.file.is_unchanged() => return Ok(Turn::Changed),
                Action::Join => self.join().await,
                Action::Finish(outcome) => return Ok(Turn::Over(outcome)),
            }
        }
        Ok(Turn::GoOn)
    }

    fn order(&self, lane: LaneId, order: Order) {
        if let Some((_, lane)) = self.at_work.get(&lane) {
            lane.order(order);
        }
    }

    /// Sends a lane out. The first one has the connection that the whole upload was given.
    fn open(&mut self, part: PartId, errand: Errand) {
        let client = self.put.client;
        let first = self.at_work.is_empty();
        let slot = if first { None } else { std::sync::Arc::clone(&self.put.host).spare_slot() };
        if !first && slot.is_none() {
            return self.spread.handle(Instant::now(), Event::NoSpare(errand.lane));
        }
        let runs = if first { Threads::here() } else { client.threads.beside() };
        let lane = errand.lane;
        self.at_work.insert(lane, (part, Lane::start(&runs, errand, slot, self.shared.clone())));
    }

    /// Heeds what lanes have said.
    async fn hear(&mut self, heard: Vec<(LaneId, Word)>) -> Result<Turn, Failure> {
        let (mut events, mut news) = (Vec::with_capacity(heard.len()), false);
        for (lane, word) in heard {
            let Some((part, _)) = self.at_work.get(&lane) else { continue };
            let part = *part;
            if !matches!(word, Word::Opened { .. } | Word::Moved(_)) {
                self.at_work.remove(&lane);
            }
            events.push(match word {
                Word::Opened { at, place } => {
                    news |= place.is_some();
                    if let Some(place) = place {
                        self.places.insert(part, place);
                    }
                    Event::Opened { lane, at }
                }
                Word::Moved(bytes) => {
                    self.put.tell.moved(bytes);
                    Event::Moved(lane)
                }
                Word::Ended => Event::Ended(lane),
                Word::Lost => {
                    self.places.remove(&part);
                    self.put.tell.remark(&words::parts_gone(1, self.places.len() + 1));
                    Event::Lost(lane)
                }
                Word::Fault(fault) => self.failed(lane, fault),
                Word::Over(fault) => return Ok(Turn::Gone(self.put.fault(fault))),
                Word::Unreadable(None) => return Ok(Turn::Changed),
                Word::Unreadable(Some(error)) => {
                    let words = format!("cannot read what is to be sent: {error}");
                    return Err(Failure::new(Kind::Local, words));
                }
            });
        }
        if news && self.shared.door.upload().is_none() {
            self.remember().await;
        }
        for event in events {
            let failed = matches!(event, Event::Failed { .. });
            let now = Instant::now();
            self.spread.handle(now, event);
            if failed {
                self.tell_wait(now);
            }
        }
        Ok(Turn::GoOn)
    }

    /// What is begun is remembered before a byte of it is sent.
    async fn remember(&mut self) {
        let mut parts: Vec<UploadPart> = (self.places.iter())
            .filter_map(|(part, place)| {
                let range = self.spread.range(*part)?;
                Some(UploadPart { from: range.start(), end: range.end(), url: place.clone() })
            })
            .collect();
        parts.sort_unstable_by_key(|part| part.from);
        self.put.memory.parts_begun(self.shared.file.identity, parts).await;
        self.put.tell_remarks();
    }

    fn failed(&mut self, lane: LaneId, fault: Fault) -> Event {
        match fault {
            Fault::Failed(Failed { why, retry_after, message }) => {
                tracing::debug!(?lane, why = message, "a lane failed");
                self.put.said = Some(message);
                Event::Failed { lane, why, retry_after }
            }
            Fault::Refused(Refusal::Busy, words) => {
                self.put.said = Some(words);
                Event::Failed { lane, why: Trouble::Busy, retry_after: None }
            }
            Fault::Refused(refusal, words) => {
                tracing::debug!(?lane, why = words, "a lane was refused");
                self.put.said = Some(words);
                Event::Refused(refusal)
            }
        }
    }

    fn tell_wait(&mut self, now: Instant) {
        if let Some(wait) = self.spread.waits(now) {
            let why = self.put.said.as_deref().unwrap_or("the connection was lost");
            self.put.tell.retry(wait, why, self.spread.strikes());
        }
    }

    /// All parts are there: they become one file.
    async fn join(&mut self) {
        let order = self.spread.order();
        let places: Vec<String> = order.iter().filter_map(|part| self.places.get(part).cloned()).collect();
        let whole = self.shared.file.identity.size;
        let joined = {
            let joining = self.put.sink.join(self.name, &self.shared.door, &places, whole);
            let mut joining = std::pin::pin!(joining);
            loop {
                tokio::select! {
                    biased;
                    joined = &mut joining => break joined,
                    () = tokio::time::sleep(TICK) => {
                        self.put.tell.progress_on_lanes(&self.spread, Instant::now());
                    }
                }
            }
        };
        let now = Instant::now();
        let event = match joined {
            Ok(Joined::Whole) => Event::Joined,
            // Whoever asked before, and did not hear the answer, was heard: parts that became a file are gone.
            Ok(Joined::Gone(gone)) if self.spread.join_is_open() && gone.len() == places.len() => {
                Event::Joined
            }
            Ok(Joined::Gone(gone)) => {
                self.put.tell.remark(&words::parts_gone(gone.len(), places.len()));
                let gone: Vec<PartId> =
                    gone.into_iter().filter_map(|number| order.get(number).copied()).collect();
                gone.iter().for_each(|part| drop(self.places.remove(part)));
                Event::Gone(gone)
            }
            Err(Fault::Failed(Failed { why, retry_after, message })) => {
                self.put.said = Some(message);
                Event::Unjoined { why, retry_after }
            }
            Err(Fault::Refused(Refusal::Busy, words)) => {
                self.put.said = Some(words);
                Event::Unjoined { why: Trouble::Busy, retry_after: None }
            }
            Err(Fault::Refused(refusal, words)) => {
                self.put.said = Some(words);
                Event::Refused(refusal)
            }
        };
        let unjoined = matches!(event, Event::Unjoined { .. });
        self.spread.handle(now, event);
        if unjoined {
            self.tell_wait(now);
        }
    }

    /// What the end means to the upload.
    async fn over(&mut self, outcome: Outcome) -> Result<Told, Failure> {
        let whole = self.shared.file.identity.size;
        self.at_work.clear();
        match outcome {
            Outcome::Joined => {
                self.put.memory.no_parts();
                let now = Instant::now();
                if self.shared.door.upload().is_none() {
                    self.put.machine.handle(now, Told::Begun);
                }
                self.put.machine.handle(now, Told::Moved(whole));
                Ok(Told::Sent(whole))
            }
            Outcome::Refused(refusal) => {
                if refusal == Refusal::Came {
                    self.give_up().await;
                }
                if refusal == Refusal::Contradiction && self.put.said.is_none() {
                    self.put.said = Some("it tells of other bytes of a part than were sent".to_owned());
                }
                Ok(Told::Refused(refusal))
            }
            Outcome::GaveUp(why) => {
                let outcome = haul_core::upload::Outcome::GaveUp(why);
                let mut failure = words::failure(&outcome, self.put.said.as_deref());
                failure.kept = self.spread.done();
                Err(failure)
            }
        }
    }

    /// What was sent may be of both versions of the file: none of it is let become one.
    async fn changed(&mut self) -> Result<Told, Failure> {
        self.at_work.clear();
        self.give_up().await;
        // What lies under the name is spoken of when that is looked at.
        if self.shared.door.upload().is_none() {
            self.put.tell.remark(words::anew(Anew::LocalChanged));
        }
        self.put.tell.begins_anew();
        self.put.changed()
    }

    async fn give_up(&mut self) {
        let places: Vec<String> = self.places.drain().map(|(_, place)| place).collect();
        self.shared.door.give_up(&places).await;
        self.put.memory.no_parts();
    }
}
