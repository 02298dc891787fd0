//! What the session asks that is no transfer: one question of the depot or the accounts, one answer.

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use haul_core::TreePath;
use haul_proto::ftp::server::{Ask, Login, Outcome, Password, Ranges, Trouble};

use super::{entry::entry, list, sum, trouble::trouble};
use crate::{
    ServerError,
    accounts::{Accounts, Entry, Presented},
    depot::{Depot, Visitor},
    metrics::Reason,
};

/// Something that is being done.
pub(super) type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What came of a login.
pub(super) struct Entered {
    pub(super) login: Login,
    pub(super) visitor: Option<Visitor>,
    pub(super) user: Vec<u8>,
    /// By a certificate that was shown: whoever is not known by it may have a password.
    pub(super) shown: bool,
    /// For how long still the address is not listened to.
    pub(super) refused_for: Option<Duration>,
}

impl Entered {
    /// Why somebody was not let in, for those who count.
    pub(super) fn refused(&self) -> Option<Reason> {
        match (&self.login, self.refused_for) {
            (Login::Welcome { .. }, _) => None,
            (Login::No, _) => Some(Reason::Login),
            (Login::Barred { .. }, _) => Some(Reason::Barred),
            (Login::Never { .. }, Some(_)) => Some(Reason::Throttled),
            // With a right password: there is no room for another session.
            (Login::Never { .. }, None) => Some(Reason::SessionsOfUser),
        }
    }
}

/// Lets somebody in, or not.
pub(super) async fn enter(
    accounts: Arc<Accounts>,
    depot: Arc<Depot>,
    (user, password): (Vec<u8>, Password),
    peer: IpAddr,
) -> Entered {
    let entry = accounts.login(&user, password.as_bytes(), peer).await;
    entered(&depot, user, entry, false)
}

/// The same by a certificate that was shown.
pub(super) fn recognise(
    accounts: &Accounts,
    depot: &Arc<Depot>,
    (user, presented): (Vec<u8>, Option<&Presented>),
    peer: IpAddr,
) -> Entered {
    let entry = presented.map_or(Entry::No, |presented| accounts.recognise(&user, presented, peer));
    entered(depot, user, entry, true)
}

fn entered(depot: &Arc<Depot>, user: Vec<u8>, entry: Entry, shown: bool) -> Entered {
    let mut refused_for = None;
    let (login, visitor) = match entry {
        Entry::In(account) => {
            let banner = format!("Welcome, {}", account.name);
            (Login::Welcome { banner }, Some(depot.visitor(account)))
        }
        Entry::No => (Login::No, None),
        Entry::Barred(barred) => (Login::Barred { why: barred.words().to_owned() }, None),
        Entry::Refused(left) => {
            let why = format!("Too many failed logins from your address; wait {} s", left.as_secs().max(1));
            refused_for = Some(left);
            (Login::Never { why }, None)
        }
    };
    Entered { login, visitor, user, shown, refused_for }
}

/// Answers everything that needs a visitor and no connection.
pub(super) async fn answer(visitor: Visitor, ask: Ask) -> Outcome {
    answered(&visitor, ask).await.unwrap_or_else(Outcome::Refused)
}

async fn answered(visitor: &Visitor, ask: Ask) -> Result<Outcome, Trouble> {
    let told = |error: ServerError| trouble(&error);
    let done = |(): ()| Outcome::Done;
    match ask {
        Ask::Look(path) => {
            let seen = visitor.stat(&path).await.map_err(told)?;
            let account = visitor.account();
            Ok(Outcome::Seen(entry(path.name().to_vec(), seen, account, account.may_at(&path))))
        }
        Ask::LookInto(path) => {
            let entries = list::for_reply(visitor, &path).await.map_err(told)?;
            Ok(Outcome::Listed { entries, now: list::now() })
        }
        Ask::MakeFolder(path) => visitor.make_folder(&path).await.map(done).map_err(told),
        Ask::RemoveFolder(path) => visitor.remove_folder(&path).await.map(done).map_err(told),
        Ask::Remove(path) => visitor.remove(&path).await.map(done).map_err(told),
        Ask::Rename { from, to } => visitor.rename(&from, &to).await.map(done).map_err(told),
        Ask::SetModified(path, to) => visitor.set_modified(&path, to).await.map(done).map_err(told),
        Ask::SetMode(path, mode) => visitor.set_mode(&path, mode).await.map(done).map_err(told),
        Ask::Sum { path, kind, from, to } => sum::sum(visitor, &path, kind, from, to).await,
        Ask::AsciiSize(path) => sum::ascii_size(visitor, &path).await,
        Ask::Ranges(path) => ranges(visitor, &path).await,
        Ask::Space(path) => visitor.space(&path).await.map(Outcome::Space).map_err(told),
        Ask::Login { .. }
        | Ask::Recognise { .. }
        | Ask::Host(_)
        | Ask::AnyHost
        | Ask::Listen { .. }
        | Ask::Unlisten
        | Ask::Who
        | Ask::Transfer(_)
        | Ask::Figures
        | Ask::Abort => Err(Trouble::Local("that is not for the depot".to_owned())),
    }
}

/// What is there of an unfinished upload; where there is none it is not found.
async fn ranges(visitor: &Visitor, path: &TreePath) -> Result<Outcome, Trouble> {
    let ranges = visitor.ranges(path).await.map_err(|error| trouble(&error))?;
    let ranges = ranges.ok_or(Trouble::NotFound)?;
    let there = ranges.there.iter().map(|range| (range.start(), range.end())).collect();
    Ok(Outcome::Ranges(Ranges { upload: ranges.id, size: ranges.declared, there }))
}
