//! What the depot tells of a name, as the session lists it.

use haul_proto::ftp::server::{Listed, May};
use haul_store::Kind;

use crate::{
    account::{Account, Permissions},
    depot::Seen,
};

/// A name as this account sees it, who may do that with it.
pub(super) fn entry(name: Vec<u8>, seen: Seen, account: &Account, may: Permissions) -> Listed {
    let Seen { meta, unfinished } = seen;
    let folder = meta.kind == Kind::Folder;
    // Anonymous creates, and changes nothing that is there.
    let changes = account.anonymous.is_none();
    Listed {
        name,
        folder,
        size: meta.size,
        modified: meta.modified,
        unique: meta.unique,
        mode: meta.mode.unwrap_or(if folder { 0o755 } else { 0o644 }),
        owner: meta.owner.unwrap_or_else(|| ("haul".to_owned(), "haul".to_owned())),
        may: May {
            read: may.read,
            write: may.write && (folder || changes || unfinished),
            delete: may.delete && changes,
            list: may.list,
        },
        unfinished,
    }
}
