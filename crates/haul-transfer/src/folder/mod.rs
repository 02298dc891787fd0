//! Folders on FTP servers: what is in one ([`list`]), and a whole tree brought here ([`Walk`]).
//!
//! ```text
//!   Walk ─ visit ─▶ Door ─ session ─ CWD, MLSD or LIST ─▶ Listing
//!    │                                    names made safe, links and loops told apart, local folders made
//!    └─▶ Found: a file to fetch │ one that is here already │ what was left out, and why
//! ```
//! Only lists are read here; each file is an ordinary transfer. A tree is walked folder by folder as its files are
//! asked for, so that what is held is one folder's entries and the names of those that wait.

mod ground;
mod names;
mod place;
mod visit;
mod walk;

use haul_proto::ftp::entry::Entry;
use url::Url;

pub(crate) use place::FolderPlace;
pub(crate) use visit::Door;
pub use walk::{Found, Walk, tree_name};

use self::visit::Wanted;
use crate::{
    client::{Client, Stop},
    escape::{escape, place as shown},
    failure::{Failure, Kind},
};

/// What is in a folder.
#[derive(Debug)]
pub struct FolderList {
    /// Its entries, in the order of names.
    pub entries: Vec<Entry>,
    /// What a user should know of the list, in plain sentences (escaped for a terminal).
    pub remarks: Vec<String>,
}

/// Whether a URL says that it is a folder: nothing follows its last slash, or it ends in `;type=d`. FTP only: elsewhere
/// such a URL is a page like any other.
pub fn is_folder(url: &Url) -> bool {
    matches!(url.scheme(), "ftp" | "ftps") && FolderPlace::of(url).is_ok_and(|place| place.path.is_folder())
}

/// What is in the folder of an ftp:// or ftps:// URL. `retries` as in [`crate::Job`].
///
/// # Errors
/// [`Failure`], which says what happened.
pub async fn list(
    client: &Client,
    url: &Url,
    retries: Option<u32>,
    stop: &Stop,
) -> Result<FolderList, Failure> {
    let usage = |why| Failure::new(Kind::Usage, format!("{}: {why}", shown(url)));
    let place = FolderPlace::of(url).map_err(usage)?;
    let door = client.ftp_door(url).map_err(usage)?;
    let said = shown(url);
    let listing = tokio::select! {
        listing = door.visit(&place.path, &said, retries, Wanted { identity: false, undated: |_: &Entry| false }) => listing?,
        () = stop.stopped() => return Err(Failure::new(Kind::Interrupted, "interrupted")),
    };
    let remarks = listing.remarks();
    let mut entries: Vec<_> = listing.seen.into_iter().map(|seen| seen.item.entry).collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(FolderList { entries, remarks })
}

/// Bytes of a name as they may be shown: what is no UTF-8 as `%FF`, what a terminal would obey as `\u{1b}`.
pub fn told(name: &[u8]) -> String {
    escape(&names::text(name))
}
