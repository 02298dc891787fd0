//! The content of a creation or a PATCH on its way into an upload, and what it comes to.

use std::time::SystemTime;

use haul_proto::http::{
    tus::{Proof, Refusal, trailing},
    upload_field::UPLOAD_OFFSET,
    upload_state::UploadState,
};
use http::StatusCode;

use super::{
    super::super::{
        content::Content,
        receive::{Arriving, Poured, is_fenced},
        trouble::Trouble,
    },
    refused,
};
use crate::depot::{DataEnd, Settled, Visitor};

/// Takes in what comes of an upload that has `length` bytes in all, where that is known.
pub(super) async fn take(
    content: &mut Content,
    mut arriving: Arriving,
    length: Option<u64>,
    proof: Option<Proof>,
) -> Result<UploadState, Trouble> {
    if let Some(proof) = &proof {
        arriving.withhold(&proof.algorithms()).await?;
    }
    let most = length.map(|length| length.saturating_sub(arriving.offset()));
    match arriving.pour(content, most, |_| {}).await {
        Poured::Whole => match shown(content, &mut arriving, proof).await? {
            Ok(()) => ended(arriving, length).await,
            Err(refusal) => Err(kept(refused(&refusal), arriving, None).await),
        },
        Poured::Cut(cut) => Err(kept(cut.into(), arriving, length).await),
        Poured::TooMuch => {
            let length = length.unwrap_or_else(|| arriving.offset());
            Err(kept(refused(&Refusal::PastEnd { length }), arriving, None).await)
        }
        Poured::Failed(error) if is_fenced(&error) => Err(error.into()),
        Poured::Failed(error) => Err(kept(error.into(), arriving, length).await),
    }
}

/// Whether content that came whole is what its sender has. If not, none of it counts.
async fn shown(
    content: &Content,
    arriving: &mut Arriving,
    proof: Option<Proof>,
) -> Result<Result<(), Refusal>, Trouble> {
    let expected = match proof {
        None => return Ok(Ok(())),
        Some(Proof::Said(digest)) => Ok(digest),
        Some(Proof::Trailing) => trailing(&content.trailers()),
    };
    Ok(match expected {
        Ok(digest) if arriving.is_right(&digest).await? => Ok(()),
        Ok(_) => Err(Refusal::Checksum),
        Err(refusal) => Err(refusal),
    })
}

/// What came is safe before it is told: the whole is published, anything else kept.
pub(super) async fn ended(arriving: Arriving, length: Option<u64>) -> Result<UploadState, Trouble> {
    let end = arriving.offset();
    let settled = if length == Some(end) {
        arriving.settle(DataEnd::Clean, "it is not whole").await?
    } else {
        arriving.keep().await?
    };
    match settled {
        Settled::Published(_) => Ok(UploadState::Complete { size: end }),
        Settled::Kept { at, .. } if at < end => {
            let words = "there is no room for all that came";
            Err(at_offset(Trouble::new(StatusCode::INSUFFICIENT_STORAGE, words), at))
        }
        Settled::Kept { at, .. } => Ok(UploadState::Unfinished { offset: at, length }),
    }
}

/// It did not come as it should: what counts of it is kept, and how far that is goes with why.
/// A length that was declared and is reached is the whole, however it ended.
pub(super) async fn kept(trouble: Trouble, arriving: Arriving, length: Option<u64>) -> Trouble {
    let settled = if length == Some(arriving.offset()) {
        arriving.settle(DataEnd::Unclean, "it was cut").await
    } else {
        arriving.keep().await
    };
    match settled {
        Ok(Settled::Kept { at, .. }) => at_offset(trouble, at),
        Ok(Settled::Published(_)) | Err(_) => trouble,
    }
}

fn at_offset(trouble: Trouble, at: u64) -> Trouble {
    trouble.with(UPLOAD_OFFSET, at.into()).and("offset", at)
}

/// When an upload that goes on now is forgotten, if nothing more comes.
pub(super) fn expires(owner: &Visitor) -> Option<SystemTime> {
    SystemTime::now().checked_add(owner.kept_for()?)
}
