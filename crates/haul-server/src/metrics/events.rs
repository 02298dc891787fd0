//! What is counted of what is told to the log: everything that happens passes there once, whatever the door.

use super::{
    Metrics,
    label::{Outcome, Result},
    now,
};
use crate::log::{Ended, Event, Told, Transfer};

impl Metrics {
    /// This has happened.
    pub(crate) fn saw(&self, event: &Event) {
        match event {
            Event::Connected { door, .. } => self.sessions.at(*door).add(1),
            Event::LoggedIn { door, .. } => self.logins.at(*door).add(1),
            Event::Transferred(transfer) => self.moved(transfer),
            Event::Changed { door, what, .. } => self.changes.at((*door, *what)).add(1),
            Event::Dropped { .. } => self.dropped.add(1),
            Event::Reloaded => {
                self.reloads.at(Result::Done).add(1);
                self.reloaded.set(now());
                self.reload_failed.set(0);
            }
            Event::NotReloaded { .. } => {
                self.reloads.at(Result::Failed).add(1);
                self.reload_failed.set(1);
            }
            Event::Hook { told: Told::Heard, .. } => self.hooks.at(Result::Done).add(1),
            Event::Hook { told: Told::Again { .. }, .. } => self.hooks.at(Result::Failed).add(1),
            Event::Hook { told: Told::GivenUp { .. }, .. } => {
                self.hooks.at(Result::Failed).add(1);
                self.hooks_given_up.add(1);
            }
            // What was refused is counted where it is known why.
            Event::LoginFailed { .. }
            | Event::LoginRefused { .. }
            | Event::LoginBarred { .. }
            | Event::Refused { .. }
            | Event::NoDataPort { .. }
            | Event::Closed { .. }
            | Event::CertificateMade { .. }
            | Event::Sandbox { .. }
            | Event::Stopping { .. }
            | Event::Problem { .. } => {}
        }
    }

    fn moved(&self, transfer: &Transfer) {
        let (door, way) = (transfer.door, transfer.direction);
        let outcome = match &transfer.ended {
            Ended::Complete => Outcome::Complete,
            Ended::Kept { .. } => Outcome::Kept,
            Ended::Failed { .. } => Outcome::Failed,
        };
        self.transfers.at(((door, transfer.dialect), (way, outcome))).add(1);
        self.took.at((door, way)).add(transfer.took);
        if transfer.resumed {
            self.resumes.at((door, way)).add(1);
            self.saved.at((door, way)).add(transfer.from);
        }
    }
}
