//! What the machine asks, and what becomes of the answers; transfers are in `moving`.

use std::{net::IpAddr, sync::Arc, time::Instant};

use haul_proto::ftp::server::{Ask, Hosted, Login, Outcome, Trouble, What};
use tokio::time::Instant as Moment;

use super::{
    super::{
        PROTOCOL,
        ask::{self, Entered},
        data::Pending,
        record::Whose,
        transfer::{self, Halt, Moved},
    },
    Conversation, Done,
};
use crate::{depot::Visitor, hooks::Whence, log::Event, metrics::Sort};

/// What kind of thing is asked, where that is something to be done: for those who count.
fn sort(ask: &Ask) -> Option<Sort> {
    match ask {
        Ask::Login { .. } | Ask::Recognise { .. } => Some(Sort::Login),
        Ask::Look(_)
        | Ask::LookInto(_)
        | Ask::Sum { .. }
        | Ask::AsciiSize(_)
        | Ask::Ranges(_)
        | Ask::Space(_) => Some(Sort::Look),
        Ask::MakeFolder(_)
        | Ask::RemoveFolder(_)
        | Ask::Remove(_)
        | Ask::Rename { .. }
        | Ask::SetModified(..)
        | Ask::SetMode(..) => Some(Sort::Change),
        Ask::Transfer(transfer) => Some(match transfer.what {
            What::Store { .. } => Sort::Upload,
            What::Retrieve(_) | What::List { .. } => Sort::Download,
        }),
        Ask::Host(_)
        | Ask::AnyHost
        | Ask::Listen { .. }
        | Ask::Unlisten
        | Ask::Who
        | Ask::Figures
        | Ask::Abort => None,
    }
}

impl Conversation {
    pub(super) fn begin(&mut self, ask: Ask) {
        if let Some(sort) = sort(&ask) {
            self.asked = Some((sort, Instant::now()));
        }
        match ask {
            Ask::Login { user, password } => {
                let (accounts, depot) = (Arc::clone(&self.house.accounts), Arc::clone(&self.house.depot));
                let peer = self.peer;
                self.doing = Some(Box::pin(async move {
                    Done::Entered(Box::new(ask::enter(accounts, depot, (user, password), peer).await))
                }));
            }
            Ask::Recognise { user } => {
                let presented = self.control.presented();
                let (accounts, depot) = (&self.house.accounts, &self.house.depot);
                let entered = ask::recognise(accounts, depot, (user, presented.as_ref()), self.peer);
                self.entered(entered);
            }
            Ask::Host(name) => {
                let hosted = self.hosted(&String::from_utf8_lossy(&name));
                self.session.complete(Outcome::Host(hosted));
            }
            Ask::AnyHost => self.host = None,
            Ask::Listen { family } => {
                self.pending = None;
                let listening = match self.spare.take() {
                    Some(spare) => spare.take(self.local, family),
                    None => Pending::listen(self.local, family, &self.settings.passive),
                };
                let outcome = match listening {
                    Ok(pending) => {
                        let told = pending.told(family, &self.settings.passive);
                        self.pending = Some(pending);
                        Outcome::Listening(told)
                    }
                    Err(error) => {
                        let (Whose { session, address, .. }, why) = (self.whose(), error.to_string());
                        self.house.log.tell(Event::NoDataPort { session, why: why.clone(), address });
                        Outcome::Refused(Trouble::CannotListen(why))
                    }
                };
                self.complete(outcome);
            }
            Ask::Unlisten => self.pending = None,
            Ask::Who => {
                // Those without a name see none but their own address.
                let user = self.visitor.as_ref().map(|visitor| visitor.account().owner());
                let lines = user.map(|user| self.place.sessions().lines(&user)).unwrap_or_default();
                self.complete(Outcome::Who(lines));
            }
            Ask::Figures => {
                let line = self.running.as_ref().map(|running| running.figures.line());
                self.complete(Outcome::Figures(line.unwrap_or_default()));
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
                None => self.complete(Outcome::Refused(Trouble::Denied)),
            },
        }
    }

    /// Whether a host of this name, or at this address, is here; it is the one that is meant then.
    fn hosted(&mut self, name: &str) -> Hosted {
        let hosts = &self.settings.hosts;
        let own = || self.settings.banner.clone();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        // Who has found an address means whoever is there, whatever was said before.
        if hosts.is_empty() || bare.parse::<IpAddr>().is_ok() {
            self.host = None;
            return Hosted::Here { banner: own() };
        }
        let Some(host) = hosts.find(name) else { return Hosted::Unknown };
        if self.control.named_host().is_some_and(|named| !hosts.are_one(named, name)) {
            return Hosted::NotThatOfTls;
        }
        let banner = host.banner().map_or_else(own, str::to_owned);
        self.host = Some(name.to_owned());
        Hosted::Here { banner }
    }

    pub(super) async fn done(&mut self, done: Done) {
        match done {
            Done::Answered(outcome, change) => {
                if let (Outcome::Done, Some(change)) = (&outcome, change) {
                    self.house.log.tell(*change);
                }
                self.clock.said(Moment::now());
                self.complete(outcome);
            }
            Done::Entered(entered) => self.entered(*entered),
            Done::Prepared(prepared) => match *prepared {
                Ok((started, errand, cargo)) => {
                    let record = self.running.as_mut().and_then(|running| running.record.as_mut());
                    let name =
                        if let Outcome::Started { name, .. } = &started { name.as_deref() } else { None };
                    if let Some(record) = record {
                        record.begun(&self.place, cargo.from(), name);
                    }
                    self.complete(started);
                    self.doing =
                        Some(Box::pin(async move { Done::Moved(transfer::carry(errand, cargo).await) }));
                }
                Err(trouble) => {
                    self.running = None;
                    self.place.doing(None);
                    self.complete(Outcome::Refused(trouble));
                }
            },
            Done::Moved(Moved::Told(told)) => self.transferred(told),
            Done::Moved(Moved::Received(received)) => self.received(received),
            Done::Safe(received) => self.judge(received).await,
            Done::Transferred(told) => self.transferred(told),
        }
    }

    fn entered(&mut self, mut entered: Entered) {
        let home = self.settings.hosts.home(self.host.as_deref().or(self.control.named_host()));
        if let Some(visitor) = entered.visitor.take() {
            entered.visitor = visitor.within(&home);
            if entered.visitor.is_none() {
                entered.login = Login::Never { why: "Your folder has too long a name.".to_owned() };
            }
        }
        let account = entered.visitor.as_ref().map(Visitor::account);
        if let Some(full) = account.and_then(|account| self.house.belongs(&self.place, account).err()) {
            (entered.login, entered.visitor) = (Login::Never { why: full.words().to_owned() }, None);
        }
        if !(entered.shown && entered.login == Login::No) {
            if let Some(reason) = entered.refused() {
                self.house.log.metrics().refused(self.kind.name(), reason);
            }
            self.house.log.tell(self.whose().entered(&entered));
        }
        if let Some(visitor) = entered.visitor {
            self.place.called(&visitor.account().owner());
            self.clock.came_in(Moment::now(), visitor.account().bounds.left());
            let pace = self.house.pace(visitor.account());
            let Whose { session, address, .. } = self.whose();
            let whence = Whence { session, address, protocol: PROTOCOL };
            self.visitor = Some(visitor.at(pace).coming(whence));
        }
        self.clock.said(Moment::now());
        self.complete(Outcome::Login(entered.login));
    }
}
