//! A request whose bytes are on their way: pieces go in, an answer comes out, perhaps before all of them are there.
//!
//! Whoever drops it breaks the connection, so that a part never looks like the whole.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::transfer::Trouble;
use haul_proto::http::upload_client::{self, Told};
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use url::Url;

use super::caller::{Answered, answered};
use crate::{
    connect::{Connection, Pieces},
    source::{Failed, broken},
};

/// How long the answer behind the last byte may take: a server may have to move the file, or look for viruses.
const CONFIRMATION: Duration = Duration::from_secs(600);
/// How long the answer of a connection that takes no more is waited for.
const REASON: Duration = Duration::from_secs(2);
/// How often it is looked whether bytes move.
const LOOK: Duration = Duration::from_millis(250);
/// How often an announcement is looked for.
const MOMENT: Duration = Duration::from_millis(2);

type Answer = Pin<Box<dyn Future<Output = Result<Response<Incoming>, hyper::Error>> + Send>>;

/// What interim answers have told so far.
#[derive(Debug, Default)]
pub(super) struct Interim {
    /// Where the upload is: of several announcements the first counts.
    pub(super) location: Option<String>,
    /// So many bytes are safe.
    pub(super) offset: Option<u64>,
    /// What else the announcement says.
    pub(super) told: Told,
}

impl Interim {
    pub(super) fn hear(&mut self, location: Option<String>, offset: Option<u64>, headers: &HeaderMap) {
        if location.is_some() && self.location.is_none() {
            self.location = location;
            self.told = upload_client::draft(headers);
        }
        self.offset = offset.or(self.offset);
    }
}

/// What interim answers to a request tell, now and later.
#[derive(Debug)]
pub(super) struct Heard(Arc<Mutex<Interim>>);

impl Heard {
    /// Where the upload is, how many bytes are safe, and what else the announcement says.
    pub(super) fn now(&self) -> (Option<String>, Option<u64>, Told) {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (heard.location.clone(), heard.offset, heard.told)
    }
}

/// One request under way.
pub(super) struct Running {
    url: Url,
    connection: Connection,
    pieces: Pieces,
    answer: Answer,
    interim: Arc<Mutex<Interim>>,
    /// What the connection had written before this request.
    begun: u64,
    length: Option<u64>,
    handed: u64,
}

/// What came first.
enum Turn {
    Answer(Result<Response<Incoming>, hyper::Error>),
    Taken,
    /// The connection wants no more.
    NoMore,
    /// Nothing yet.
    Later,
}

/// What the bytes of a request end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// The file: the answer is a confirmation, which may take its time.
    File,
    /// A part of it.
    Part,
}

/// Why no more is taken.
pub(super) enum Ended {
    /// The server has answered already.
    Answered(Box<Answered>),
    /// It came to nothing.
    Failed(Failed),
}

impl Running {
    pub(super) fn new(
        url: Url,
        connection: Connection,
        pieces: Pieces,
        answer: Answer,
        interim: Arc<Mutex<Interim>>,
        (begun, length): (u64, Option<u64>),
    ) -> Self {
        Self { url, connection, pieces, answer, interim, begun, length, handed: 0 }
    }

    /// What interim answers told.
    pub(super) fn interim(&self) -> (Option<String>, Option<u64>, Told) {
        self.heard().now()
    }

    /// The same for whoever asks when it is over: the last of them may come with the answer.
    pub(super) fn heard(&self) -> Heard {
        Heard(Arc::clone(&self.interim))
    }

    /// Waits for the URL of the upload to be announced, for this long at most. `Err` where the server has answered, or
    /// the connection broke.
    pub(super) async fn announced(mut self, longest: Duration) -> Result<Self, Ended> {
        let until = Instant::now() + longest;
        while Instant::now() < until && self.interim().0.is_none() {
            tokio::select! {
                biased;
                answer = &mut self.answer => return Err(self.ended(answer)),
                () = tokio::time::sleep(MOMENT) => {}
            }
        }
        Ok(self)
    }

    /// Hands over a piece, as soon as the connection can take it. `patience`: no byte taken for so long ends it.
    pub(super) async fn hand(mut self, piece: Bytes, patience: Duration) -> Result<Self, Ended> {
        let mut moved = (self.connection.written(), Instant::now());
        let turn = loop {
            let turn = tokio::select! {
                biased;
                answer = &mut self.answer => Turn::Answer(answer),
                room = self.pieces.room() => match room {
                    Ok(room) => {
                        self.handed += piece.len() as u64;
                        room.take(piece.clone());
                        Turn::Taken
                    }
                    Err(_) => Turn::NoMore,
                },
                () = tokio::time::sleep(LOOK) => Turn::Later,
            };
            match turn {
                Turn::Later if self.stands_still(&mut moved, patience) => return Err(stalled(patience)),
                Turn::Later => {}
                turn => break turn,
            }
        };
        match turn {
            Turn::Answer(answer) => Err(self.ended(answer)),
            Turn::Taken | Turn::Later => Ok(self),
            // Its answer says why, where there is one.
            Turn::NoMore => Err(self.reason().await),
        }
    }

    /// That was all; waits for the answer.
    pub(super) async fn end(mut self, patience: Duration, ends: Ends) -> Result<Answered, Failed> {
        if self.length.is_none() {
            // A connection that has gone says so below.
            let ended = tokio::time::timeout(patience, self.pieces.room()).await;
            if let Ok(Ok(room)) = ended {
                room.end();
            }
        }
        let mut moved = (self.connection.written(), Instant::now());
        loop {
            tokio::select! {
                biased;
                answer = &mut self.answer => return match self.ended(answer) {
                    Ended::Answered(answered) => Ok(*answered),
                    Ended::Failed(failed) => Err(failed),
                },
                () = tokio::time::sleep(LOOK) => {}
            }
            let out = self.connection.written().saturating_sub(self.begun) >= self.handed;
            let longest = match ends {
                Ends::File if out => CONFIRMATION.max(patience),
                Ends::File | Ends::Part => patience,
            };
            if self.stands_still(&mut moved, longest) {
                let message = format!("no answer within {} s", longest.as_secs_f64());
                return Err(Failed::new(Trouble::Broken, message));
            }
        }
    }

    fn stands_still(&self, moved: &mut (u64, Instant), patience: Duration) -> bool {
        let now = self.connection.written();
        if now != moved.0 {
            *moved = (now, Instant::now());
        }
        moved.1.elapsed() >= patience
    }

    async fn reason(mut self) -> Ended {
        match tokio::time::timeout(REASON, &mut self.answer).await {
            Ok(answer) => self.ended(answer),
            Err(_elapsed) => {
                Ended::Failed(Failed::new(Trouble::Broken, "the connection takes no more bytes"))
            }
        }
    }

    fn ended(self, answer: Result<Response<Incoming>, hyper::Error>) -> Ended {
        match answer {
            Ok(response) => Ended::Answered(Box::new(answered(response, &self.url, self.connection))),
            Err(error) => Ended::Failed(broken(&error)),
        }
    }
}

fn stalled(patience: Duration) -> Ended {
    let message = format!("the server took no byte for {} s", patience.as_secs_f64());
    Ended::Failed(Failed::new(Trouble::Broken, message))
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("handed", &self.handed).finish_non_exhaustive()
    }
}
