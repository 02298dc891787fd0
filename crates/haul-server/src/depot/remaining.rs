//! Every unfinished upload, of whomever, for whoever runs the server: what there is, and giving some of it up. The rules
//! are the same as for its owner: what is being received is not taken from anybody, and the seat and the lease come first.

use std::sync::Arc;

use haul_core::TreePath;
use haul_store::{Outstanding, StageId, Unfinished, UploadKey};

use super::{Depot, Seen, visitor::ASIDE};
use crate::ServerError;

/// An unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Its name, which no other upload has had: printable, without blanks.
    pub id: String,
    /// The account, or `anonymous@ADDRESS`.
    pub owner: String,
    /// What it becomes, in the served tree; of a part, only on which medium it lies.
    pub path: TreePath,
    /// Whether it is a part of what is put together later (tus).
    pub part: bool,
    /// So many bytes can be gone on from.
    pub offset: u64,
    /// So many more lie behind, of an upload that comes in ranges.
    pub beyond: u64,
    /// The size that was declared.
    pub declared: Option<u64>,
    /// When it was last written to, in seconds since 1970.
    pub touched: i64,
    /// Whether somebody has it at the moment.
    pub receiving: bool,
}

/// What became of an upload that was to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It is gone.
    Yes,
    /// Bytes come at the moment.
    Busy,
    /// There is none of this name, or no longer.
    Gone,
}

impl Remaining {
    /// What a ledger remembers, while nobody receives it.
    pub fn of(key: UploadKey, record: Unfinished) -> Self {
        let Unfinished { stage: StageId(id), offset, beyond, declared, touched, .. } = record;
        let owner = key.owner.strip_suffix(ASIDE);
        let (owner, part) = owner.map_or((key.owner.as_str(), false), |owner| (owner, true));
        let beyond = beyond.total();
        Self {
            id,
            owner: owner.to_owned(),
            path: key.path,
            part,
            offset,
            beyond,
            declared,
            touched,
            receiving: false,
        }
    }

    fn key(&self) -> UploadKey {
        let aside = if self.part { ASIDE } else { "" };
        UploadKey { owner: format!("{}{aside}", self.owner), path: self.path.clone() }
    }

    /// The same while it is received.
    fn received(mut self, seen: Option<Seen>) -> Self {
        self.receiving = true;
        if let Some(Seen { meta, .. }) = seen.filter(|seen| seen.meta.unique == self.id.as_bytes()) {
            (self.offset, self.touched) = (self.offset.max(meta.size), meta.modified.seconds);
        }
        self
    }
}

impl Depot {
    /// How much is unfinished in all.
    pub async fn outstanding(&self) -> Result<Outstanding, ServerError> {
        if self.rules.in_place {
            return Ok(Outstanding::default());
        }
        Ok(self.ledger.outstanding().await?)
    }

    /// How many bytes may still be written to the medium of the served folder; `None` where nobody knows.
    pub async fn room(&self) -> Result<Option<u64>, ServerError> {
        Ok(self.store.space(&TreePath::ROOT).await?)
    }

    /// All unfinished uploads, by place and owner.
    pub async fn remaining(&self) -> Result<Vec<Remaining>, ServerError> {
        if self.rules.in_place {
            return Ok(Vec::new());
        }
        let known = self.ledger.within(&TreePath::ROOT).await?.into_iter();
        let told = known.map(|(key, record)| {
            let seat = self.seats.of(&key);
            let remaining = Remaining::of(key, record);
            match seat {
                Some(_) => {
                    let seen = self.seats.seen(&remaining.key());
                    remaining.received(seen)
                }
                None => remaining,
            }
        });
        Ok(told.collect())
    }

    /// Drops what the last server has left of these uploads, before anybody comes in: those whose notes are such. How
    /// many.
    pub(crate) async fn drop_noted(
        self: &Arc<Self>,
        such: impl Fn(&[u8]) -> bool,
    ) -> Result<usize, ServerError> {
        let mut dropped = 0;
        if self.rules.in_place {
            return Ok(dropped);
        }
        for (key, record) in self.ledger.within(&TreePath::ROOT).await? {
            if such(&record.note)
                && let Some(sitting) = self.sit_if_free(&key)
            {
                dropped += usize::from(self.drop_unfinished(&sitting.seat.key).await?);
            }
        }
        Ok(dropped)
    }

    /// Gives an unfinished upload up, whosever it is. Who has received nothing for as long as the rules say is ended.
    pub async fn give_up(self: &Arc<Self>, of: &Remaining) -> Result<GivenUp, ServerError> {
        let key = of.key();
        let sitting = match self.sit(key).await {
            Err(ServerError::Busy) => return Ok(GivenUp::Busy),
            sitting => sitting?,
        };
        let key = &sitting.seat.key;
        let same = self.ledger.load(key).await?.is_some_and(|record| record.stage.0 == of.id);
        if same && self.drop_unfinished(key).await? { Ok(GivenUp::Yes) } else { Ok(GivenUp::Gone) }
    }
}
