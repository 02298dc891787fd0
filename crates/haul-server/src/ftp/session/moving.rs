//! A transfer's life in its session: begun, watched, judged, told.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use haul_proto::ftp::server::{Data, Outcome, StoreWish, Transfer, Transferred, Trouble, What};
use haul_store::Assent;
use tokio::{sync::watch as channel, time::Instant as Moment};

use super::{
    super::{
        data::Way,
        figures::Figures,
        marks::{Marks, Safe},
        receive::Received,
        record::{self, Record},
        transfer::{self, Errand, Halt},
        watch,
    },
    Conversation, Done, Running,
};
use crate::{
    account::Completion,
    depot::{Control as Fate, Visitor},
    log::Direction,
};

impl Conversation {
    pub(super) fn begin_transfer(&mut self, transfer: Transfer) {
        let Some(visitor) = self.visitor.clone() else {
            return self.complete(Outcome::Refused(Trouble::Denied));
        };
        if self.stopping {
            return self.complete(Outcome::Refused(Trouble::Stopping));
        }
        let way = match transfer.data {
            Data::Passive => Way::Passive(self.pending.take()),
            Data::Active(to) => Way::Active(to, self.local),
        };
        let own = match (transfer.protected, &self.own) {
            (false, _) => None,
            (true, Some(own)) => Some(own.clone()),
            (true, None) => {
                let why = "there is no TLS on the control connection".to_owned();
                return self.complete(Outcome::Refused(Trouble::Local(why)));
            }
        };
        // None is kept beside a transfer, which may last.
        self.spare = None;
        let (halt, halted) = channel::channel(None);
        let direction = match &transfer.what {
            What::Retrieve(_) => Some(Direction::Sent),
            What::Store { .. } => Some(Direction::Received),
            What::List { .. } => None,
        };
        let meter = direction.map(|way| self.house.log.metrics().meter(self.kind.name(), way));
        let figures = Arc::new(Figures::new(meter));
        let record = Record::of(self.whose(), visitor.account(), &transfer, &figures);
        let passive = transfer.data == Data::Passive;
        let target = match &transfer.what {
            What::Store { path, wish, .. } if *wish != StoreWish::Unique && self.house.log.audits() => {
                Some(path.clone())
            }
            What::Store { .. } | What::Retrieve(_) | What::List { .. } => None,
        };
        let (told, marks) = transfer::is_marked(&transfer).then(Marks::listener).unzip();
        self.running = Some(Running { figures: Arc::clone(&figures), halt, record, target, marks, passive });
        self.place.doing(Some(record::command(&transfer.what)));
        let (peer, times) = (self.peer, self.settings.times);
        let errand = Errand { visitor, transfer, way, own, peer, times, figures, halted, marks: told };
        self.doing = Some(Box::pin(async move {
            let prepared = transfer::prepare(&errand).await;
            Done::Prepared(Box::new(prepared.map(|(started, cargo)| (started, errand, cargo))))
        }));
    }

    /// The data of an upload has ended.
    pub(super) fn received(&mut self, mut received: Box<Received>) {
        if received.is_told() {
            return self.publish(received);
        }
        let lenient = self.visitor.as_ref().map(|visitor| visitor.account().completion);
        if !received.is_judged() || lenient == Some(Completion::Lenient) {
            return self.settle(received, Fate::Gone);
        }
        let length = watch::length(self.round_trip.at_most(), received.took);
        let at_once = self.visitor.as_ref().is_some_and(Visitor::publishes_at_once);
        let assent = if at_once { self.assent(received.ended, length) } else { None };
        let figures = self.running.as_ref().map(|running| Arc::clone(&running.figures));
        let looked = self.looked();
        self.doing = Some(Box::pin(async move {
            if let (Some(assent), Some(figures)) = (assent, figures) {
                looked.await;
                match received.publish_now(assent, &figures).await {
                    Ok(told) => return Done::Transferred(told),
                    Err(unpublished) => received = unpublished,
                }
            }
            if let Err(error) = received.sync().await {
                received.failed(&error);
            }
            watch::pause(received.ended, length).await;
            Done::Safe(received)
        }));
    }

    /// The file's own end came: there is nothing to judge.
    fn publish(&mut self, mut received: Box<Received>) {
        let Some(running) = &self.running else { return };
        let figures = Arc::clone(&running.figures);
        let at_once = self.visitor.as_ref().is_some_and(Visitor::publishes_at_once);
        let looked = self.looked();
        self.doing = Some(Box::pin(async move {
            looked.await;
            if at_once {
                match received.publish_now(Box::new(|| true), &figures).await {
                    Ok(told) => return Done::Transferred(told),
                    Err(unpublished) => received = unpublished,
                }
            }
            Done::Transferred(received.settle(Fate::Alive, false, &figures).await)
        }));
    }

    /// What its client has marked of an upload is safe.
    pub(super) fn marked(&mut self, (theirs, ours): Safe) {
        self.session.complete(Outcome::Marked { theirs, ours });
    }

    /// What says, after a short watch, that the client of an upload is there as it was: not a byte has come of it since.
    /// None where there is more to look at.
    fn assent(&self, ended: Instant, length: Duration) -> Option<Assent> {
        let watched = watch::short(ended, length)?;
        let silence = self.control.silence().filter(|_| !self.is_aborted())?;
        Some(Box::new(move || {
            watched();
            silence.lasts()
        }))
    }

    /// The data of an upload ended well and is safe: whether its client is still there.
    pub(super) async fn judge(&mut self, received: Box<Received>) {
        // What came meanwhile counts: an ABOR, a QUIT before an end.
        self.control.catch_up().await;
        loop {
            let _ = self.take_steps().await;
            let Some(line) = self.next_line() else { break };
            self.session.receive(line);
        }
        let aborted = self.is_aborted();
        let gone = aborted || (self.control.hung_up() && !self.session.has_quit());
        self.settle(received, if gone { Fate::Gone } else { Fate::Alive });
    }

    fn is_aborted(&self) -> bool {
        self.running.as_ref().is_some_and(|running| *running.halt.borrow() == Some(Halt::Aborted))
    }

    fn settle(&mut self, received: Box<Received>, fate: Fate) {
        let Some(running) = &self.running else { return };
        let figures = Arc::clone(&running.figures);
        let aborted = self.is_aborted();
        let looked = self.looked();
        self.doing = Some(Box::pin(async move {
            looked.await;
            Done::Transferred(received.settle(fate, aborted, &figures).await)
        }));
    }

    /// Whether what is being received will replace another file: looked at just before, where somebody writes it down.
    fn looked(&self) -> impl Future<Output = ()> + Send + use<> {
        let running = self.running.as_ref();
        let upload = running.and_then(|it| Some((it.target.clone()?, Arc::clone(&it.figures))));
        let upload = upload.zip(self.visitor.clone());
        async move {
            if let Some(((path, figures), visitor)) = upload {
                figures.replaces(visitor.published(&path).await.is_ok());
            }
        }
    }

    pub(super) fn transferred(&mut self, told: Transferred) {
        let mut running = self.running.take();
        let mut marks = running.as_mut().and_then(|running| running.marks.take());
        while let Some(mark) = marks.as_mut().and_then(|marks| marks.try_recv().ok()) {
            self.marked(mark);
        }
        self.ahead = running.as_ref().is_some_and(|running| running.passive);
        if let Some(record) = running.and_then(|running| running.record) {
            record.tell(&self.house, &told);
        }
        self.place.doing(None);
        self.clock.transferred(Moment::now());
        self.complete(Outcome::Transferred(told));
    }
}
