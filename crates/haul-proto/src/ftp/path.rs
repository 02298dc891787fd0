//! The path of an ftp URL (RFC 1738 §3.2.2): percent-encoded segments, relative to the folder a login begins in, and
//! at its end perhaps `;type=`.
//!
//! As curl has it, a path whose first segment begins with an encoded slash (`/%2Fetc/motd`), or with a second slash
//! (`//etc/motd`), is absolute, and segments are bytes in whatever encoding the URL has. The URL as a whole is parsed
//! elsewhere; FTP has no query, so what a URL parser takes for one belongs to the path that comes in here.

use percent_encoding::percent_decode_str;

use super::entry::EntryName;

/// A path on a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FtpPath {
    absolute: bool,
    /// None is empty, or has a `/` or what no command can carry.
    segments: Vec<Vec<u8>>,
    folder: bool,
    typecode: Option<TypeCode>,
}

/// What `;type=` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeCode {
    /// `a`: as text.
    Ascii,
    /// `i`: as it is.
    Image,
    /// `d`: it is a folder, to be listed.
    Directory,
}

/// Why a URL's path cannot be one on an FTP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// A CR, LF or NUL, encoded or not.
    #[error("the URL's path contains a line end or a NUL byte, which no FTP command can carry")]
    Forbidden,
}

impl FtpPath {
    /// The path of a URL, with its query if a parser split one off, without its fragment.
    ///
    /// A `%` without two hexadecimal digits stands for itself, and so does a `;type=` with another letter.
    pub fn from_url(path: &str) -> Result<Self, BadPath> {
        let (path, typecode) = split_typecode(path.strip_prefix('/').unwrap_or(path));
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        if decoded.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(BadPath::Forbidden);
        }
        let segments: Vec<Vec<u8>> = decoded
            .split(|byte| *byte == b'/')
            .filter(|segment| !segment.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        let folder = segments.is_empty() || decoded.ends_with(b"/") || typecode == Some(TypeCode::Directory);
        Ok(Self { absolute: decoded.starts_with(b"/"), segments, folder, typecode })
    }

    /// Whether it begins at the server's root, not where the login begins.
    pub fn is_absolute(&self) -> bool {
        self.absolute
    }

    /// Whether it says that it is a folder: nothing follows the last slash, or `;type=d`.
    pub fn is_folder(&self) -> bool {
        self.folder
    }

    /// The segments, none of them empty.
    pub fn segments(&self) -> &[Vec<u8>] {
        &self.segments
    }

    /// What `;type=` asks for.
    pub fn typecode(&self) -> Option<TypeCode> {
        self.typecode
    }

    /// The path as commands take it. Empty for the folder that the login begins in.
    pub fn pathname(&self) -> Vec<u8> {
        let mut pathname = self.segments.join(&b'/');
        if self.absolute {
            pathname.insert(0, b'/');
        }
        pathname
    }

    /// The folder that it is in; `None` for where paths begin.
    pub fn parent(&self) -> Option<Self> {
        let (_, folders) = self.segments.split_last()?;
        Some(Self { segments: folders.to_vec(), folder: true, typecode: None, ..*self })
    }

    /// An entry of this folder.
    pub fn child(&self, name: &EntryName, folder: bool) -> Self {
        let mut segments = self.segments.clone();
        segments.push(name.as_bytes().to_vec());
        Self {
            absolute: self.absolute,
            segments,
            folder,
            typecode: self.typecode.filter(|code| *code != TypeCode::Directory),
        }
    }
}

fn split_typecode(path: &str) -> (&str, Option<TypeCode>) {
    let Some((before, code)) = path.rsplit_once(';') else { return (path, None) };
    let code = match code.to_ascii_lowercase().as_str() {
        "type=a" => TypeCode::Ascii,
        "type=i" => TypeCode::Image,
        "type=d" => TypeCode::Directory,
        _ => return (path, None),
    };
    (before, Some(code))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::entry::safe_entry_name, *};

    fn pathname(path: &str) -> Vec<u8> {
        FtpPath::from_url(path).unwrap().pathname()
    }

    #[test]
    fn paths_are_relative_to_the_login_unless_they_say_otherwise() {
        assert_eq!(pathname("/a/b.iso"), b"a/b.iso");
        assert_eq!(pathname("/%2Fetc/motd"), b"/etc/motd");
        assert_eq!(pathname("/%2fetc%2Fmotd"), b"/etc/motd");
        assert_eq!(pathname("//etc/motd"), b"/etc/motd");
        assert_eq!(pathname("/%2F/etc//motd"), b"/etc/motd");
        assert_eq!(pathname("/~a/b"), b"~a/b");
        assert_eq!(pathname(""), b"");
        assert_eq!(pathname("/"), b"");
        assert_eq!(pathname("/%2F"), b"/");
    }

    #[test]
    fn segments_are_bytes() {
        assert_eq!(pathname("/%ff%C3%A9%20é"), b"\xff\xc3\xa9 \xc3\xa9");
        assert_eq!(pathname("/100%/%zz?x=1"), b"100%/%zz?x=1");
    }

    #[test]
    fn what_no_command_can_carry_is_refused() {
        for bad in ["/a%0d%0aDELE b", "/%0A", "/%0d", "/a%00", "/a\nb"] {
            assert_eq!(FtpPath::from_url(bad), Err(BadPath::Forbidden), "{bad:?}");
        }
    }

    #[test]
    fn types_are_split_off() {
        let typecode =
            |path| FtpPath::from_url(path).map(|path| (path.pathname(), path.typecode(), path.is_folder()));
        assert_eq!(typecode("/a;type=i"), Ok((b"a".to_vec(), Some(TypeCode::Image), false)));
        assert_eq!(typecode("/a;TYPE=A"), Ok((b"a".to_vec(), Some(TypeCode::Ascii), false)));
        assert_eq!(typecode("/a;type=d"), Ok((b"a".to_vec(), Some(TypeCode::Directory), true)));
        assert_eq!(typecode("/a;type=x"), Ok((b"a;type=x".to_vec(), None, false)));
        assert_eq!(typecode("/a%3Btype=i"), Ok((b"a;type=i".to_vec(), None, false)));
    }

    #[test]
    fn folders_have_entries_and_are_in_one() {
        let folder = FtpPath::from_url("/%2Fa/b/").unwrap();
        assert!(folder.is_folder() && folder.is_absolute());
        let file = folder.child(&safe_entry_name(b"c \xff").unwrap(), false);
        assert_eq!((file.pathname(), file.is_folder()), (b"/a/b/c \xff".to_vec(), false));
        assert_eq!(file.parent(), Some(folder));
        let root = FtpPath::from_url("/%2F").unwrap();
        assert_eq!((root.is_folder(), root.parent()), (true, None));
    }

    proptest! {
        #[test]
        fn never_panics_and_has_only_whole_segments(any: String, near in "(%2F|%0|[a/.;]|%ff|;type=[aidx]){0,12}") {
            for path in [any, near].iter().filter_map(|text| FtpPath::from_url(text).ok()) {
                for segment in path.segments() {
                    prop_assert!(!segment.is_empty() && !segment.iter().any(|byte| matches!(byte, b'/' | b'\r' | b'\n' | 0)));
                }
            }
        }
    }
}
