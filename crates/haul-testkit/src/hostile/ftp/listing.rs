//! What LIST, NLST, MLSD and MLST say (RFC 959, section 4.1.3; RFC 3659, section 7).

use super::behaviour::{Dates, FtpBehaviour, ListStyle, Sizes};
use super::date;
use super::tree::{File, LONG_AGO};

/// The kinds of listings that go over a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    Names,
    Facts,
}

pub(super) fn told_size(file: &File, behaviour: &FtpBehaviour) -> u64 {
    match behaviour.sizes {
        Sizes::Proper | Sizes::OfMode => file.size(),
        Sizes::OffBy(by) => file.size().saturating_add_signed(by),
        Sizes::Always(size) => size,
    }
}

/// `asked` is how often a date was asked for before.
pub(super) fn told_date(file: &File, behaviour: &FtpBehaviour, asked: u64) -> u64 {
    match behaviour.dates {
        Dates::Proper => file.modified,
        Dates::Always(date) => date,
        Dates::Noise => LONG_AGO + asked,
    }
}

/// Each child on a line, and then what the behaviour adds.
pub(super) fn listing(kind: Kind, children: &[(String, Option<File>)], behaviour: &FtpBehaviour) -> String {
    let line = |name: &str, file: Option<&File>| match kind {
        Kind::List => list_line(name, file, behaviour),
        Kind::Names => name.to_owned(),
        Kind::Facts => facts(name, file, behaviour),
    };
    let strange = File::stored(b"not yours".to_vec());
    let own = children.iter().map(|(name, file)| line(name, file.as_ref()));
    let added = behaviour.listed.iter().map(|name| line(name, Some(&strange)));
    own.chain(added).map(|line| line + "\r\n").collect()
}

/// The facts of one entry, as MLST and MLSD have them.
pub(super) fn facts(name: &str, file: Option<&File>, behaviour: &FtpBehaviour) -> String {
    let Some(file) = file else { return format!("type=dir;modify={}; {name}", date::stamp(LONG_AGO)) };
    let mut facts = "type=file;".to_owned();
    if behaviour.knows("SIZE") {
        facts += &format!("size={};", told_size(file, behaviour));
    }
    if behaviour.knows("MDTM") {
        facts += &format!("modify={};", date::stamp(told_date(file, behaviour, 0)));
    }
    format!("{facts} {name}")
}

fn list_line(name: &str, file: Option<&File>, behaviour: &FtpBehaviour) -> String {
    let date = file.map_or(LONG_AGO, |file| told_date(file, behaviour, 0));
    let size = file.map(|file| told_size(file, behaviour));
    match (behaviour.list_style, size) {
        (ListStyle::Unix, Some(size)) => {
            format!("-rw-r--r--   1 haul     haul     {size:>12} {} {name}", date::unix(date))
        }
        (ListStyle::Unix, None) => {
            format!("drwxr-xr-x   2 haul     haul     {:>12} {} {name}", 4096, date::unix(date))
        }
        (ListStyle::Dos, Some(size)) => format!("{}  {size:>18} {name}", date::dos(date)),
        (ListStyle::Dos, None) => format!("{}       <DIR>          {name}", date::dos(date)),
        (ListStyle::Eplf, Some(size)) => format!("+m{date},r,s{size},\t{name}"),
        (ListStyle::Eplf, None) => format!("+m{date},/,\t{name}"),
    }
}
