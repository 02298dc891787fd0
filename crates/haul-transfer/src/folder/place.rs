//! The URL of a folder, in one form: with its path alone, so that names can be put behind it.

use haul_proto::ftp::path::FtpPath;
use url::{Position, Url};

use crate::put::url_in_folder;

/// Where a folder is.
#[derive(Clone, Debug)]
pub(crate) struct FolderPlace {
    /// Its URL without `;type=`, and without a slash at its end.
    pub(crate) url: Url,
    /// Its path as commands take it.
    pub(crate) path: FtpPath,
}

impl FolderPlace {
    pub(crate) fn of(url: &Url) -> Result<Self, &'static str> {
        // FTP has no query: what looks like one is part of the name.
        let path = FtpPath::from_url(&url[Position::BeforePath..Position::AfterQuery])
            .map_err(|_| "the URL's path contains what no FTP command can carry (a line end, a NUL byte)")?;
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        bare.set_path(if path.is_absolute() { "/%2F" } else { "/" });
        let url = path.segments().iter().fold(bare, |url, name| url_in_folder(&url, name));
        Ok(Self { url, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_url_and_what_is_in_it_another() {
        for (url, bare, pathname) in [
            ("ftp://h/", "ftp://h/", ""),
            ("ftp://h", "ftp://h/", ""),
            ("ftp://u:p@h:21/a%20b/;type=d", "ftp://u:p@h/a%20b", "a b"),
            ("ftp://h/a?b/", "ftp://h/a%3Fb", "a?b"),
            ("ftp://h//etc/", "ftp://h/%2F/etc", "/etc"),
            ("ftp://h/%2f", "ftp://h/%2F", "/"),
            ("ftps://h/x/y", "ftps://h/x/y", "x/y"),
        ] {
            let place = FolderPlace::of(&Url::parse(url).unwrap()).unwrap();
            assert_eq!((place.url.as_str(), &place.path.pathname()[..]), (bare, pathname.as_bytes()));
            let inside = FolderPlace::of(&url_in_folder(&place.url, b"x;type=a")).unwrap();
            assert_eq!(inside.path.segments().last().unwrap(), b"x;type=a");
            assert_eq!(inside.path.is_absolute(), place.path.is_absolute());
        }
    }
}
