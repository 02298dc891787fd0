//! What went wrong, as an answer: the one place of this door where a failure becomes a status, with problem details for
//! whoever reads them (RFC 9457).

use haul_proto::http::problem::{Problem, Value};
use haul_store::StoreError;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{answer::Answer, content::Cut, place::NoPlace};
use crate::{ServerError, house::Full, metrics::Reason};

/// Why a request was not granted.
#[derive(Debug)]
pub(super) struct Trouble {
    problem: Box<Problem>,
    fields: Vec<(HeaderName, HeaderValue)>,
    /// Why, for those who count; where it is not said, its status says enough.
    reason: Option<Reason>,
}

/// What a handler comes to.
pub(super) type Answered = Result<Answer, Trouble>;

impl Trouble {
    /// This status, and why in words.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem::of(status).detail(detail).into()
    }

    /// With this member beside the usual ones.
    #[must_use]
    pub(super) fn and(self, name: &'static str, value: impl Into<Value>) -> Self {
        Self { problem: Box::new(self.problem.member(name, value)), ..self }
    }

    /// With this field.
    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.push((name, value));
        self
    }

    /// With these fields.
    #[must_use]
    pub(super) fn with_all(mut self, fields: HeaderMap) -> Self {
        let mut last = None;
        for (name, value) in fields {
            last = name.or(last);
            self.fields.extend(last.clone().map(|name| (name, value)));
        }
        self
    }

    /// A method that is not for what is there (RFC 9110 §15.5.6).
    pub(super) fn method(allowed: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("here may be {allowed}"))
            .with(header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// Nothing is there.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing of that name")
    }

    /// For this reason.
    #[must_use]
    pub(super) fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Why, for those who count.
    pub(super) fn reason(&self) -> Reason {
        self.reason.unwrap_or_else(|| self.status().into())
    }

    /// The status.
    pub(super) fn status(&self) -> StatusCode {
        self.problem.status()
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), fields: Vec::new(), reason: None }
    }
}

impl From<Trouble> for Answer {
    fn from(Trouble { problem, fields, .. }: Trouble) -> Self {
        Self::new(problem.status())
            .bytes("application/problem+json", problem.body())
            .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .with_all(fields)
    }
}

impl From<NoPlace> for Trouble {
    fn from(NoPlace(why): NoPlace) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }
}

impl From<Cut> for Trouble {
    /// Whoever is still there reads this.
    fn from(Cut(why): Cut) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("the content did not come whole: {why}"))
            .because(Reason::Cut)
    }
}

impl From<Full> for Trouble {
    /// There will be a place once others have gone.
    fn from(full: Full) -> Self {
        let status = match full {
            Full::InAll => StatusCode::SERVICE_UNAVAILABLE,
            Full::ForAddress | Full::ForUser => StatusCode::TOO_MANY_REQUESTS,
            Full::Network => {
                return Self::new(StatusCode::FORBIDDEN, full.words()).because(full.into());
            }
        };
        Self::new(status, full.words())
            .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
            .because(full.into())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        ServerError::from(error).into()
    }
}

impl From<ServerError> for Trouble {
    fn from(error: ServerError) -> Self {
        let (words, reason) = (error.to_string(), Reason::from(&error));
        let told = match error {
            ServerError::Denied => Self::new(StatusCode::FORBIDDEN, "this account may not do that"),
            ServerError::BadPath(_) => Self::new(StatusCode::BAD_REQUEST, words),
            ServerError::Unfinished { at } => Self::new(StatusCode::CONFLICT, words).and("offset", at),
            ServerError::PastEnd { end } => Self::new(StatusCode::CONFLICT, words)
                .and("offset", end)
                .with(HeaderName::from_static("upload-offset"), end.into()),
            ServerError::Unfit(words) => Self::new(StatusCode::CONFLICT, words),
            ServerError::TooMany { .. } => Self::new(StatusCode::INSUFFICIENT_STORAGE, words),
            ServerError::OverQuota => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "your quota is used up, or this is more than is left of it; what came is kept, and can be gone on with once \
                 there is room",
            ),
            ServerError::Counting => Self::new(StatusCode::SERVICE_UNAVAILABLE, words)
                .with(header::RETRY_AFTER, HeaderValue::from_static("5")),
            ServerError::Busy => Self::new(StatusCode::CONFLICT, words)
                .with(header::RETRY_AFTER, HeaderValue::from_static("2")),
            ServerError::Store(error) => of_store(&error),
            ServerError::Setting(_) | ServerError::Other(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, words)
            }
        };
        told.because(reason)
    }
}

/// No path of this machine is told: only what kind of failure it was.
fn of_store(error: &StoreError) -> Trouble {
    let (status, words) = match error {
        StoreError::NoSpace { .. } => (
            StatusCode::INSUFFICIENT_STORAGE,
            "there is no room for it; what came is kept, and can be gone on with once there is",
        ),
        StoreError::Permission { .. } | StoreError::ReadOnly { .. } => {
            (StatusCode::FORBIDDEN, "the server itself may not do that")
        }
        StoreError::Exists { .. } => (StatusCode::PRECONDITION_FAILED, "something has that name already"),
        StoreError::NotAFile { .. } => (StatusCode::CONFLICT, "a folder has that name"),
        StoreError::NotFound { .. } => return Trouble::not_found(),
        StoreError::NotAFolder { .. } => (StatusCode::CONFLICT, "a file is where a folder should be"),
        StoreError::NotEmpty { .. } => (StatusCode::CONFLICT, "the folder is not empty"),
        StoreError::Changed { .. } | StoreError::TakenAway { .. } => {
            (StatusCode::PRECONDITION_FAILED, "it was changed meanwhile")
        }
        StoreError::Fenced { .. } => (StatusCode::CONFLICT, "a newer request goes on with this upload"),
        StoreError::InUse { .. } => (StatusCode::SERVICE_UNAVAILABLE, "another server has this folder"),
        StoreError::OtherMedium { .. } => (StatusCode::CONFLICT, "it would have to move to another medium"),
        StoreError::NewerFormat { .. } | StoreError::Incomplete { .. } | StoreError::Unclaimed { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "what is kept of it cannot be used")
        }
        StoreError::Withdrawn { .. } => (StatusCode::CONFLICT, "it was no longer wanted"),
        StoreError::Io { doing, source, .. } => {
            return Trouble::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{doing}: {}", source.kind()));
        }
    };
    Trouble::new(status, words)
}
