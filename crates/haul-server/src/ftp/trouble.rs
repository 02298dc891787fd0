//! What went wrong, in the words of the session: the one place of this door where a failure becomes one of its replies.

use haul_proto::ftp::server::Trouble;
use haul_store::StoreError;

use crate::ServerError;

/// A failure as the session tells it.
pub(super) fn trouble(error: &ServerError) -> Trouble {
    match error {
        ServerError::Denied => Trouble::Denied,
        ServerError::BadPath(_) => Trouble::BadName,
        ServerError::Unfinished { at } => Trouble::Unfinished { at: *at },
        ServerError::PastEnd { end } => Trouble::PastEnd { end: *end },
        ServerError::Unfit(words) => Trouble::NoRange(words.clone()),
        ServerError::TooMany { unfinished } => Trouble::TooMany { unfinished: *unfinished },
        ServerError::OverQuota => Trouble::OverQuota,
        ServerError::Busy | ServerError::Counting => Trouble::Busy(error.to_string()),
        ServerError::Store(error) => of_store(error),
        ServerError::Setting(words) | ServerError::Other(words) => Trouble::Local(words.clone()),
    }
}

/// No path of this machine is told: only what kind of failure it was.
fn of_store(error: &StoreError) -> Trouble {
    match error {
        StoreError::NoSpace { .. } => Trouble::NoSpace,
        StoreError::Permission { .. } | StoreError::ReadOnly { .. } => Trouble::Denied,
        StoreError::Exists { .. } => Trouble::Exists,
        StoreError::NotAFile { .. } => Trouble::NotAFile,
        StoreError::NotFound { .. } => Trouble::NotFound,
        StoreError::NotAFolder { .. } => Trouble::NotAFolder,
        StoreError::NotEmpty { .. } => Trouble::NotEmpty,
        StoreError::Changed { .. } | StoreError::TakenAway { .. } => Trouble::Changed,
        StoreError::Fenced { .. } => Trouble::Fenced,
        StoreError::InUse { .. } => Trouble::Busy("another server has this folder".to_owned()),
        StoreError::OtherMedium { .. } => Trouble::OtherMedium,
        StoreError::NewerFormat { .. } | StoreError::Incomplete { .. } | StoreError::Unclaimed { .. } => {
            Trouble::Local("what is kept of it cannot be used".to_owned())
        }
        StoreError::Withdrawn { .. } => Trouble::Local("it was no longer wanted".to_owned()),
        StoreError::Io { doing, source, .. } => Trouble::Local(format!("{doing}: {}", source.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_another_server_has_is_told_in_plain_words() {
        let told = of_store(&StoreError::InUse { path: "/f".into(), pid: None });
        assert_eq!(told, Trouble::Busy("another server has this folder".to_owned()));
    }
}
