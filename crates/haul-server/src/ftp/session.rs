//! One control connection: lines go into the machine, what it asks is done, what it says goes out.
//!
//! One task holds it all: it listens to its client whatever else is being done, so that ABOR is heard, an end is
//! noticed, and nothing is waited for beyond its time.
//!
//! ```text
//!        lines                   steps
//! client ------> Control ------> Session ------> replies ------> client
//!                                  |  ^
//!                              Ask |  | Outcome
//!                                  v  |
//!                          depot, accounts, transfer
//! ```

use std::{net::IpAddr, sync::Arc, time::Duration};

use haul_proto::ftp::server::{
    Ask, Data, Outcome, Step, Terms, Tls, Transfer, Transferred, Trouble, line::Line, session::Session,
};
use tokio::{
    sync::watch as channel,
    time::{Instant as Moment, sleep_until, timeout},
};

use super::{
    ask::{self, Doing, Entered},
    clock::{Clock, Late},
    control::{Control, Heard},
    data::{Pending, Way},
    door::{House, Kind},
    figures::Figures,
    receive::{Ending, Received},
    record::{self, Record, Whose},
    sessions::Place,
    settings::Settings,
    stop::{self, Phase},
    tls::Own,
    transfer::{self, Cargo, Errand, Halt, Moved},
    watch::{self, RoundTrip},
};
use crate::{
    account::Completion,
    depot::{Control as Fate, Visitor},
    log::Event,
};

/// Replies that were queued have so long to leave at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a session was waiting for.
enum Done {
    /// And what is written down of it, if it was done.
    Answered(Outcome, Option<Box<Event>>),
    Entered(Box<Entered>),
    Prepared(Box<Result<(Outcome, Errand, Cargo), Trouble>>),
    Moved(Moved),
    /// All of it is safe, and the control connection was watched long enough; or it could not be made safe.
    Safe(Box<Received>),
    Transferred(Transferred),
}

/// A transfer that is under way.
struct Running {
    figures: Arc<Figures>,
    halt: channel::Sender<Option<Halt>>,
    record: Option<Record>,
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Over,
}

/// A conversation with one client.
pub(super) struct Conversation {
    house: House,
    settings: Arc<Settings>,
    control: Control,
    session: Session,
    peer: IpAddr,
    local: IpAddr,
    own: Option<Own>,
    place: Place,
    visitor: Option<Visitor>,
    pending: Option<Pending>,
    doing: Option<Doing<Done>>,
    running: Option<Running>,
    clock: Clock,
    round_trip: RoundTrip,
    phase: channel::Receiver<Phase>,
    stopping: bool,
    /// Why it ends.
    why: String,
}

impl Conversation {
    pub(super) fn new(
        house: House,
        settings: Arc<Settings>,
        kind: Kind,
        control: Control,
        (peer, local): (IpAddr, IpAddr),
        own: Option<Own>,
        place: Place,
    ) -> Self {
        let tls = match (kind, &settings.protection) {
            (Kind::Implicit, _) => Tls::Implicit,
            (Kind::Explicit, None) => Tls::None,
            (Kind::Explicit, Some(protection)) if protection.is_required() => Tls::Required,
            (Kind::Explicit, Some(_)) => Tls::Offered,
        };
        let terms = Terms { peer, banner: settings.banner.clone(), tls, logins: settings.limits.logins };
        let phase = house.stop.watch();
        Self {
            house,
            settings,
            control,
            session: Session::new(terms),
            peer,
            local,
            own,
            place,
            visitor: None,
            pending: None,
            doing: None,
            running: None,
            clock: Clock::new(Moment::now()),
            round_trip: RoundTrip::default(),
            phase,
            stopping: false,
            why: String::new(),
        }
    }

    /// Holds it to its end.
    pub(super) async fn hold(mut self) {
        while self.turn().await == Flow::On {}
        // Whatever is still being done is dropped with it.
        (self.doing, self.pending, self.visitor) = (None, None, None);
        let _ = timeout(FAREWELL, self.control.close()).await;
        let Whose { session, address } = self.whose();
        self.house.log.tell(Event::Closed { session, address, why: self.why });
    }

    fn whose(&self) -> Whose {
        Whose { session: self.place.number(), address: self.peer }
    }

    /// It is over, for this reason.
    fn over(&mut self, why: impl Into<String>) -> Flow {
        self.why = why.into();
        Flow::Over
    }

    /// Everything that can be done now, then one thing that happens.
    async fn turn(&mut self) -> Flow {
        loop {
            if self.take_steps().await == Flow::Over {
                return Flow::Over;
            }
            let Some(line) = self.next_line() else { break };
            self.clock.said(Moment::now());
            self.session.receive(line);
        }
        if self.control.has_ended() && self.doing.is_none() && !self.control.is_full() {
            return self.over("the client closed the connection");
        }
        self.wait().await
    }

    fn next_line(&mut self) -> Option<Line> {
        if self.session.wants_line() && !self.control.is_full() { self.control.next_line() } else { None }
    }

    async fn take_steps(&mut self) -> Flow {
        while let Some(step) = self.session.poll() {
            match step {
                Step::Reply(reply) => self.control.say(&reply),
                Step::Ask(ask) => self.begin(ask),
                Step::Secure => {
                    if Box::pin(self.secure()).await == Flow::Over {
                        return Flow::Over;
                    }
                }
                Step::Close if self.session.has_quit() => return self.over("QUIT"),
                Step::Close if self.why.is_empty() => return self.over("sent away"),
                Step::Close => return Flow::Over,
            }
        }
        Flow::On
    }

    /// Waits for the first thing that happens.
    async fn wait(&mut self) -> Flow {
        let deadline = self.deadline();
        tokio::select! {
            biased;
            heard = self.control.heard() => self.heard(&heard),
            done = finished(&mut self.doing) => {
                self.doing = None;
                self.done(done).await;
                Flow::On
            }
            () = closing(&mut self.phase, self.stopping) => {
                self.stop();
                Flow::On
            }
            () = sleep_until(deadline.0) => self.late(deadline.1),
        }
    }

    fn heard(&mut self, heard: &Heard) -> Flow {
        match heard {
            Heard::Written => self.round_trip.asked(),
            Heard::Something => self.round_trip.answered(),
            Heard::End => {}
            Heard::Broken(error) => {
                // An upload is still received as far as it comes; nothing else is worth going on with.
                if self.running.is_none() {
                    return self.over(format!("the connection broke: {}", error.kind()));
                }
            }
        }
        Flow::On
    }

    /// Until when something must have happened, and what is wrong then.
    fn deadline(&self) -> (Moment, Option<Late>) {
        if let Some(since) = self.control.stuck_since() {
            return (since + self.settings.times.reply, None);
        }
        if self.doing.is_some() {
            // Whatever is being done has its own deadlines.
            return (Moment::now() + Duration::from_secs(3600), None);
        }
        let (until, late) = self.clock.deadline(&self.settings.times);
        (until, Some(late))
    }

    fn late(&mut self, late: Option<Late>) -> Flow {
        match late {
            Some(late) => {
                self.why = late.words().to_owned();
                self.session.stop(late.words());
                Flow::On
            }
            None if self.control.stuck_since().is_some() => self.over("the client does not read replies"),
            None => Flow::On,
        }
    }

    /// The house is being closed: nothing new from now on.
    fn stop(&mut self) {
        self.stopping = true;
        self.session.stop("The server is being stopped");
        if let Some(running) = &self.running {
            // Once its time is over a running transfer is ended with what it has.
            let (halt, mut phase) = (running.halt.clone(), self.phase.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop::over(&mut phase) => {
                        halt.send_if_modified(|why| why.replace(why.unwrap_or(Halt::Stopping)).is_none());
                    }
                    () = halt.closed() => {}
                }
            });
        }
    }

    async fn secure(&mut self) -> Flow {
        if timeout(self.settings.times.reply, self.control.flush()).await.is_err() {
            return self.over("the client does not read replies");
        }
        let (Some(stream), Some(own)) = (self.control.take_bare(), &self.own) else { return Flow::Over };
        match own.begin(stream, self.settings.times.handshake).await {
            Ok(secured) => {
                self.control.put_secured(secured);
                self.session.secured();
                Flow::On
            }
            Err(error) => self.over(format!("TLS did not begin: {error}")),
        }
    }

    fn begin(&mut self, ask: Ask) {
        match ask {
            Ask::Login { user, password } => {
                let (accounts, depot) = (Arc::clone(&self.house.accounts), Arc::clone(&self.house.depot));
                let peer = self.peer;
                self.doing = Some(Box::pin(async move {
                    Done::Entered(Box::new(ask::enter(accounts, depot, (user, password), peer).await))
                }));
            }
            Ask::Listen { family } => {
                self.pending = None;
                let listening = Pending::listen(self.local, family, &self.settings.passive);
                let outcome = match listening {
                    Ok(pending) => {
                        let told = pending.told(family, &self.settings.passive);
                        self.pending = Some(pending);
                        Outcome::Listening(told)
                    }
                    Err(error) => Outcome::Refused(Trouble::CannotListen(error.to_string())),
                };
                self.session.complete(outcome);
            }
            Ask::Unlisten => self.pending = None,
            Ask::Who => {
                let user = self.visitor.as_ref().map(|visitor| visitor.account().name.clone());
                let lines = user.map(|user| self.place.sessions().lines(&user)).unwrap_or_default();
                self.session.complete(Outcome::Who(lines));
            }
            Ask::Figures => {
                let line = self.running.as_ref().map(|running| running.figures.line());
                self.session.complete(Outcome::Figures(line.unwrap_or_default()));
            }
            Ask::Abort => {
                if let Some(running) = &self.running {
                    running.figures.halt();
                    running.halt.send_replace(Some(Halt::Aborted));
                }
            }
            Ask::Transfer(transfer) => self.begin_transfer(transfer),
            ask => match self.visitor.clone() {
                Some(visitor) => {
                    let change = self.whose().change(visitor.account(), &ask).map(Box::new);
                    self.doing =
                        Some(Box::pin(
                            async move { Done::Answered(ask::answer(visitor, ask).await, change) },
                        ));
                }
                None => self.session.complete(Outcome::Refused(Trouble::Denied)),
            },
        }
    }

    fn begin_transfer(&mut self, transfer: Transfer) {
        let Some(visitor) = self.visitor.clone() else {
            return self.session.complete(Outcome::Refused(Trouble::Denied));
        };
        if self.stopping {
            return self.session.complete(Outcome::Refused(Trouble::Stopping));
        }
        let way = match transfer.data {
            Data::Passive => Way::Passive(self.pending.take()),
            Data::Active(to) => Way::Active(to, self.local),
        };
        let own = if transfer.protected { self.own.clone() } else { None };
        let (halt, halted) = channel::channel(None);
        let figures = Arc::new(Figures::new());
        let record = Record::of(self.whose(), visitor.account(), &transfer, &figures);
        self.running = Some(Running { figures: Arc::clone(&figures), halt, record });
        self.place.doing(Some(record::command(&transfer.what)));
        let (peer, times) = (self.peer, self.settings.times);
        let errand = Errand { visitor, transfer, way, own, peer, times, figures, halted };
        self.doing = Some(Box::pin(async move {
            let prepared = transfer::prepare(&errand).await;
            Done::Prepared(Box::new(prepared.map(|(started, cargo)| (started, errand, cargo))))
        }));
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Answered(outcome, change) => {
                if let (Outcome::Done, Some(change)) = (&outcome, change) {
                    self.house.log.tell(*change);
                }
                self.clock.said(Moment::now());
                self.session.complete(outcome);
            }
            Done::Entered(entered) => self.entered(*entered),
            Done::Prepared(prepared) => match *prepared {
                Ok((started, errand, cargo)) => {
                    let record = self.running.as_mut().and_then(|running| running.record.as_mut());
                    if let (Some(record), Outcome::Started { name, .. }) = (record, &started) {
                        record.begun(cargo.from(), name.as_deref());
                    }
                    self.session.complete(started);
                    self.doing =
                        Some(Box::pin(async move { Done::Moved(transfer::carry(errand, cargo).await) }));
                }
                Err(trouble) => {
                    self.running = None;
                    self.place.doing(None);
                    self.session.complete(Outcome::Refused(trouble));
                }
            },
            Done::Moved(Moved::Told(told)) => self.transferred(told),
            Done::Moved(Moved::Received(received)) => self.received(received),
            Done::Safe(received) => self.judge(received).await,
            Done::Transferred(told) => self.transferred(told),
        }
    }

    fn entered(&mut self, entered: Entered) {
        self.house.log.tell(self.whose().entered(&entered));
        if let Some(visitor) = entered.visitor {
            self.place.called(&visitor.account().name);
            self.visitor = Some(visitor);
            self.clock.came_in(Moment::now());
        }
        self.clock.said(Moment::now());
        self.session.complete(Outcome::Login(entered.login));
    }

    /// The data of an upload has ended.
    fn received(&mut self, mut received: Box<Received>) {
        let lenient = self.visitor.as_ref().map(|visitor| visitor.account().completion);
        if !matches!(received.ending, Ending::Clean) || lenient == Some(Completion::Lenient) {
            return self.settle(received, Fate::Gone);
        }
        let length = watch::length(self.round_trip.at_most(), received.took);
        self.doing = Some(Box::pin(async move {
            if let Err(error) = received.sync().await {
                received.failed(&error);
            }
            watch::pause(received.ended, length).await;
            Done::Safe(received)
        }));
    }

    /// The data of an upload ended well and is safe: whether its client is still there.
    async fn judge(&mut self, received: Box<Received>) {
        // What came meanwhile counts: an ABOR, a QUIT before an end.
        self.control.catch_up().await;
        loop {
            let _ = self.take_steps().await;
            let Some(line) = self.next_line() else { break };
            self.session.receive(line);
        }
        let aborted = self.running.as_ref().is_some_and(|running| running.halt.borrow().is_some());
        let gone = aborted || (self.control.hung_up() && !self.session.has_quit());
        self.settle(received, if gone { Fate::Gone } else { Fate::Alive });
    }

    fn settle(&mut self, received: Box<Received>, fate: Fate) {
        let Some(running) = &self.running else { return };
        let figures = Arc::clone(&running.figures);
        let aborted = *running.halt.borrow() == Some(Halt::Aborted);
        self.doing =
            Some(Box::pin(async move { Done::Transferred(received.settle(fate, aborted, &figures).await) }));
    }

    fn transferred(&mut self, told: Transferred) {
        if let Some(record) = self.running.take().and_then(|running| running.record) {
            self.house.log.tell(record.ended(&told));
        }
        self.place.doing(None);
        self.clock.transferred(Moment::now());
        self.session.complete(Outcome::Transferred(told));
    }
}

/// Waits for what is being done, for ever where nothing is.
async fn finished(doing: &mut Option<Doing<Done>>) -> Done {
    match doing {
        Some(doing) => doing.await,
        None => std::future::pending().await,
    }
}

/// Returns when the house begins to close, once.
async fn closing(phase: &mut channel::Receiver<Phase>, known: bool) {
    if known || phase.wait_for(|phase| *phase != Phase::Open).await.is_err() {
        std::future::pending::<()>().await;
    }
}
