//! What is written down of a session: who came in, which files went which way, what was changed in the tree.
//!
//! Paths are those of the served tree, not of the account's home, so that a line means the same for everybody.

use std::{net::IpAddr, sync::Arc};

use haul_core::TreePath;
use haul_proto::ftp::server::{
    Ask, Form, Incomplete, Login, StoreWish, Style, Transfer, Transferred, Trouble, What,
};

use super::{ask::Entered, figures::Figures};
use crate::{
    House,
    account::Account,
    house::{OnItsWay, Place},
    log::{self, Change, Direction, Ended, Event},
    metrics::{Dialect, DoorName},
};

/// Whose session it is, for its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose {
    pub(super) session: u64,
    pub(super) address: IpAddr,
    pub(super) door: DoorName,
}

/// A path of an account as one of the whole tree.
fn whole(account: &Account, path: &TreePath) -> TreePath {
    account.home.join(path.as_bytes()).unwrap_or_else(|_| path.clone())
}

impl Whose {
    /// What is told of a try to log in.
    pub(super) fn entered(self, entered: &Entered) -> Event {
        let Self { session, address, door } = self;
        match (&entered.login, entered.refused_for) {
            (Login::Welcome { .. }, _) => {
                let user = entered.visitor.as_ref().map(|visitor| visitor.account().name.clone());
                Event::LoggedIn { session, door, user: user.unwrap_or_default(), address }
            }
            (Login::Never { .. }, Some(remaining)) => {
                Event::LoginRefused { session, door, address, remaining }
            }
            (Login::Barred { why } | Login::Never { why }, _) => {
                Event::LoginBarred { session, door, user: entered.user.clone(), address, why: why.clone() }
            }
            (Login::No, _) => Event::LoginFailed { session, door, user: entered.user.clone(), address },
        }
    }

    /// What is told once this is done, where it changes something.
    pub(super) fn change(self, account: &Account, ask: &Ask) -> Option<Event> {
        let (what, path, to) = match ask {
            Ask::MakeFolder(path) => (Change::FolderMade, path, None),
            Ask::RemoveFolder(path) => (Change::FolderRemoved, path, None),
            Ask::Remove(path) => (Change::Removed, path, None),
            Ask::Rename { from, to } => (Change::Renamed, from, Some(whole(account, to))),
            Ask::SetModified(path, _) => (Change::Dated, path, None),
            Ask::SetMode(path, _) => (Change::ModeSet, path, None),
            _ => return None,
        };
        let Self { session, address, door } = self;
        let (user, path) = (account.name.clone(), whole(account, path));
        Some(Event::Changed { session, door, user, address, what, path, to })
    }
}

/// A transfer of a file, to be told when it has ended.
pub(super) struct Record {
    told: log::Transfer,
    figures: Arc<Figures>,
    /// STOU: the path is the folder, until a name is found.
    unnamed: bool,
    /// Once it has begun.
    underway: Option<OnItsWay>,
}

impl Record {
    /// Of a file; lists are not written down.
    pub(super) fn of(
        whose: Whose,
        account: &Account,
        transfer: &Transfer,
        figures: &Arc<Figures>,
    ) -> Option<Self> {
        let (direction, path, unnamed, part) = match &transfer.what {
            What::Retrieve(wanted) => (Direction::Sent, &wanted.path, false, wanted.to.is_some()),
            What::Store { path, wish, .. } => {
                let part = matches!(wish, StoreWish::Range { .. });
                (Direction::Received, path, *wish == StoreWish::Unique, part)
            }
            What::List { .. } => return None,
        };
        let told = log::Transfer {
            session: whose.session,
            user: account.name.clone(),
            anonymous: account.anonymous.is_some(),
            address: whose.address,
            door: whose.door,
            dialect: if part { Dialect::Range } else { Dialect::Stream },
            resumed: false,
            replaced: false,
            direction,
            path: whole(account, path),
            from: 0,
            bytes: 0,
            took: std::time::Duration::ZERO,
            ascii: transfer.shape.form == Form::Ascii,
            protected: transfer.protected,
            ended: Ended::Complete,
        };
        Some(Self { told, figures: Arc::clone(figures), unnamed, underway: None })
    }

    /// It begins at this byte, in the session that has this place; a file of STOU has this name.
    pub(super) fn begun(&mut self, place: &Place, from: u64, name: Option<&[u8]>) {
        self.told.from = from;
        // A range stands for itself.
        self.told.resumed = from > 0 && self.told.dialect == Dialect::Stream;
        if let Some(path) = name.filter(|_| self.unnamed).and_then(|name| self.told.path.join(name).ok()) {
            self.told.path = path;
        }
        self.underway = Some(place.moves(self.told.clone(), Arc::<Figures>::clone(&self.figures)));
    }

    /// Tells of its end.
    pub(super) fn tell(self, house: &House, how: &Transferred) {
        let Self { mut told, figures, .. } = self;
        (told.bytes, told.took, told.ended) = (figures.moved(), figures.took(), ended(how));
        told.replaced = figures.has_replaced();
        match how {
            // A range that is there is no end of a file.
            Transferred::Part { why: None, .. } => house.log.tell(Event::Transferred(told)),
            _ => house.transferred(told, super::PROTOCOL),
        }
    }
}

/// What a session is doing, as SITE WHO tells it.
pub(super) fn command(what: &What) -> String {
    let (verb, path) = match what {
        What::Retrieve(wanted) => ("RETR", &wanted.path),
        What::Store { path, wish, .. } => match wish {
            StoreWish::Anew | StoreWish::From(_) | StoreWish::Range { .. } => ("STOR", path),
            StoreWish::Append => ("APPE", path),
            StoreWish::Unique => ("STOU", path),
        },
        What::List { path, style, .. } => match style {
            Style::Long => ("LIST", path),
            Style::Names => ("NLST", path),
            Style::Facts(_) => ("MLSD", path),
        },
    };
    format!("{verb} {path}")
}

fn ended(how: &Transferred) -> Ended {
    let failed = |why: &str| Ended::Failed { why: why.to_owned() };
    match how {
        Transferred::Complete(_) => Ended::Complete,
        Transferred::Kept { at, why } => Ended::Kept { at: *at, why: incomplete(*why) },
        Transferred::Part { kept, why, .. } => Ended::Kept {
            at: kept.map_or(0, |(_, to)| to),
            why: why.map_or_else(|| "a range of a file, the rest is to come".to_owned(), incomplete),
        },
        Transferred::Aborted { at: Some(at) } => Ended::Kept { at: *at, why: "ABOR".to_owned() },
        Transferred::Aborted { at: None } => failed("ABOR"),
        Transferred::NoData(why) | Transferred::NotProtected(why) | Transferred::Broken(why) => failed(why),
        Transferred::Failed(trouble) => Ended::Failed { why: words(trouble) },
    }
}

fn incomplete(why: Incomplete) -> String {
    match why {
        Incomplete::Broken => "the data connection broke".to_owned(),
        Incomplete::Gone => "the control connection ended with the data, and nobody had said QUIT".to_owned(),
        Incomplete::Short { declared } => format!("{declared} bytes were declared"),
        Incomplete::Stalled => "nothing came for too long".to_owned(),
        Incomplete::NoSpace => "no space left".to_owned(),
        Incomplete::OverQuota => "the quota is used up".to_owned(),
        Incomplete::Full => "more came than the range has, or has left".to_owned(),
        Incomplete::Unended => "the data connection ended before the file did".to_owned(),
        Incomplete::Malformed(why) => why.to_owned(),
        Incomplete::Aborted => "ABOR".to_owned(),
        Incomplete::Stopping => "the server is being stopped".to_owned(),
    }
}

fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::NotFound => "not found".to_owned(),
        Trouble::Exists => "it exists already".to_owned(),
        Trouble::NotAFolder => "not a folder".to_owned(),
        Trouble::NotAFile => "not a file".to_owned(),
        Trouble::NotEmpty => "not empty".to_owned(),
        Trouble::Denied => "permission denied".to_owned(),
        Trouble::BadName => "no such name can be given".to_owned(),
        Trouble::OtherMedium => "that name would be on another medium".to_owned(),
        Trouble::NoSpace => "no space left".to_owned(),
        Trouble::OverQuota => "the quota is used up".to_owned(),
        Trouble::Unfinished { at } => format!("not finished: {at} bytes are there"),
        Trouble::TooMany { unfinished } => format!("{unfinished} uploads are unfinished already"),
        Trouble::PastEnd { end } => format!("only {end} bytes are there"),
        Trouble::Changed => "it has changed meanwhile".to_owned(),
        Trouble::Fenced => "a newer session took over".to_owned(),
        Trouble::Stopping => "the server is being stopped".to_owned(),
        Trouble::Busy(why)
        | Trouble::NoRange(why)
        | Trouble::TooLarge(why)
        | Trouble::CannotListen(why)
        | Trouble::Local(why) => why.clone(),
    }
}
