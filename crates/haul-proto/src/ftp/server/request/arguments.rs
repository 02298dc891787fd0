//! What stands behind a command. A reader gets bytes and gives a [`Request`], or says why it cannot.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use haul_core::Modified;

use super::{List, Opts, Range, Refusal, Request, verbs};
use crate::ftp::{
    digits,
    hash::Kind,
    server::step::{Family, Form, Level, Mode, Scope, Structure},
    time,
};

/// What a reader gives.
pub(super) type Read = Result<Request, Refusal>;

/// The syntax is not that of the row.
pub(super) const WRONG: Refusal = Refusal::Syntax("");

/// AUTH (RFC 4217 §4 and appendix A): `SSL` and `TLS-P` also protect data.
pub(super) fn auth(mechanism: &[u8]) -> Read {
    match mechanism.to_ascii_uppercase().as_slice() {
        b"TLS" | b"TLS-C" => Ok(Request::Auth { data: false }),
        b"SSL" | b"TLS-P" => Ok(Request::Auth { data: true }),
        b"" => Err(WRONG),
        _ => Err(Refusal::Parameter("No such mechanism, use AUTH TLS.")),
    }
}

/// HOST (RFC 7151 §3): a name, or an address, of IPv6 in brackets.
pub(super) fn host(name: &[u8]) -> Read {
    let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
    if name.is_empty() || name.len() > 255 || !name.iter().all(is_one) {
        return Err(WRONG);
    }
    Ok(Request::Host(name.to_vec()))
}

/// PBSZ: any number of 32 bits; TLS needs none (RFC 4217 §9).
pub(super) fn pbsz(size: &[u8]) -> Read {
    let size = digits::number(size).filter(|size| u32::try_from(*size).is_ok());
    size.map(|_| Request::Pbsz).ok_or(WRONG)
}

/// PROT (RFC 4217 §9): S and E make no sense with TLS.
pub(super) fn prot(level: &[u8]) -> Read {
    match level.to_ascii_uppercase().as_slice() {
        b"P" => Ok(Request::Prot { private: true }),
        b"C" => Ok(Request::Prot { private: false }),
        b"S" | b"E" => Err(Refusal::Protection("TLS has only PROT P and PROT C.")),
        b"" => Err(WRONG),
        _ => Err(Refusal::Parameter("There are PROT P and PROT C.")),
    }
}

/// OPTS (RFC 2389 §4).
pub(super) fn opts(argument: &[u8]) -> Read {
    let (name, rest) = first_word(argument);
    let rest = rest.trim_ascii();
    match name.to_ascii_uppercase().as_slice() {
        b"UTF8" | b"UTF-8" if rest.is_empty() || rest.eq_ignore_ascii_case(b"ON") => Ok(verbs::UTF8),
        b"UTF8" | b"UTF-8" => Err(Refusal::Parameter("Names are UTF-8 here, always.")),
        b"MLST" => Ok(Request::Opts(Opts::Mlst(rest.to_vec()))),
        b"HASH" if rest.is_empty() => Ok(Request::Opts(Opts::Hash)),
        b"HASH" => {
            let kind = str::from_utf8(rest).ok().and_then(Kind::of_name);
            let kind = kind.filter(|kind| kind.x_verb().is_some());
            kind.map(|kind| Request::Opts(Opts::HashBy(kind))).ok_or(Refusal::Parameter("No such algorithm."))
        }
        b"MODE" => mode_options(rest),
        b"" => Err(WRONG),
        _ => Err(Refusal::Argument("There are no options for that.")),
    }
}

/// `MODE Z LEVEL n` (draft-preston-ftpext-deflate §3): of its options this one, and an engine that is zlib.
fn mode_options(argument: &[u8]) -> Read {
    let words: Vec<Vec<u8>> = digits::words(argument).map(<[u8]>::to_ascii_uppercase).collect();
    let [mode, options @ ..] = words.as_slice() else { return Err(WRONG) };
    if mode != b"Z" {
        return Err(Refusal::Parameter("There are options of MODE Z only."));
    }
    let mut level = Level::default();
    for option in options.chunks(2) {
        match option {
            [name, value] if name == b"LEVEL" => {
                let told = digits::number(value).and_then(Level::new);
                level = told.ok_or(Refusal::Parameter("There are the levels 0 to 9."))?;
            }
            [name, value] if name == b"ENGINE" && value == b"ZLIB" => {}
            [_, _] => return Err(Refusal::Parameter("There are LEVEL n and ENGINE ZLIB.")),
            _ => return Err(WRONG),
        }
    }
    Ok(Request::Opts(Opts::Level(level)))
}

/// TYPE (RFC 959 §3.1.1).
pub(super) fn form(argument: &[u8]) -> Read {
    match argument.to_ascii_uppercase().as_slice() {
        b"A" | b"A N" => Ok(Request::Type(Form::Ascii)),
        b"I" | b"L 8" | b"L8" => Ok(Request::Type(Form::Image)),
        [b'A' | b'E' | b'L', ..] => {
            Err(Refusal::Parameter("There are TYPE A, TYPE A N, TYPE I and TYPE L 8."))
        }
        _ => Err(WRONG),
    }
}

/// STRU.
pub(super) fn structure(argument: &[u8]) -> Read {
    match argument {
        b"F" | b"f" => Ok(Request::Stru(Structure::File)),
        b"R" | b"r" => Ok(Request::Stru(Structure::Record)),
        b"P" | b"p" => Err(Refusal::Parameter("There are STRU F and STRU R.")),
        _ => Err(WRONG),
    }
}

/// MODE.
pub(super) fn mode(argument: &[u8]) -> Read {
    match argument {
        b"S" | b"s" => Ok(Request::Mode(Mode::Stream)),
        b"B" | b"b" => Ok(Request::Mode(Mode::Block)),
        b"Z" | b"z" => Ok(Request::Mode(Mode::Deflate(Level::default()))),
        b"C" | b"c" => Err(Refusal::Parameter("There are MODE S and MODE B.")),
        _ => Err(WRONG),
    }
}

/// CSID (draft-peterson-streamlined-ftp-command-extensions §3): pairs, of which none is needed here.
pub(super) fn csid(argument: &[u8]) -> Read {
    let mut pairs =
        argument.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty());
    let are_pairs = pairs.all(|pair| pair.iter().position(|byte| *byte == b'=').is_some_and(|at| at > 0));
    if argument.is_empty() || !are_pairs { Err(WRONG) } else { Ok(Request::Csid) }
}

/// LANG (RFC 2640 §4): English, of whatever place.
pub(super) fn lang(argument: &[u8]) -> Read {
    let is_tag = argument.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let first = argument.split(|byte| *byte == b'-').next().unwrap_or_default();
    match first {
        b"" if argument.is_empty() => Ok(Request::Lang),
        first if is_tag && first.eq_ignore_ascii_case(b"EN") => Ok(Request::Lang),
        first if is_tag && (1..=8).contains(&first.len()) => {
            Err(Refusal::Parameter("Replies are in English only."))
        }
        _ => Err(WRONG),
    }
}

/// PORT: six numbers of a byte.
pub(super) fn port(argument: &[u8]) -> Read {
    let bytes: Option<Vec<u8>> = argument
        .split(|byte| *byte == b',')
        .map(|number| u8::try_from(digits::number(number.trim_ascii())?).ok())
        .collect();
    match bytes.as_deref() {
        Some([a, b, c, d, high, low]) => {
            let port = u16::from_be_bytes([*high, *low]);
            Ok(Request::Port(SocketAddrV4::new(Ipv4Addr::new(*a, *b, *c, *d), port)))
        }
        _ => Err(WRONG),
    }
}

/// EPRT (RFC 2428 §2): any delimiter, the protocol by number.
pub(super) fn eprt(argument: &[u8]) -> Read {
    let delimiter = argument.first().filter(|byte| (33..=126).contains(*byte)).ok_or(WRONG)?;
    let parts: Vec<&[u8]> = argument.split(|byte| byte == delimiter).collect();
    let [b"", protocol, address, port, b""] = parts.as_slice() else { return Err(WRONG) };
    let port = digits::number(port).and_then(|port| u16::try_from(port).ok()).ok_or(WRONG)?;
    let address = str::from_utf8(address).map_err(|_| WRONG)?;
    let address = match family(protocol)? {
        Family::V4 => address.parse::<Ipv4Addr>().map(IpAddr::V4),
        Family::V6 => address.parse::<Ipv6Addr>().map(IpAddr::V6),
    };
    Ok(Request::Eprt(SocketAddr::new(address.map_err(|_| WRONG)?, port)))
}

/// EPSV (RFC 2428 §3).
pub(super) fn epsv(argument: &[u8]) -> Read {
    match argument {
        b"" => Ok(Request::Epsv(None)),
        all if all.eq_ignore_ascii_case(b"ALL") => Ok(Request::EpsvAll),
        number => Ok(Request::Epsv(Some(family(number)?))),
    }
}

fn family(number: &[u8]) -> Result<Family, Refusal> {
    match digits::number(number) {
        Some(1) => Ok(Family::V4),
        Some(2) => Ok(Family::V6),
        Some(_) => Err(Refusal::Protocol),
        None => Err(WRONG),
    }
}

/// REST (RFC 3659 §5.3): digits, and nothing but.
pub(super) fn rest(argument: &[u8]) -> Read {
    digits::number(argument).map(Request::Rest).ok_or(WRONG)
}

/// RANG (draft-bryan-ftp-range): the first and the last byte; `1 0` is none. A third word names the unfinished upload that
/// a STOR means: it is ours, and printable.
pub(super) fn rang(argument: &[u8]) -> Read {
    let words: Vec<&[u8]> = digits::words(argument).collect();
    let (numbers, of) = match words.as_slice() {
        [first, last] => ([first, last], None),
        [first, last, of] => ([first, last], Some(name(of)?)),
        _ => return Err(WRONG),
    };
    match (numbers.map(|word| digits::number(word)), of) {
        ([Some(1), Some(0)], None) => Ok(Request::Rang(Range::Reset)),
        // The end is the byte behind the last one, and has to be a number, too.
        ([Some(first), Some(last)], of) if first <= last && last < u64::MAX => {
            Ok(Request::Rang(Range::Of(first, last, of)))
        }
        _ => Err(WRONG),
    }
}

/// The name of an unfinished upload.
fn name(word: &[u8]) -> Result<String, Refusal> {
    let graphic = word.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(word).ok().filter(|_| graphic).map(str::to_owned).ok_or(WRONG)
}

/// ALLO: bytes, and perhaps the largest record, which no file has. Clients that know no size say 0.
pub(super) fn allo(argument: &[u8]) -> Read {
    let words: Vec<&[u8]> = digits::words(argument).collect();
    let size = match words.as_slice() {
        [size] => digits::number(size),
        [size, b"R" | b"r", record] if digits::number(record).is_some() => digits::number(size),
        _ => None,
    };
    size.map(|size| Request::Allo((size > 0).then_some(size))).ok_or(WRONG)
}

/// LIST and NLST: words of letters behind a hyphen, up to a `--`, then a path with all its blanks. A name that begins
/// with a hyphen is written `./-name`, or behind `--`.
pub(super) fn list(argument: &[u8]) -> List {
    let mut scope = Scope::default();
    let mut rest = argument;
    while let [b'-', behind @ ..] = rest {
        let (letters, after) = first_word(behind);
        rest = after;
        if letters == b"-" {
            break;
        }
        for letter in letters {
            match letter {
                b'a' => (scope.hidden, scope.dots) = (true, true),
                b'A' => (scope.hidden, scope.dots) = (true, false),
                b'd' => scope.itself = true,
                b'R' => scope.deep = true,
                // Columns and order: a list has one form.
                _ => {}
            }
        }
    }
    List { scope, path: (!rest.is_empty()).then(|| rest.to_vec()) }
}

/// STAT: of the session, or of a path.
pub(super) fn stat(argument: &[u8]) -> Read {
    if argument.trim_ascii().is_empty() { Ok(Request::Status) } else { Ok(Request::Stat(list(argument))) }
}

/// MFMT (draft-somers-ftp-mfxx §3.1): a time-val and a path.
pub(super) fn mfmt(argument: &[u8]) -> Read {
    let (moment, path) = first_word(argument);
    let to = time::parse(moment).ok_or(WRONG)?;
    if path.is_empty() { Err(WRONG) } else { Ok(Request::Mfmt { to, path: path.to_vec() }) }
}

/// SITE and what stands behind it.
pub(super) fn site(argument: &[u8]) -> Read {
    let (name, rest) = first_word(argument);
    match name.to_ascii_uppercase().as_slice() {
        b"CHMOD" => chmod(rest),
        b"UTIME" => utime(rest),
        b"HELP" => Ok(Request::SiteHelp),
        b"RANG" if rest.is_empty() => Err(Refusal::Syntax("SITE RANG path")),
        b"RANG" => Ok(Request::Ranges(rest.to_vec())),
        b"WHO" => Ok(Request::Who),
        b"" => Err(WRONG),
        _ => Err(Refusal::Argument("No such SITE command, try SITE HELP.")),
    }
}

/// `SITE CHMOD 644 path`.
fn chmod(argument: &[u8]) -> Read {
    const CHMOD: Refusal = Refusal::Syntax("SITE CHMOD octal-mode path");
    let (mode, path) = first_word(argument);
    let octal = (1..=4).contains(&mode.len()) && mode.iter().all(|byte| (b'0'..=b'7').contains(byte));
    if !octal || path.is_empty() {
        return Err(CHMOD);
    }
    let mode = mode.iter().fold(0, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    if mode > 0o777 {
        // Nobody gives a program its owner's rights from afar, and nobody is told that it was done.
        return Err(Refusal::Parameter("There are only the bits of 777."));
    }
    Ok(Request::Chmod { mode, path: path.to_vec() })
}

/// `SITE UTIME YYYYMMDDhhmm[ss] path`, or `SITE UTIME path access modification creation UTC`, of which the
/// modification counts.
fn utime(argument: &[u8]) -> Read {
    const UTIME: Refusal = Refusal::Syntax("SITE UTIME YYYYMMDDhhmm[ss] path");
    let mut from_behind = argument.rsplitn(5, |byte| *byte == b' ');
    let mut next = || from_behind.next().unwrap_or_default();
    let (zone, creation, modification, access, path) = (next(), next(), next(), next(), next());
    let all_moments = [access, creation].iter().all(|word| moment(word).is_some());
    if let Some(to) = moment(modification)
        && all_moments
        && zone.eq_ignore_ascii_case(b"UTC")
        && !path.is_empty()
    {
        return Ok(Request::Mfmt { to, path: path.to_vec() });
    }
    let (first, path) = first_word(argument);
    let to = moment(first).filter(|_| !path.is_empty()).ok_or(UTIME)?;
    Ok(Request::Mfmt { to, path: path.to_vec() })
}

/// A time-val in whole seconds, or minutes.
fn moment(word: &[u8]) -> Option<Modified> {
    match word.len() {
        12 => time::parse(&[word, b"00"].concat()),
        14 => time::parse(word),
        _ => None,
    }
}

/// XCRC and its like: a path, in quotes or not, and perhaps the first byte and the one behind the last.
///
/// No document says whether the end counts as inside; here it does not, as in ProFTPD and as our own client sends it.
/// Without quotes the last two words are a range where both are numbers; a path that ends so needs quotes.
pub(super) fn x_hash(kind: Kind, argument: &[u8]) -> Read {
    let (path, part) = match argument.strip_prefix(b"\"").and_then(closing_quote) {
        Some((path, rest)) => (path, part_of(rest.trim_ascii()).ok_or(WRONG)?),
        None => unquoted(argument),
    };
    if path.is_empty() { Err(WRONG) } else { Ok(Request::XHash { kind, path, part }) }
}

/// A path up to its closing quote, doubled ones undone, and what follows.
fn closing_quote(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut path = Vec::new();
    loop {
        rest = match rest {
            [b'"', b'"', behind @ ..] => {
                path.push(b'"');
                behind
            }
            [b'"', behind @ ..] if behind.is_empty() || behind.starts_with(b" ") => {
                return Some((path, behind));
            }
            [b'"', ..] | [] => return None,
            [byte, behind @ ..] => {
                path.push(*byte);
                behind
            }
        };
    }
}

/// The range that these words are; `None`: neither none nor two numbers in order.
fn part_of(words: &[u8]) -> Option<Option<(u64, u64)>> {
    if words.is_empty() {
        return Some(None);
    }
    let numbers: Option<Vec<u64>> = digits::words(words).map(digits::number).collect();
    match numbers?.as_slice() {
        [from, to] if from <= to => Some(Some((*from, *to))),
        _ => None,
    }
}

fn unquoted(argument: &[u8]) -> (Vec<u8>, Option<(u64, u64)>) {
    let mut from_behind = argument.rsplitn(3, |byte| *byte == b' ');
    let (to, from, path) = (from_behind.next(), from_behind.next(), from_behind.next());
    let number = |word: Option<&[u8]>| digits::number(word?);
    match (path, number(from), number(to)) {
        (Some(path), Some(from), Some(to)) if !path.is_empty() && from <= to => {
            (path.to_vec(), Some((from, to)))
        }
        _ => (argument.to_vec(), None),
    }
}

/// The first word, and what stands behind the blank after it.
fn first_word(argument: &[u8]) -> (&[u8], &[u8]) {
    match argument.iter().position(|byte| *byte == b' ') {
        Some(at) => (argument.get(..at).unwrap_or_default(), argument.get(at + 1..).unwrap_or_default()),
        None => (argument, &[]),
    }
}
