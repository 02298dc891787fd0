//! The lines of MLST and MLSD (RFC 3659 §7): facts about a file, a space, and its name.
//!
//! Facts that are unknown or cannot be read count as not told; the name is taken byte for byte.

use haul_core::Modified;

use super::{
    digits,
    entry::{self, Line, Precision, Stamp},
    reply::Reply,
    time,
};

/// What the `type` fact says (RFC 3659 §7.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `file`.
    File,
    /// `dir`.
    Dir,
    /// `cdir`: the folder that is listed.
    Cdir,
    /// `pdir`: the folder above it, or one further above.
    Pdir,
    /// `OS.unix=slink:target`, and its variants without a target.
    Link(Option<Vec<u8>>),
    /// Anything else: a device, a socket.
    Other,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Option<Type>,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The last modification.
    pub modify: Option<Modified>,
    /// The file's identity on that server (§7.5.2).
    pub unique: Option<Vec<u8>>,
    /// What may be done with it (§7.5.5), in small letters.
    pub perm: Option<String>,
    /// Unix permission bits, where told: `UNIX.mode`.
    pub unix_mode: Option<u32>,
    /// The name: in MLSD the entry's own, in MLST a path, as the server chooses.
    pub pathname: Vec<u8>,
}

impl Facts {
    /// The facts in a line of MLSD; `None` where it is none.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let space = end_of_facts(line)?;
        let pathname = line.get(space + 1..).filter(|name| !name.is_empty())?.to_vec();
        let mut facts = Self {
            kind: None,
            size: None,
            modify: None,
            unique: None,
            perm: None,
            unix_mode: None,
            pathname,
        };
        for fact in line.get(..space)?.split(|byte| *byte == b';').filter(|fact| !fact.is_empty()) {
            let equals = fact.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (fact.get(..equals)?, fact.get(equals + 1..)?);
            facts.take(name, value);
        }
        Some(facts)
    }

    /// The facts in the reply to MLST: its second line, which begins with a space in most servers.
    pub fn of_mlst(reply: &Reply) -> Option<Self> {
        if reply.code().get() != 250 {
            return None;
        }
        let line = reply.inner_lines().first()?;
        Self::parse(line.strip_prefix(b" ").unwrap_or(line))
    }

    /// What the line is in a list. Without a type there is no telling a file from a folder: it is unreadable.
    pub fn into_line(self) -> Line {
        let stamp = self.modify.map(|modified| Stamp { modified, precision: Precision::Exact });
        let kind = match self.kind {
            Some(Type::File) => entry::Kind::File,
            Some(Type::Dir) => entry::Kind::Folder,
            Some(Type::Link(target)) => entry::Kind::Link { target },
            Some(Type::Cdir | Type::Pdir | Type::Other) => return Line::Nothing,
            None => return Line::Unreadable,
        };
        Line::entry(&self.pathname, kind, self.size, stamp)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) {
        match name.to_ascii_lowercase().as_slice() {
            b"type" => self.kind = Some(type_of(value)),
            b"size" => self.size = digits::number(value),
            b"modify" => self.modify = time::parse(value),
            b"unique" => self.unique = (!value.is_empty()).then(|| value.to_vec()),
            b"perm" => self.perm = str::from_utf8(value).ok().map(str::to_ascii_lowercase),
            b"unix.mode" => self.unix_mode = mode(value),
            _ => {}
        }
    }
}

/// One line of MLSD, as an entry of a list.
pub fn parse(line: &[u8]) -> Line {
    if line.trim_ascii().is_empty() {
        return Line::Nothing;
    }
    Facts::parse(line).map_or(Line::Unreadable, Facts::into_line)
}

/// Where the space between facts and name is: the first, unless a link's target has that one.
fn end_of_facts(line: &[u8]) -> Option<usize> {
    let first = line.iter().position(|byte| *byte == b' ')?;
    let before = line.get(..first)?;
    if before.is_empty() || before.ends_with(b";") {
        return Some(first);
    }
    let fact = before.rsplit(|byte| *byte == b';').next()?;
    if fact.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"type=")) {
        let end = line.windows(2).position(|pair| pair == b"; ");
        return Some(end.map_or(first, |semicolon| semicolon + 1));
    }
    // The last fact lacks its semicolon.
    Some(first)
}

fn type_of(value: &[u8]) -> Type {
    match value.to_ascii_lowercase().as_slice() {
        b"file" => Type::File,
        b"dir" => Type::Dir,
        b"cdir" => Type::Cdir,
        b"pdir" => Type::Pdir,
        lower => link(lower, value).unwrap_or(Type::Other),
    }
}

fn link(lower: &[u8], value: &[u8]) -> Option<Type> {
    let word =
        [&b"os.unix=slink"[..], b"os.unix=symlink"].into_iter().find(|word| lower.starts_with(word))?;
    match value.get(word.len()..)? {
        [] | [b':'] => Some(Type::Link(None)),
        [b':', target @ ..] => Some(Type::Link(Some(target.to_vec()))),
        _ => None,
    }
}

/// Octal digits, at most what 12 bits and a file type take.
fn mode(value: &[u8]) -> Option<u32> {
    let octal = (1..=7).contains(&value.len()) && value.iter().all(|byte| matches!(byte, b'0'..=b'7'));
    octal.then(|| value.iter().fold(0, |mode, digit| mode << 3 | u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(line: &str) -> Facts {
        Facts::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn facts_are_read() {
        let read = facts(
            "Type=file;Size=25730;Modify=19940728095854.25;Perm=RF;Unique=4g;UNIX.mode=0644;X.y=z; cap 60.txt\r",
        );
        assert_eq!((read.kind, read.size), (Some(Type::File), Some(25730)));
        assert_eq!(read.modify.unwrap().nanos, 250_000_000);
        assert_eq!((read.perm.as_deref(), read.unique.as_deref()), (Some("rf"), Some(&b"4g"[..])));
        assert_eq!((read.unix_mode, &read.pathname[..]), (Some(0o644), &b"cap 60.txt"[..]));
    }

    #[test]
    fn names_are_kept_byte_for_byte() {
        for name in [&b" a"[..], b"a; b", b"a=b;", b"\xff", b"a ", b"-> x"] {
            for before in [&b"type=file; "[..], b" ", b"size=1 ", b"type=OS.unix=slink:/a b; "] {
                let line = [before, name].concat();
                assert_eq!(
                    Facts::parse(&line).unwrap().pathname,
                    name,
                    "{:?}",
                    String::from_utf8_lossy(&line)
                );
            }
        }
    }

    #[test]
    fn bad_values_count_as_not_told() {
        let read = facts("type=;size=-1;modify=yesterday;perm=;unique=;unix.mode=9; a");
        let expected = Facts {
            kind: Some(Type::Other),
            size: None,
            modify: None,
            unique: None,
            perm: Some(String::new()),
            unix_mode: None,
            pathname: b"a".to_vec(),
        };
        assert_eq!(read, expected);
        for bad in ["", "a", "type=file;", "type=file; ", "type=file;size a", "Total 3"] {
            assert_eq!(Facts::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn every_type_is_known() {
        let kind = |value: &str| facts(&format!("type={value}; a")).kind.unwrap();
        assert_eq!(kind("DIR"), Type::Dir);
        assert_eq!(kind("cdir"), Type::Cdir);
        assert_eq!(kind("pdir"), Type::Pdir);
        assert_eq!(kind("OS.unix=slink:/A b"), Type::Link(Some(b"/A b".to_vec())));
        assert_eq!(kind("OS.UNIX=slink"), Type::Link(None));
        assert_eq!(kind("OS.unix=symlink"), Type::Link(None));
        assert_eq!(kind("OS.unix=chr-13/29"), Type::Other);
        assert_eq!(kind("OS.unix=slinky"), Type::Other);
    }

    #[test]
    fn mlst_is_the_second_line() {
        let of = |line: &[u8]| {
            Facts::of_mlst(&Reply::new(250, &[b"Begin", line, b"End"])).map(|facts| facts.pathname)
        };
        assert_eq!(of(b" type=file; /a b").unwrap(), b"/a b");
        assert_eq!(of(b"type=file; /a b").unwrap(), b"/a b");
        assert_eq!(of(b"  /a b").unwrap(), b"/a b");
        assert_eq!(Facts::of_mlst(&Reply::new(250, &[b" type=file; a"])), None);
        assert_eq!(Facts::of_mlst(&Reply::new(550, &[b"", b" type=file; a", b""])), None);
    }

    #[test]
    fn lines_become_entries() {
        let Line::Entry(entry) = parse(b"type=file;size=3;modify=20240229120000; a") else { panic!() };
        assert_eq!((entry.name.as_bytes(), entry.kind, entry.size), (&b"a"[..], entry::Kind::File, Some(3)));
        assert_eq!(entry.stamp.unwrap().precision, Precision::Exact);
        assert_eq!(parse(b"type=cdir; /a"), Line::Nothing);
        assert_eq!(parse(b"type=dir; .."), Line::Nothing);
        assert_eq!(parse(b"type=file; ../a"), Line::Unsafe(b"../a".to_vec()));
        assert_eq!(parse(b"size=3; a"), Line::Unreadable);
        assert_eq!(parse(b"\r"), Line::Nothing);
    }

    proptest! {
        #[test]
        fn never_panics(any: Vec<u8>, near in "((type|size|modify|x)=?(file|dir|OS.unix=slink:|1)?;?){0,4} ?[a/. ]{0,4}") {
            for line in [any, near.into_bytes()] {
                let _ = parse(&line);
                let _ = Facts::of_mlst(&Reply::new(250, &[b"", &line, b""]));
            }
        }
    }
}
