//! What a caller asks for: one file, to where, and how careful.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use haul_core::{
    Digest,
    upload::{IfExists, Verify},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use url::Url;

use super::sink::Protocol;

/// What stays as it is in a name of a URL: the unreserved characters (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// This file.
    File(PathBuf),
    /// Standard input, once.
    Stdin,
}

impl From {
    /// The local file's path; none for standard input.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdin => None,
        }
    }
}

/// Which folders are made at the far end where they are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MakeFolders {
    /// None.
    #[default]
    Never,
    /// The last so many of the path: those of a tree that is sent.
    Last(usize),
    /// All of the path.
    All,
}

/// One file to send.
#[derive(Clone, Debug)]
pub struct PutJob {
    /// What is sent.
    pub from: From,
    /// Where it goes: the file itself, never a folder.
    pub url: Url,
    /// Send it as text (TYPE A): line ends become those of the far end's system, and nothing can be continued. So does a
    /// URL that ends in `;type=a`.
    pub text: bool,
    /// Over HTTP: which dialect is spoken.
    pub protocol: Protocol,
    /// So many connections, where the far end takes parts of the file beside each other.
    pub lanes: usize,
    /// What the local file's digest must be before it is sent, and the far end's afterwards, where it can be told.
    pub checksum: Option<Digest>,
    /// What is checked before a part at the far end is continued.
    pub verify: Verify,
    /// What to do about a file of others.
    pub if_exists: Option<IfExists>,
    /// Send what is unfinished from its first byte.
    pub restart: bool,
    /// Send it as NAME.part, and rename it when it is complete.
    pub temporary: bool,
    /// Missing folders.
    pub make_folders: MakeFolders,
    /// Failures in a row without progress before giving up; `None` is never.
    pub retries: Option<u32>,
    /// No byte taken for so long: the connection is given up.
    pub timeout: Duration,
    /// The folder in which is remembered what was begun; `None` remembers nothing.
    pub state: Option<PathBuf>,
}

impl PutJob {
    /// A job with the defaults of `haul put`.
    pub fn new(from: From, url: Url) -> Self {
        Self {
            from,
            url,
            text: false,
            protocol: Protocol::Auto,
            lanes: 1,
            checksum: None,
            verify: Verify::Auto,
            if_exists: None,
            restart: false,
            temporary: false,
            make_folders: MakeFolders::Never,
            retries: Some(20),
            timeout: Duration::from_secs(30),
            state: None,
        }
    }
}

/// The URL of what has this name, in the system's bytes, in the folder of a URL (with or without a slash at its end).
pub fn url_in_folder(folder: &Url, name: &[u8]) -> Url {
    let mut url = folder.clone();
    let slash = if folder.path().ends_with('/') { "" } else { "/" };
    url.set_path(&format!("{}{slash}{}", folder.path(), percent_encode(name, ESCAPED)));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_folder_is_that_name_whatever_is_in_it() {
        let folder = Url::parse("ftp://h/a%2Fb/").unwrap();
        for (name, expected) in [
            (&b"x.iso"[..], "ftp://h/a%2Fb/x.iso"),
            (b"a b;type=a", "ftp://h/a%2Fb/a%20b%3Btype%3Da"),
            (b"50%?#", "ftp://h/a%2Fb/50%25%3F%23"),
            (b"\xff\n", "ftp://h/a%2Fb/%FF%0A"),
        ] {
            assert_eq!(url_in_folder(&folder, name).as_str(), expected);
        }
        let without = Url::parse("ftp://h/a").unwrap();
        assert_eq!(url_in_folder(&without, b"b").as_str(), "ftp://h/a/b");
    }
}
