//! Why something was refused, from whatever a door knows of it.

use haul_proto::ftp::server::{Incomplete, Outcome, Transferred, Trouble};
use haul_store::StoreError;
use http::StatusCode;

use super::Reason;
use crate::{ServerError, house::Full};

impl From<Full> for Reason {
    fn from(full: Full) -> Self {
        match full {
            Full::InAll => Self::Sessions,
            Full::ForAddress => Self::SessionsOfAddress,
            Full::ForUser => Self::SessionsOfUser,
            Full::Network => Self::Network,
        }
    }
}

impl From<&ServerError> for Reason {
    fn from(error: &ServerError) -> Self {
        match error {
            ServerError::Denied => Self::Permission,
            ServerError::BadPath(_) => Self::BadName,
            ServerError::Unfinished { .. } | ServerError::PastEnd { .. } | ServerError::Unfit(_) => {
                Self::BadOffset
            }
            ServerError::TooMany { .. } => Self::Unfinished,
            ServerError::OverQuota => Self::Quota,
            ServerError::Busy | ServerError::Counting => Self::Busy,
            ServerError::Store(error) => error.into(),
            ServerError::Setting(_) | ServerError::Other(_) => Self::Internal,
        }
    }
}

impl From<&StoreError> for Reason {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::NoSpace { .. } => Self::DiskFull,
            StoreError::Permission { .. } | StoreError::ReadOnly { .. } => Self::Permission,
            StoreError::NotFound { .. } => Self::NotFound,
            StoreError::Exists { .. }
            | StoreError::NotAFile { .. }
            | StoreError::NotAFolder { .. }
            | StoreError::NotEmpty { .. }
            | StoreError::OtherMedium { .. } => Self::Conflict,
            StoreError::Changed { .. } | StoreError::TakenAway { .. } => Self::Precondition,
            StoreError::Fenced { .. } => Self::Fenced,
            StoreError::InUse { .. } => Self::Busy,
            StoreError::Withdrawn { .. }
            | StoreError::NewerFormat { .. }
            | StoreError::Incomplete { .. }
            | StoreError::Unclaimed { .. }
            | StoreError::Io { .. } => Self::Internal,
        }
    }
}

impl From<StatusCode> for Reason {
    /// Where nothing more is known than what is told.
    fn from(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Credentials,
            StatusCode::FORBIDDEN => Self::Permission,
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::NotFound,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED => Self::Precondition,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::RANGE_NOT_SATISFIABLE => Self::BadOffset,
            StatusCode::LOCKED | StatusCode::TOO_MANY_REQUESTS => Self::Busy,
            StatusCode::SERVICE_UNAVAILABLE => Self::Stopping,
            StatusCode::INSUFFICIENT_STORAGE => Self::DiskFull,
            // tus: the checksum is another one.
            status if status.as_u16() == 460 => Self::Checksum,
            status if status.is_server_error() => Self::Internal,
            _ => Self::Request,
        }
    }
}

impl Reason {
    /// Why this outcome is none that its client wanted.
    pub(crate) fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Refused(trouble) => Some(trouble.into()),
            Outcome::Transferred(told) => Self::of_transfer(told),
            // Why somebody was not let in is known better than it is told.
            Outcome::Login(_)
            | Outcome::Host(_)
            | Outcome::Marked { .. }
            | Outcome::Listening(_)
            | Outcome::Seen(_)
            | Outcome::Listed { .. }
            | Outcome::Done
            | Outcome::Sum(_)
            | Outcome::AsciiSize(_)
            | Outcome::Space(_)
            | Outcome::Who(_)
            | Outcome::Started { .. }
            | Outcome::StartedPart { .. }
            | Outcome::Ranges(_)
            | Outcome::Figures(_) => None,
        }
    }

    /// A transfer that a client ends, or that breaks, is refused nothing.
    fn of_transfer(told: &Transferred) -> Option<Self> {
        match told {
            Transferred::Failed(trouble) => Some(trouble.into()),
            Transferred::NoData(_) | Transferred::NotProtected(_) => Some(Self::Data),
            Transferred::Kept { why, .. } | Transferred::Part { why: Some(why), .. } => match why {
                Incomplete::NoSpace => Some(Self::DiskFull),
                Incomplete::OverQuota => Some(Self::Quota),
                Incomplete::Full => Some(Self::BadOffset),
                Incomplete::Broken
                | Incomplete::Gone
                | Incomplete::Short { .. }
                | Incomplete::Stalled
                | Incomplete::Unended
                | Incomplete::Malformed(_)
                | Incomplete::Aborted
                | Incomplete::Stopping => None,
            },
            Transferred::Complete(_)
            | Transferred::Part { why: None, .. }
            | Transferred::Aborted { .. }
            | Transferred::Broken(_) => None,
        }
    }
}

impl From<&Trouble> for Reason {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::NotFound => Self::NotFound,
            Trouble::Exists
            | Trouble::NotAFolder
            | Trouble::NotAFile
            | Trouble::NotEmpty
            | Trouble::OtherMedium => Self::Conflict,
            Trouble::Denied => Self::Permission,
            Trouble::BadName => Self::BadName,
            Trouble::NoSpace => Self::DiskFull,
            Trouble::OverQuota => Self::Quota,
            Trouble::TooMany { .. } => Self::Unfinished,
            Trouble::Unfinished { .. } | Trouble::PastEnd { .. } | Trouble::NoRange(_) => Self::BadOffset,
            Trouble::Changed => Self::Precondition,
            Trouble::Fenced => Self::Fenced,
            Trouble::Stopping => Self::Stopping,
            Trouble::Busy(_) => Self::Busy,
            Trouble::TooLarge(_) => Self::TooLarge,
            Trouble::CannotListen(_) => Self::Data,
            Trouble::Local(_) => Self::Internal,
        }
    }
}
