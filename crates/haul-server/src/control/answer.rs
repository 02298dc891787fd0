//! What is true of a server: questions of whoever runs it, answered from its house.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Semaphore;

use super::{
    About,
    shape::{Answer, Door, Dropped, Moved, Question, Server, Session, Status, Upload, unix_now},
};
use crate::{
    ServerError,
    depot::{Depot, GivenUp, Remaining},
    house::{House, Moving, Phase, Present},
    log::{Direction, Event},
};

/// The answer to a question.
pub(super) async fn to(question: Question, house: &House, about: &About) -> Answer {
    let answered = match question {
        Question::Status => status(house, about).await.map(|status| Answer::Status(Box::new(status))),
        Question::Uploads => uploads(&house.depot).await.map(Answer::Uploads),
        Question::Drop { ids } => drop_all(house, ids).await.map(Answer::Dropped),
    };
    answered.unwrap_or_else(|error| Answer::Failed(error.to_string()))
}

async fn status(house: &House, about: &About) -> Result<Status, ServerError> {
    let doors = about.doors.iter();
    let server = Server {
        process: std::process::id(),
        version: about.version.to_owned(),
        since: about.started,
        stopping: *house.stop.watch().borrow() != Phase::Open,
        dir: about.dir.to_string_lossy().into_owned(),
        state: about.state.to_string_lossy().into_owned(),
        doors: doors.map(|(name, at)| Door { name: (*name).to_owned(), address: at.to_string() }).collect(),
    };
    let mut present = house.sessions.present();
    present.extend(house.connections.present());
    present.sort_by_key(|present| present.session);
    let sessions = present.into_iter().map(session).collect();
    Ok(Status { server: Some(server), sessions, uploads: uploads(&house.depot).await? })
}

fn session(present: Present) -> Session {
    Session {
        session: present.session,
        door: present.door.to_owned(),
        address: present.address.to_canonical().to_string(),
        user: present.user,
        since: unix_now().saturating_sub_unsigned(present.since.as_secs()),
        doing: present.doing,
        moving: present.moving.iter().map(moved).collect(),
    }
}

fn moved(moving: &Moving) -> Moved {
    let way = match moving.direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    Moved {
        way: way.to_owned(),
        user: moving.user.clone(),
        path: moving.path.to_string(),
        from: moving.from,
        bytes: moving.bytes,
        took: (moving.took.as_secs_f64() * 1000.0).round() / 1000.0,
    }
}

async fn uploads(depot: &Depot) -> Result<Vec<Upload>, ServerError> {
    Ok(depot.remaining().await?.into_iter().map(Upload::from).collect())
}

impl From<Remaining> for Upload {
    fn from(remaining: Remaining) -> Self {
        let age = unix_now().saturating_sub(remaining.touched);
        Self {
            id: remaining.id,
            user: remaining.owner,
            path: remaining.path.to_string(),
            part: remaining.part,
            offset: remaining.offset,
            beyond: remaining.beyond,
            size: remaining.declared,
            touched: remaining.touched,
            age: u64::try_from(age).unwrap_or(0),
            receiving: remaining.receiving,
        }
    }
}

/// So many uploads are given up at the same time: each may wait for a disk, or for whoever may be receiving it.
const AT_ONCE: usize = 16;
const NONE: &str = "there is none of this name, or no longer";

/// Gives them up.
async fn drop_all(house: &House, ids: Vec<String>) -> Result<Vec<Dropped>, ServerError> {
    let known: HashMap<String, Remaining> =
        house.depot.remaining().await?.into_iter().map(|it| (it.id.clone(), it)).collect();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    // In tasks: what was begun is done to its end, whoever asked for it and went away.
    let begun = ids.iter().map(|id| {
        let (house, of, room) = (house.clone(), known.get(id).cloned(), Arc::clone(&room));
        tokio::spawn(async move {
            let _place = room.acquire_owned().await;
            match of {
                Some(of) => drop_one(&house, &of).await,
                None => Some(NONE.to_owned()),
            }
        })
    });
    let begun = begun.collect::<Vec<_>>();
    let mut told = Vec::new();
    for (id, done) in ids.into_iter().zip(begun) {
        let why = done.await.unwrap_or_else(|_| Some("it could not be done".to_owned()));
        told.push(Dropped { id, dropped: why.is_none(), why });
    }
    Ok(told)
}

/// Why not, where it was not given up.
async fn drop_one(house: &House, of: &Remaining) -> Option<String> {
    match house.depot.give_up(of).await {
        Ok(GivenUp::Yes) => {
            let (user, path, offset) = (of.owner.clone(), of.path.clone(), of.offset);
            house.log.tell(Event::Dropped { user, path, offset });
            None
        }
        Ok(GivenUp::Busy) => Some("bytes come at the moment".to_owned()),
        Ok(GivenUp::Gone) => Some(NONE.to_owned()),
        Err(error) => Some(error.to_string()),
    }
}
