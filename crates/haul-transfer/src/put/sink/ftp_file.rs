//! A file on an FTP server as a URL means it: its path, the name that it has until it is complete, and the folders above
//! it (RFC 1738 §3.2). Pure.

use haul_core::upload::Name;
use haul_proto::ftp::{
    entry::safe_entry_name,
    path::{FtpPath, TypeCode},
};
use url::Url;

use crate::{connect::Origin, credentials::Login, ftp::Place, put::job::MakeFolders};

/// What a file is called until it is complete.
const TEMPORARY: &[u8] = b".part";

/// A file on a server, and how it may be written.
#[derive(Clone, Debug)]
pub(crate) struct FtpFile {
    pub(super) place: Place,
    pub(super) target: FtpPath,
    pub(super) path: Vec<u8>,
    pub(super) temporary: Vec<u8>,
    pub(super) make_folders: MakeFolders,
}

impl FtpFile {
    /// The file of a URL.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn of(url: &Url, login: Login, make_folders: MakeFolders) -> Result<Self, &'static str> {
        let origin = Origin::of(url).ok_or("the URL names no host")?;
        // FTP has no query: what looks like one is part of the name.
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let target = FtpPath::from_url(path)
            .map_err(|_| "the name contains what no FTP command can carry (a line end, a NUL byte)")?;
        let last = target.segments().last().filter(|_| !target.is_folder());
        let last = last.ok_or("this is a folder and not a file")?;
        if target.typecode() == Some(TypeCode::Ascii) {
            return Err("the URL asks for a transfer as text (;type=a), which cannot be resumed");
        }
        // `..` at a server is somewhere else than the URL says.
        let safe = target.segments().iter().all(|segment| !matches!(&segment[..], b"." | b".."));
        if !safe || safe_entry_name(last).is_none() {
            return Err("the path leads elsewhere than it seems (`.`, `..`)");
        }
        let path = target.pathname();
        let temporary = [&path[..], TEMPORARY].concat();
        Ok(Self { place: Place { origin, login }, target, path, temporary, make_folders })
    }

    /// Its path under one of its names.
    pub(super) fn path(&self, name: Name) -> &[u8] {
        match name {
            Name::Target => &self.path,
            Name::Temporary => &self.temporary,
        }
    }

    /// The folders that may be made, outermost first, and the innermost of those that may not.
    pub(super) fn folders(&self) -> Vec<Vec<u8>> {
        let mut folders = Vec::new();
        let mut folder = self.target.parent();
        while let Some(path) = folder.filter(|path| !path.segments().is_empty()) {
            folders.push(path.pathname());
            folder = path.parent();
        }
        match self.make_folders {
            MakeFolders::Never => folders.clear(),
            MakeFolders::Last(count) => folders.truncate(count),
            MakeFolders::All => {}
        }
        folders.reverse();
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secrets;

    fn file(url: &str, make_folders: MakeFolders) -> Result<FtpFile, &'static str> {
        let url = Url::parse(url).unwrap();
        FtpFile::of(&url, Secrets::default().login_for(&url, &url), make_folders)
    }

    #[test]
    fn a_url_is_a_file_with_a_temporary_name_beside_it() {
        let found = file("ftp://h/a/b%20c.iso", MakeFolders::Never).unwrap();
        assert_eq!((&found.path[..], &found.temporary[..]), (&b"a/b c.iso"[..], &b"a/b c.iso.part"[..]));
        for bad in ["ftp://h/", "ftp://h/a/", "ftp://h/a%0Ab", "ftp://h/a;type=a", "ftp://h/%2E%2E%2Fb"] {
            assert!(file(bad, MakeFolders::Never).is_err(), "{bad}");
        }
    }

    #[test]
    fn folders_are_made_from_the_outermost_that_may_be_made() {
        let folders = |make| {
            let folders = file("ftp://h/%2Fa/b/c/f", make).unwrap().folders();
            folders.into_iter().map(|path| String::from_utf8(path).unwrap()).collect::<Vec<_>>()
        };
        assert!(folders(MakeFolders::Never).is_empty());
        assert_eq!(folders(MakeFolders::All), ["/a", "/a/b", "/a/b/c"]);
        assert_eq!(folders(MakeFolders::Last(1)), ["/a/b/c"]);
        assert_eq!(folders(MakeFolders::Last(9)), ["/a", "/a/b", "/a/b/c"]);
    }
}
