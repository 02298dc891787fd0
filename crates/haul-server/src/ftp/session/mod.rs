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

mod asking;
mod moving;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use haul_core::TreePath;
use haul_proto::ftp::server::{
    Outcome, Step, Terms, Tls, Transferred, Trouble, line::Line, session::Session,
};
use tokio::{
    sync::{mpsc, watch as channel},
    time::{Instant as Moment, sleep_until, timeout},
};

use super::{
    ask::{Doing, Entered},
    clock::{Clock, Late},
    control::{Control, Heard},
    data::{Pending, Spare},
    door::Kind,
    figures::Figures,
    marks::Safe,
    receive::Received,
    record::{Record, Whose},
    settings::Settings,
    tls::Own,
    transfer::{Cargo, Errand, Halt, Moved},
    watch::RoundTrip,
};
use crate::{
    Host,
    depot::Visitor,
    house::{self, House, Phase, Place},
    log::Event,
    metrics::{Reason, Sort},
};

/// Replies that were queued have so long to leave at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the client still says at the end is waited for so long.
const LINGER: Duration = Duration::from_secs(1);

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
    /// Where an upload is to be, where somebody writes down what it replaces.
    target: Option<TreePath>,
    /// What is safe of an upload that its client has marked.
    marks: Option<mpsc::Receiver<Safe>>,
    /// Whether its data connection came to us.
    passive: bool,
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
    /// Where the client has come to: with its link, where the address means one only there.
    local: SocketAddr,
    own: Option<Own>,
    kind: Kind,
    place: Place,
    visitor: Option<Visitor>,
    pending: Option<Pending>,
    /// Where the next data connection may be waited for.
    spare: Option<Spare>,
    /// The last data connection came to us, and another may: there is time for that once the reply is on its way.
    ahead: bool,
    doing: Option<Doing<Done>>,
    running: Option<Running>,
    /// What is being asked, and since when.
    asked: Option<(Sort, Instant)>,
    clock: Clock,
    round_trip: RoundTrip,
    phase: channel::Receiver<Phase>,
    stopping: bool,
    /// The host that HOST has named.
    host: Option<String>,
    /// Why it ends.
    why: String,
}

impl Conversation {
    pub(super) fn new(
        house: House,
        settings: Arc<Settings>,
        kind: Kind,
        control: Control,
        (peer, local): (IpAddr, SocketAddr),
        own: Option<Own>,
        place: Place,
    ) -> Box<Self> {
        let tls = match (kind, &settings.protection) {
            (Kind::Implicit, _) => Tls::Implicit,
            (Kind::Explicit, None) => Tls::None,
            (Kind::Explicit, Some(protection)) if protection.is_required() => Tls::Required,
            (Kind::Explicit, Some(_)) => Tls::Offered,
        };
        let host = control.named_host().and_then(|name| settings.hosts.find(name));
        let terms = Terms {
            peer,
            banner: host.and_then(Host::banner).unwrap_or(&settings.banner).to_owned(),
            tls,
            logins: settings.limits.logins,
            weaves: house.depot.weaves(),
            deflates: settings.compression,
        };
        let phase = house.stop.watch();
        let mut session = Session::new(terms);
        if control.presented().is_some() {
            session.certified();
        }
        Box::new(Self {
            house,
            settings,
            control,
            session,
            peer,
            local,
            own,
            kind,
            place,
            visitor: None,
            pending: None,
            spare: None,
            ahead: false,
            doing: None,
            running: None,
            asked: None,
            clock: Clock::new(Moment::now()),
            round_trip: RoundTrip::default(),
            phase,
            stopping: false,
            host: None,
            why: String::new(),
        })
    }

    /// Holds it to its end.
    pub(super) async fn hold(mut self: Box<Self>) {
        while self.turn().await == Flow::On {}
        // Whatever is still being done is dropped with it; an upload is then kept as after any accident.
        (self.doing, self.pending, self.visitor) = (None, None, None);
        if let Some(record) = self.running.take().and_then(|running| running.record) {
            record.tell(&self.house, &Transferred::Broken(self.why.clone()));
        }
        let Whose { session, address, .. } = self.whose();
        let Self { mut control, place, house, why, .. } = *self;
        let said = timeout(FAREWELL, control.close()).await;
        house.log.tell(Event::Closed { session, address, why });
        drop(place);
        if matches!(said, Ok(Ok(()))) && !control.has_ended() {
            // Closing with something unread would take back the last reply.
            let _ = timeout(LINGER, control.discard()).await;
        }
    }

    fn whose(&self) -> Whose {
        Whose { session: self.place.number(), address: self.peer, door: self.kind.name() }
    }

    fn say(&mut self, reply: &[u8]) {
        let number = reply.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        self.house
            .log
            .metrics()
            .answered(self.kind.name(), number.and_then(|it| it.parse().ok()).unwrap_or(0));
        self.control.say(reply);
    }

    /// What was asked has come to this.
    fn complete(&mut self, outcome: Outcome) {
        let (metrics, door) = (self.house.log.metrics(), self.kind.name());
        if let Some((sort, since)) = self.asked.take() {
            metrics.asked(door, sort, since.elapsed());
        }
        if let Some(reason) = Reason::of(&outcome) {
            metrics.refused(door, reason);
        }
        self.session.complete(outcome);
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

    /// What can be done now, but nothing more for a client that leaves replies untaken: they are held in memory.
    async fn take_steps(&mut self) -> Flow {
        while !self.control.is_full()
            && let Some(step) = self.session.poll()
        {
            match step {
                Step::Reply(reply) => self.say(&reply),
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
        let is_full = self.control.is_full();
        tokio::select! {
            biased;
            heard = self.control.heard() => self.heard(&heard),
            mark = marked(&mut self.running), if !is_full => {
                self.marked(mark);
                Flow::On
            }
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
            Heard::Written => {
                self.round_trip.asked();
                if std::mem::take(&mut self.ahead) {
                    self.spare = Spare::make(self.local, &self.settings.passive);
                }
            }
            Heard::Something => self.round_trip.answered(),
            Heard::End => {}
            Heard::Broken(error) => {
                // What was begun is done to its end: an upload is received as far as it comes, a guess at a password
                // and a change to the tree are written down, whoever does not wait for the answer.
                if self.doing.is_none() {
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
        match &self.spare {
            Some(spare) if spare.until() < until => (spare.until(), None),
            _ => (until, Some(late)),
        }
    }

    fn late(&mut self, late: Option<Late>) -> Flow {
        match late {
            Some(late) => {
                self.why = late.words().to_owned();
                self.session.stop(late.words());
                Flow::On
            }
            None if self.control.stuck_since().is_some() => self.over("the client does not read replies"),
            None => {
                self.spare = None;
                Flow::On
            }
        }
    }

    /// The house is being closed: nothing new from now on.
    fn stop(&mut self) {
        self.stopping = true;
        self.why = "the server is being stopped".to_owned();
        self.session.stop("The server is being stopped");
        if let Some(running) = &self.running {
            // Once its time is over a running transfer is ended with what it has.
            let (halt, mut phase) = (running.halt.clone(), self.phase.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = house::over(&mut phase) => {
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
        // Most sessions in the clear stay so, and need none of this.
        let told = self.host.clone();
        let own = self.settings.protection.as_ref().map(|protection| protection.own(told)).transpose();
        let (Some(stream), Ok(Some(own))) = (self.control.take_bare(), own) else {
            return self.over("TLS cannot begin here");
        };
        match own.begin(stream, self.settings.times.handshake).await {
            Ok(secured) => {
                self.own = Some(own);
                self.control.put_secured(secured);
                // What TLS says of the host counts, whatever was said before.
                let named = self.control.named_host();
                if let (Some(named), Some(told)) = (named, &self.host)
                    && !self.settings.hosts.are_one(named, told)
                {
                    self.host = None;
                }
                self.session.secured();
                if self.control.presented().is_some() {
                    self.session.certified();
                }
                Flow::On
            }
            Err(error) => {
                self.house.log.metrics().unprotected(self.kind.name());
                self.over(format!("TLS did not begin: {error}"))
            }
        }
    }
}

/// Waits for what is being done, for ever where nothing is.
async fn finished(doing: &mut Option<Doing<Done>>) -> Done {
    match doing {
        Some(doing) => doing.await,
        None => std::future::pending().await,
    }
}

/// Waits for a mark that is safe, for ever where none will come.
async fn marked(running: &mut Option<Running>) -> Safe {
    match running.as_mut().and_then(|running| running.marks.as_mut()) {
        Some(marks) => match marks.recv().await {
            Some(mark) => mark,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Returns when the house begins to close, once.
async fn closing(phase: &mut channel::Receiver<Phase>, known: bool) {
    if known || phase.wait_for(|phase| *phase != Phase::Open).await.is_err() {
        std::future::pending::<()>().await;
    }
}
