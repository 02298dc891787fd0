//! Lines of MLST and MLSD, written (RFC 3659 §7): facts, one space, a name, and which facts a client chose.
//!
//! A fact that would not be true, or that nobody here knows, is left out, which §7.5 allows: no size of a folder, no
//! date that a time-val cannot say. Dates have whole seconds, because that is what most clients read; two versions of
//! a file never share one. Lines have no line end, since one goes into a reply and the other into a list.

use haul_core::Modified;

use super::step::{Listed, May};
use crate::ftp::time;

/// A fact that can be told, as a bit of [`Chosen`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fact {
    Type = 1,
    Size = 2,
    Modify = 4,
    Perm = 8,
    Unique = 16,
    UnixMode = 32,
}

/// All of them, in the order in which they are written.
const FACTS: [(Fact, &str); 6] = [
    (Fact::Type, "type"),
    (Fact::Size, "size"),
    (Fact::Modify, "modify"),
    (Fact::Perm, "perm"),
    (Fact::Unique, "unique"),
    (Fact::UnixMode, "UNIX.mode"),
];

/// Which facts a client wants; all of them until it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen(u8);

impl Default for Chosen {
    fn default() -> Self {
        Self(FACTS.iter().fold(0, |all, (fact, _)| all | *fact as u8))
    }
}

impl Chosen {
    /// What `OPTS MLST` chooses: its argument is facts, each with a semicolon behind it. A name that is no fact here is
    /// passed over (§7.9), so no argument at all chooses none.
    pub fn parse(argument: &[u8]) -> Self {
        let named = argument.trim_ascii().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        Self(named.fold(0, |chosen, name| {
            let known = FACTS.iter().find(|(_, fact)| fact.as_bytes().eq_ignore_ascii_case(name));
            chosen | known.map_or(0, |(fact, _)| *fact as u8)
        }))
    }

    /// The text of the 200 to `OPTS MLST`: what will be told from now on.
    pub fn answer(self) -> String {
        let told: String = self.names().map(|name| format!("{name};")).collect();
        if told.is_empty() { "MLST OPTS".to_owned() } else { format!("MLST OPTS {told}") }
    }

    /// The line of FEAT: all facts, those that are told with a star (§7.8).
    pub fn feature(self) -> String {
        let fact = |(fact, name): &(Fact, &str)| format!("{name}{};", if self.has(*fact) { "*" } else { "" });
        format!("MLST {}", FACTS.iter().map(fact).collect::<String>())
    }

    fn has(self, fact: Fact) -> bool {
        self.0 & fact as u8 != 0
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        FACTS.iter().filter(move |(fact, _)| self.has(*fact)).map(|(_, name)| *name)
    }
}

/// A line of MLSD: the entry has its own name, and `.` and `..` are the folder and the one above it.
pub fn line(listed: &Listed, chosen: Chosen) -> Vec<u8> {
    let kind = match (listed.folder, listed.name.as_slice()) {
        (true, b".") => "cdir",
        (true, b"..") => "pdir",
        (true, _) => "dir",
        (false, _) => "file",
    };
    write(listed, kind, &listed.name, chosen)
}

/// The line of MLST, without the space before it: the name is a path, as the server chooses (§7.2).
pub fn line_of(path: &[u8], listed: &Listed, chosen: Chosen) -> Vec<u8> {
    write(listed, if listed.folder { "dir" } else { "file" }, path, chosen)
}

fn write(listed: &Listed, kind: &str, name: &[u8], chosen: Chosen) -> Vec<u8> {
    let mut line = Vec::with_capacity(112 + name.len());
    for (fact, key) in FACTS {
        let value = match fact {
            _ if !chosen.has(fact) => None,
            Fact::Type => Some(kind.to_owned()),
            Fact::Size => (!listed.folder).then(|| listed.size.to_string()),
            Fact::Modify => time::time_val(Modified { nanos: 0, ..listed.modified }),
            Fact::Perm => Some(perm(listed, name)),
            Fact::Unique => unique(&listed.unique),
            Fact::UnixMode => Some(format!("{:04o}", listed.mode & 0o7777)),
        };
        if let Some(value) = value {
            line.extend_from_slice(key.as_bytes());
            line.push(b'=');
            line.extend_from_slice(value.as_bytes());
            line.push(b';');
        }
    }
    line.push(b' ');
    line.extend_from_slice(name);
    line
}

/// What may be done (§7.5.5). Of an unfinished upload nothing can be read; a root, and the two dots that may be one,
/// are never said to be removable.
fn perm(listed: &Listed, name: &[u8]) -> String {
    let May { read, write, delete, list } = listed.may;
    let movable = delete && !matches!(name, b"/" | b"." | b"..");
    let letters = if listed.folder {
        vec![
            ('c', write),
            ('d', movable),
            ('e', true),
            ('f', movable),
            ('l', list),
            ('m', write),
            ('p', delete),
        ]
    } else {
        let read = read && !listed.unfinished;
        vec![('a', write), ('d', movable), ('f', movable), ('r', read), ('w', write)]
    };
    letters.into_iter().filter(|(_, may)| *may).map(|(letter, _)| letter).collect()
}

/// An identity is opaque bytes: one that could end a fact goes out in hexadecimal, and so does one that looks as if it
/// were, so that two never look the same.
fn unique(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let plain = bytes.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b'='));
    match str::from_utf8(bytes) {
        Ok(text) if plain && !text.starts_with("0x") => Some(text.to_owned()),
        _ => Some(bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ftp::{
        facts::{Facts, Type},
        feat::Features,
        reply::Reply,
    };

    fn file(name: &[u8]) -> Listed {
        Listed {
            name: name.to_vec(),
            folder: false,
            size: 25730,
            modified: Modified { seconds: 897_904_845, nanos: 5, strong: false },
            unique: b"8g1".to_vec(),
            mode: 0o644,
            owner: ("a".to_owned(), "b".to_owned()),
            may: May { read: true, write: true, delete: true, list: true },
            unfinished: false,
        }
    }

    fn read(listed: &Listed) -> Facts {
        Facts::parse(&line(listed, Chosen::default())).unwrap()
    }

    #[test]
    fn a_line_is_what_the_document_shows() {
        let text = line(&file(b"cap 60.txt"), Chosen::default());
        let expected =
            "type=file;size=25730;modify=19980615100045;perm=adfrw;unique=8g1;UNIX.mode=0644; cap 60.txt";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn our_own_client_reads_it() {
        let read = read(&file(b" a; b=c"));
        assert_eq!((read.kind, read.size), (Some(Type::File), Some(25730)));
        assert_eq!(read.modify.map(|modify| (modify.seconds, modify.nanos)), Some((897_904_845, 0)));
        assert_eq!((read.unique.as_deref(), read.unix_mode), (Some(&b"8g1"[..]), Some(0o644)));
        assert_eq!(read.pathname, b" a; b=c");
    }

    #[test]
    fn the_two_dots_have_types_of_their_own() {
        for (name, kind) in [(&b"."[..], Type::Cdir), (b"..", Type::Pdir), (b"a", Type::Dir)] {
            assert_eq!(read(&Listed { folder: true, ..file(name) }).kind, Some(kind));
        }
        let mlst = line_of(b"/", &Listed { folder: true, ..file(b".") }, Chosen::default());
        assert!(mlst.starts_with(b"type=dir;modify="), "a folder has no size");
        assert!(mlst.ends_with(b"; /"));
    }

    #[test]
    fn perm_tells_what_may_be_done_and_no_more() {
        let nothing = May::default();
        let perm = |listed: Listed| read(&listed).perm.unwrap();
        assert_eq!(perm(file(b"a")), "adfrw");
        assert_eq!(perm(Listed { unfinished: true, ..file(b"a") }), "adfw");
        assert_eq!(perm(Listed { may: May { read: true, ..nothing }, ..file(b"a") }), "r");
        assert_eq!(perm(Listed { may: nothing, ..file(b"a") }), "");
        assert_eq!(perm(Listed { folder: true, ..file(b"a") }), "cdeflmp");
        assert_eq!(perm(Listed { folder: true, ..file(b".") }), "celmp");
        assert_eq!(perm(Listed { folder: true, may: May { list: true, ..nothing }, ..file(b"a") }), "el");
    }

    #[test]
    fn facts_are_chosen_by_name() {
        let some = Chosen::parse(b"size;TYPE;nonsense;");
        assert_eq!(some.answer(), "MLST OPTS type;size;");
        assert_eq!(line(&file(b"a"), some), b"type=file;size=25730; a");
        assert_eq!(Chosen::parse(b"").answer(), "MLST OPTS");
        assert_eq!(line(&file(b"a"), Chosen::parse(b";")), b" a");
        assert_eq!(Chosen::parse(b"unix.MODE").answer(), "MLST OPTS UNIX.mode;");
    }

    #[test]
    fn feat_marks_what_is_told() {
        assert_eq!(Chosen::parse(b"size;type;").feature(), "MLST type*;size*;modify;perm;unique;UNIX.mode;");
        let features = Features::of(&Reply::new(211, &[b"", Chosen::default().feature().as_bytes(), b""]));
        assert!(features.is_some_and(|features| features.mlsd && features.tells("unix.mode")));
    }

    #[test]
    fn what_cannot_be_said_is_left_out() {
        let never = Modified { seconds: i64::MAX, nanos: 0, strong: false };
        let read = read(&Listed { unique: Vec::new(), modified: never, ..file(b"a") });
        assert_eq!((read.unique, read.modify), (None, None));
    }

    proptest! {
        #[test]
        fn every_name_and_identity_comes_back(
            name in "[^\r\n\0/]{1,40}", unique: Vec<u8>, other: Vec<u8>, size: u64, mode in 0..0o1_0000_u32,
        ) {
            let listed = Listed { size, mode, unique: unique.clone(), ..file(name.as_bytes()) };
            let back = read(&listed);
            prop_assert_eq!(&back.pathname, name.as_bytes());
            prop_assert_eq!((back.size, back.unix_mode), (Some(size), Some(mode)));
            let different = read(&Listed { unique: other.clone(), ..listed }).unique;
            prop_assert_eq!(different == back.unique, unique == other);
        }
    }
}
