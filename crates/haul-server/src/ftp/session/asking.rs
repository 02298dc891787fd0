//! What the machine asks, and what becomes of the answers; transfers are in `moving`.

use std::sync::Arc;

use haul_proto::ftp::server::{Ask, Login, Outcome, Trouble};
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
use crate::{depot::Visitor, hooks::Whence, log::Event};

impl Conversation {
    pub(super) fn begin(&mut self, ask: Ask) {
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
                        let (Whose { session, address }, why) = (self.whose(), error.to_string());
                        self.house.log.tell(Event::NoDataPort { session, why: why.clone(), address });
                        Outcome::Refused(Trouble::CannotListen(why))
                    }
                };
                self.session.complete(outcome);
            }
            Ask::Unlisten => self.pending = None,
            Ask::Who => {
                // Those without a name see none but their own address.
                let user = self.visitor.as_ref().map(|visitor| visitor.account().owner());
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

    pub(super) async fn done(&mut self, done: Done) {
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
                    let name =
                        if let Outcome::Started { name, .. } = &started { name.as_deref() } else { None };
                    if let Some(record) = record {
                        record.begun(&self.place, cargo.from(), name);
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

    fn entered(&mut self, mut entered: Entered) {
        let account = entered.visitor.as_ref().map(Visitor::account);
        if let Some(full) = account.and_then(|account| self.house.belongs(&self.place, account).err()) {
            (entered.login, entered.visitor) = (Login::Never { why: full.words().to_owned() }, None);
        }
        if !(entered.shown && entered.login == Login::No) {
            self.house.log.tell(self.whose().entered(&entered));
        }
        if let Some(visitor) = entered.visitor {
            self.place.called(&visitor.account().owner());
            self.clock.came_in(Moment::now(), visitor.account().bounds.left());
            let pace = self.house.pace(visitor.account());
            let Whose { session, address } = self.whose();
            let whence = Whence { session, address, protocol: PROTOCOL };
            self.visitor = Some(visitor.at(pace).coming(whence));
        }
        self.clock.said(Moment::now());
        self.session.complete(Outcome::Login(entered.login));
    }
}
