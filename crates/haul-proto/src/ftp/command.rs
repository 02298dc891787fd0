//! Commands (RFC 959 §4.1 and §5.3, RFC 2228, 2389, 2428, 3659, 4217): one line, which no argument can leave.
//!
//! An argument is bytes. CR, LF and NUL are refused whatever they are part of: they would end the line, and what
//! follows would be a command of whoever chose the name. 0xff is doubled, as Telnet has it (RFC 959 §5.3, RFC 2640
//! §3.1). A password is never shown. When to send what is not known here.

use std::{
    fmt,
    net::{SocketAddr, SocketAddrV4},
};

use haul_core::{ByteRange, Modified};

use super::{hash::Kind, passive, time};

/// The longest line, with its end: what good servers take.
pub const LONGEST: usize = 4096;

/// Why something cannot be a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// A CR, LF or NUL.
    #[error("it contains a line end or a NUL byte, which no FTP command can carry")]
    Forbidden,
    /// Nothing where something must be.
    #[error("it is empty")]
    Empty,
    /// No command at its beginning.
    #[error("an FTP command begins with a word of letters")]
    NoVerb,
    /// Longer than [`LONGEST`].
    #[error("it is longer than an FTP command can be ({LONGEST} bytes)")]
    TooLong,
    /// A date that a time-val cannot name.
    #[error("its date is not within the years 0 to 9999")]
    NoTimeVal,
}

/// A command, ready for the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// With 0xff doubled and with its end.
    line: Vec<u8>,
    verb: usize,
}

/// How a file's bytes travel (RFC 959 §3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// As they are.
    Image,
    /// As text, line ends converted. Offsets mean nothing then.
    Ascii,
}

/// How bytes travel (RFC 959 §3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As they are; the end of the connection is that of the file.
    #[default]
    Stream,
    /// In blocks, with an end of their own and restart markers.
    Block,
}

/// The network protocol of a data connection, by its number in EPSV and EPRT (RFC 2428 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// 1.
    Ipv4,
    /// 2.
    Ipv6,
}

/// What an EPSV asks for (RFC 2428 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Epsv {
    /// A port for the control connection's own protocol.
    Own,
    /// A port for this one.
    Of(Family),
    /// That no other way will be used from now on.
    All,
}

type Made = Result<Command, BadCommand>;

/// Login and the session's terms.
impl Command {
    /// `USER` (RFC 959 §4.1.1).
    pub fn user(name: &[u8]) -> Made {
        Self::with("USER", name)
    }

    /// `PASS`; an empty password is one.
    pub fn pass(password: &[u8]) -> Made {
        Self::build("PASS", Some(password))
    }

    /// `ACCT`.
    pub fn acct(account: &[u8]) -> Made {
        Self::build("ACCT", Some(account))
    }

    /// `AUTH TLS` (RFC 4217 §4).
    pub fn auth_tls() -> Self {
        Self::fixed("AUTH TLS")
    }

    /// `PBSZ 0` (RFC 4217 §9).
    pub fn pbsz_0() -> Self {
        Self::fixed("PBSZ 0")
    }

    /// `PROT P`: data connections are private (RFC 4217 §9).
    pub fn prot_p() -> Self {
        Self::fixed("PROT P")
    }

    /// `FEAT` (RFC 2389 §3).
    pub fn feat() -> Self {
        Self::fixed("FEAT")
    }

    /// `OPTS UTF8 ON`: asked for by servers that came before RFC 2640, harmless elsewhere.
    pub fn opts_utf8_on() -> Self {
        Self::fixed("OPTS UTF8 ON")
    }

    /// `OPTS HASH algorithm` (draft-bryan-ftpext-hash-02 §3.2), the name as FEAT told it.
    pub fn opts_hash(algorithm: &str) -> Made {
        Self::with("OPTS", &[b"HASH ", algorithm.as_bytes()].concat())
    }

    /// `OPTS MLST fact;fact;` (RFC 3659 §7.9).
    pub fn opts_mlst(facts: &[&str]) -> Made {
        let facts: String = facts.iter().flat_map(|fact| [fact, ";"]).collect();
        Self::with("OPTS", &[b"MLST ", facts.as_bytes()].concat())
    }

    /// `TYPE I` or `TYPE A`.
    pub fn type_(type_: Type) -> Self {
        Self::fixed(match type_ {
            Type::Image => "TYPE I",
            Type::Ascii => "TYPE A",
        })
    }

    /// `MODE S` or `MODE B` (RFC 959 §3.4).
    pub fn mode(mode: Mode) -> Self {
        Self::fixed(match mode {
            Mode::Stream => "MODE S",
            Mode::Block => "MODE B",
        })
    }

    /// `NOOP`.
    pub fn noop() -> Self {
        Self::fixed("NOOP")
    }

    /// `ABOR`, without Telnet's urgent signals.
    pub fn abor() -> Self {
        Self::fixed("ABOR")
    }

    /// `QUIT`.
    pub fn quit() -> Self {
        Self::fixed("QUIT")
    }
}

/// Data connections.
impl Command {
    /// `PASV`.
    pub fn pasv() -> Self {
        Self::fixed("PASV")
    }

    /// `EPSV` (RFC 2428 §3).
    pub fn epsv(which: Epsv) -> Self {
        Self::fixed(match which {
            Epsv::Own => "EPSV",
            Epsv::Of(Family::Ipv4) => "EPSV 1",
            Epsv::Of(Family::Ipv6) => "EPSV 2",
            Epsv::All => "EPSV ALL",
        })
    }

    /// `PORT`.
    pub fn port(address: SocketAddrV4) -> Self {
        Self::fixed(&format!("PORT {}", passive::host_port(address)))
    }

    /// `EPRT` (RFC 2428 §2).
    pub fn eprt(address: SocketAddr) -> Self {
        Self::fixed(&format!("EPRT {}", passive::net_address(address)))
    }
}

/// Transfers and what is known of a file.
impl Command {
    /// `REST` in bytes (RFC 3659 §5).
    pub fn rest(offset: u64) -> Self {
        Self::fixed(&format!("REST {offset}"))
    }

    /// `RETR`.
    pub fn retr(path: &[u8]) -> Made {
        Self::with("RETR", path)
    }

    /// `STOR`.
    pub fn stor(path: &[u8]) -> Made {
        Self::with("STOR", path)
    }

    /// `APPE`.
    pub fn appe(path: &[u8]) -> Made {
        Self::with("APPE", path)
    }

    /// `SIZE` (RFC 3659 §4): in the present TYPE.
    pub fn size(path: &[u8]) -> Made {
        Self::with("SIZE", path)
    }

    /// `MDTM` (RFC 3659 §3).
    pub fn mdtm(path: &[u8]) -> Made {
        Self::with("MDTM", path)
    }

    /// `MFMT` (draft-somers-ftp-mfxx-04 §3.1), in whole seconds: many servers read no fraction.
    pub fn mfmt(modified: Modified, path: &[u8]) -> Made {
        let whole = Modified { nanos: 0, ..modified };
        let stamp = time::time_val(whole).ok_or(BadCommand::NoTimeVal)?;
        Self::with_path("MFMT", &[stamp.as_bytes(), b" "].concat(), path)
    }

    /// `HASH` (draft-bryan-ftpext-hash-02 §3), by the algorithm selected, of what [`Command::rang`] said.
    pub fn hash(path: &[u8]) -> Made {
        Self::with("HASH", path)
    }

    /// `RANG` (draft-bryan-ftp-range-08 §3): the bytes that the next command means, first and last.
    pub fn rang(range: ByteRange) -> Self {
        Self::fixed(&format!("RANG {} {}", range.start(), range.end() - 1))
    }

    /// `ALLO size` (RFC 959 §4.1.3).
    pub fn allo(size: u64) -> Self {
        Self::fixed(&format!("ALLO {size}"))
    }

    /// `RANG first last` for a STOR that begins an upload of several ranges (haul serve's own, docs/ftp-commands.md), or
    /// `RANG first last upload` for one that joins it.
    pub fn rang_stor(range: ByteRange, upload: Option<&str>) -> Made {
        let mut words = format!("{} {}", range.start(), range.end() - 1);
        if let Some(upload) = upload {
            words.push(' ');
            words.push_str(upload);
        }
        Self::with("RANG", words.as_bytes())
    }

    /// `SITE RANG path`: which ranges of it there are.
    pub fn site_rang(path: &[u8]) -> Made {
        Self::with_path("SITE", b"RANG ", path)
    }

    /// XCRC, XMD5, XSHA1, XSHA256 or XSHA512: a checksum of the whole file, or of a part. No document says whether
    /// the end that is sent counts as inside; ProFTPD's way, where it does not, is taken. The path is not quoted.
    pub fn x_hash(kind: Kind, path: &[u8], part: Option<ByteRange>) -> Made {
        let verb = kind.x_verb().ok_or(BadCommand::NoVerb)?;
        let part = part.map(|part| format!(" {} {}", part.start(), part.end())).unwrap_or_default();
        if path.is_empty() {
            return Err(BadCommand::Empty);
        }
        Self::with(verb, &[path, part.as_bytes()].concat())
    }

    /// `MD5` (draft-twine-ftpmd5-00).
    pub fn md5(path: &[u8]) -> Made {
        Self::with("MD5", path)
    }
}

/// Folders.
impl Command {
    /// `MLST` (RFC 3659 §7): one line about a path, or about the present folder.
    pub fn mlst(path: Option<&[u8]>) -> Made {
        Self::with_optional("MLST", path)
    }

    /// `MLSD` (RFC 3659 §7): a list of a folder.
    pub fn mlsd(folder: Option<&[u8]>) -> Made {
        Self::with_optional("MLSD", folder)
    }

    /// `LIST`. Most servers read options and patterns here: go to the folder by CWD and list without an argument
    /// where its name has any of `*?[{`. A leading hyphen is disarmed.
    pub fn list(folder: Option<&[u8]>) -> Made {
        match folder {
            Some(folder) if folder.starts_with(b"-") => Self::with_path("LIST", b"./", folder),
            folder => Self::with_optional("LIST", folder),
        }
    }

    /// `CWD`.
    pub fn cwd(folder: &[u8]) -> Made {
        Self::with("CWD", folder)
    }

    /// `CDUP`.
    pub fn cdup() -> Self {
        Self::fixed("CDUP")
    }

    /// `PWD`.
    pub fn pwd() -> Self {
        Self::fixed("PWD")
    }

    /// `MKD`.
    pub fn mkd(folder: &[u8]) -> Made {
        Self::with("MKD", folder)
    }

    /// `RNFR`.
    pub fn rnfr(path: &[u8]) -> Made {
        Self::with("RNFR", path)
    }

    /// `RNTO`.
    pub fn rnto(path: &[u8]) -> Made {
        Self::with("RNTO", path)
    }

    /// `DELE`.
    pub fn dele(path: &[u8]) -> Made {
        Self::with("DELE", path)
    }
}

/// What all of them have.
impl Command {
    /// A command as a user typed it (`--quote`).
    pub fn raw(line: &str) -> Made {
        if line.is_empty() {
            return Err(BadCommand::Empty);
        }
        let (verb, argument) = match line.split_once(' ') {
            Some((verb, argument)) => (verb, Some(argument.as_bytes())),
            None => (line, None),
        };
        Self::build(verb, argument)
    }

    /// The bytes to send, line end and all.
    pub fn wire(&self) -> &[u8] {
        &self.line
    }

    /// The command's name.
    pub fn verb(&self) -> &str {
        self.line.get(..self.verb).and_then(|verb| str::from_utf8(verb).ok()).unwrap_or_default()
    }

    /// Whether the argument is a secret.
    fn is_secret(&self) -> bool {
        ["PASS", "ACCT"].iter().any(|secret| self.verb().eq_ignore_ascii_case(secret))
    }

    /// A command made of literals and numbers only.
    fn fixed(text: &str) -> Self {
        debug_assert!(!text.contains(['\r', '\n', '\0']));
        let verb = text.find(' ').unwrap_or(text.len());
        Self { line: [text.as_bytes(), b"\r\n"].concat(), verb }
    }

    fn with(verb: &str, argument: &[u8]) -> Made {
        if argument.is_empty() { Err(BadCommand::Empty) } else { Self::build(verb, Some(argument)) }
    }

    fn with_optional(verb: &str, argument: Option<&[u8]>) -> Made {
        argument.map_or_else(|| Ok(Self::fixed(verb)), |argument| Self::with(verb, argument))
    }

    fn with_path(verb: &str, before: &[u8], path: &[u8]) -> Made {
        if path.is_empty() {
            return Err(BadCommand::Empty);
        }
        Self::with(verb, &[before, path].concat())
    }

    /// The one place where bytes from elsewhere become a line.
    fn build(verb: &str, argument: Option<&[u8]>) -> Made {
        let argument = argument.unwrap_or_default();
        let whole = verb.bytes().chain(argument.iter().copied());
        if whole.clone().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(BadCommand::Forbidden);
        }
        let named = verb.starts_with(|c: char| c.is_ascii_alphabetic())
            && verb.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !named {
            return Err(BadCommand::NoVerb);
        }
        let mut line = verb.as_bytes().to_vec();
        if !argument.is_empty() || verb.eq_ignore_ascii_case("PASS") || verb.eq_ignore_ascii_case("ACCT") {
            line.push(b' ');
        }
        for byte in argument {
            line.push(*byte);
            if *byte == 0xff {
                line.push(0xff);
            }
        }
        line.extend_from_slice(b"\r\n");
        if line.len() > LONGEST { Err(BadCommand::TooLong) } else { Ok(Self { line, verb: verb.len() }) }
    }
}

impl fmt::Display for Command {
    /// The line as sent, lossily and without its end; `****` for a password or an account.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_secret() {
            return write!(f, "{} ****", self.verb());
        }
        f.write_str(&String::from_utf8_lossy(self.line.strip_suffix(b"\r\n").unwrap_or(&self.line)))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({:?})", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use haul_core::Algorithm;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn sends(made: Made, line: &str) {
        assert_eq!(made.unwrap().wire(), format!("{line}\r\n").as_bytes());
    }

    #[test]
    fn commands_are_written_as_the_rfcs_have_them() {
        let part = ByteRange::new(10, 20);
        let modified = Modified { seconds: 0, nanos: 5, strong: false };
        sends(Command::user(b"anonymous"), "USER anonymous");
        sends(Command::pass(b""), "PASS ");
        sends(Ok(Command::type_(Type::Image)), "TYPE I");
        sends(Ok(Command::rest(u64::MAX)), "REST 18446744073709551615");
        sends(Command::retr(b" a b"), "RETR  a b");
        sends(Command::mlsd(None), "MLSD");
        sends(Command::list(Some(b"-la")), "LIST ./-la");
        sends(Command::mfmt(modified, b"a"), "MFMT 19700101000000 a");
        sends(Ok(Command::epsv(Epsv::Of(Family::Ipv6))), "EPSV 2");
        sends(Ok(Command::port("127.0.0.1:258".parse().unwrap())), "PORT 127,0,0,1,1,2");
        sends(Ok(Command::eprt("[::1]:80".parse().unwrap())), "EPRT |2|::1|80|");
        sends(Command::opts_hash("SHA-256"), "OPTS HASH SHA-256");
        sends(Command::opts_mlst(&["type", "size"]), "OPTS MLST type;size;");
        sends(Ok(Command::rang(part.unwrap())), "RANG 10 19");
        sends(Command::x_hash(Kind::Crc32, b"a b", part), "XCRC a b 10 20");
        sends(Command::x_hash(Kind::Digest(Algorithm::Sha256), b"a", None), "XSHA256 a");
        sends(Command::raw("SITE CHMOD 644 a"), "SITE CHMOD 644 a");
        sends(Command::raw("stat"), "stat");
    }

    #[test]
    fn nothing_can_be_injected() {
        for bad in [&b"a\r\nDELE b"[..], b"a\rb", b"a\nb", b"a\0b", b"\n"] {
            for made in [
                Command::user(bad),
                Command::pass(bad),
                Command::retr(bad),
                Command::mlst(Some(bad)),
                Command::list(Some(bad)),
                Command::x_hash(Kind::Crc32, bad, None),
                Command::raw(&format!("RETR {}", String::from_utf8_lossy(bad))),
                Command::raw(&format!("{} a", String::from_utf8_lossy(bad))),
                Command::opts_hash(&String::from_utf8_lossy(bad)),
            ] {
                assert_eq!(made, Err(BadCommand::Forbidden), "{bad:?}");
            }
        }
    }

    #[test]
    fn nothing_is_no_argument() {
        for made in [
            Command::retr(b""),
            Command::mlsd(Some(b"")),
            Command::x_hash(Kind::Crc32, b"", ByteRange::new(0, 1)),
            Command::raw(""),
        ] {
            assert_eq!(made, Err(BadCommand::Empty));
        }
        for bad in [" RETR a", "1 a", "\u{e9} a", "RE\u{ff}TR"] {
            assert_eq!(Command::raw(bad), Err(BadCommand::NoVerb), "{bad:?}");
        }
    }

    #[test]
    fn telnets_byte_is_doubled() {
        assert_eq!(Command::retr(b"a\xffb").unwrap().wire(), b"RETR a\xff\xffb\r\n");
    }

    #[test]
    fn long_lines_are_refused() {
        assert!(Command::retr(&[b'a'; LONGEST - 7]).is_ok());
        assert_eq!(Command::retr(&[b'a'; LONGEST - 6]), Err(BadCommand::TooLong));
        assert_eq!(Command::retr(&[0xff; LONGEST / 2]), Err(BadCommand::TooLong));
    }

    #[test]
    fn secrets_are_not_shown() {
        for made in [Command::pass(b"hunter2"), Command::acct(b"hunter2"), Command::raw("pAsS hunter2")] {
            let command = made.unwrap();
            assert!(!format!("{command} {command:?}").contains("hunter2"), "{command}");
        }
        assert_eq!(Command::pass(b"").unwrap().to_string(), "PASS ****");
        assert_eq!(Command::retr(b"a").unwrap().to_string(), "RETR a");
    }

    proptest! {
        #[test]
        fn every_command_is_one_line(argument: Vec<u8>, text: String, offset: u64) {
            let mut all = vec![Command::rest(offset)];
            all.extend([Command::retr(&argument), Command::mlst(Some(&argument)), Command::raw(&text)].into_iter().flatten());
            for command in all {
                let body = command.wire().strip_suffix(b"\r\n").unwrap();
                prop_assert!(!body.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
                prop_assert!(command.wire().len() <= LONGEST && !command.verb().is_empty());
            }
        }
    }
}
