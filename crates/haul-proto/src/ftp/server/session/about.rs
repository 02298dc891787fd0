//! What the server and the session say of themselves: FEAT, OPTS (RFC 2389), HELP, SITE HELP, STAT, AVBL
//! (draft-peterson-streamlined-ftp-command-extensions).

use super::{Answer, Heard, Next, Purpose, Restart, Session, login::Who, refuse, say};
use crate::ftp::{
    hash::Kind,
    server::{
        request::{Opts, VERBS, Verb},
        step::{Ask, Data, Form, Mode, Ranges, Structure, Tls},
    },
};
use haul_core::Algorithm;

/// What HASH can be told to use, in the order of FEAT.
const HASHES: [Kind; 5] = [
    Kind::Digest(Algorithm::Sha256),
    Kind::Digest(Algorithm::Sha512),
    Kind::Digest(Algorithm::Sha1),
    Kind::Digest(Algorithm::Md5),
    Kind::Crc32,
];

/// What CSID is answered with.
pub(super) const OURSELVES: &str = concat!("Name=haul; Version=", env!("CARGO_PKG_VERSION"), ";");

impl Session {
    /// Whatever stands here is done.
    pub(super) fn feat(&self) -> Next {
        let mut lines: Vec<String> = Vec::new();
        if self.terms.tls != Tls::None {
            lines.extend(["AUTH TLS", "PBSZ", "PROT"].map(str::to_owned));
        }
        lines.extend(["AVBL", "CLNT", "CSID", "EPRT", "EPSV"].map(str::to_owned));
        let hashes: String = HASHES
            .iter()
            .filter_map(|kind| Some((kind, kind.name()?)))
            .map(|(kind, name)| format!("{name}{};", if *kind == self.hash { "*" } else { "" }))
            .collect();
        lines.push(format!("HASH {hashes}"));
        lines.extend(["HOST", "LANG EN*", "MDTM", "MFMT"].map(str::to_owned));
        lines.push(self.facts.feature());
        lines.push("MODE B;MARK".to_owned());
        if self.terms.deflates {
            lines.push("MODE Z".to_owned());
        }
        if self.terms.weaves {
            lines.push("RANG STOR".to_owned());
        }
        lines.extend(["RANG STREAM", "REST STREAM", "SIZE", "TVFS", "UTF8"].map(str::to_owned));
        lines.extend(["XCRC", "XMD5", "XSHA1", "XSHA256", "XSHA512"].map(str::to_owned));
        Next::Say(Answer::of_lines(211, "Features:", &lines, "End."))
    }

    pub(super) fn opts(&mut self, opts: Opts) -> Next {
        match opts {
            Opts::Level(_) if !self.terms.deflates => say(504, "There is no MODE Z here."),
            Opts::Level(level) => {
                self.level = level;
                say(200, format!("MODE Z LEVEL {}.", level.get()))
            }
            Opts::Utf8 => say(200, "UTF8 is always on."),
            Opts::Mlst(facts) => {
                self.facts = super::Chosen::parse(&facts);
                say(200, self.facts.answer())
            }
            Opts::Hash => say(200, self.hash.name().unwrap_or_default()),
            Opts::HashBy(kind) => {
                self.hash = kind;
                say(200, self.hash.name().unwrap_or_default())
            }
        }
    }

    /// STAT where nothing runs.
    pub(super) fn status(&self) -> Next {
        let who: Vec<u8> = match &self.who {
            Who::Nobody | Who::Named(_) => b"Nobody is logged in.".to_vec(),
            Who::In(name) => [b"Logged in as ".as_slice(), name, b"."].concat(),
        };
        let form = match self.form {
            Form::Ascii => "A",
            Form::Image => "I",
        };
        let structure = match self.structure {
            Structure::File => "F",
            Structure::Record => "R",
        };
        let mode = match self.mode {
            Mode::Stream => "S",
            Mode::Block => "B",
            Mode::Deflate(_) => "Z",
        };
        let form = format!("Type {form}, structure {structure}, mode {mode}.");
        let data = match self.data {
            None => "No data connection is set up.".to_owned(),
            Some(Data::Passive) => "A data connection is waited for.".to_owned(),
            Some(Data::Active(to)) => format!("Data goes to {to}."),
        };
        let restart = match &self.restart {
            Restart::None => "No restart point.".to_owned(),
            Restart::At(offset) => format!("Restarting at {offset}."),
            Restart::Part(from, to, _) => format!("Bytes {from} to {} only.", to.saturating_sub(1)),
        };
        let tls = match (self.protection.of_control(), self.protection.of_data()) {
            (false, _) => "No TLS.",
            (true, false) => "TLS for commands, not for data.",
            (true, true) => "TLS for commands and data.",
        };
        let folder = [b"In ".as_slice(), &self.cwd.absolute(), b"."].concat();
        let lines = [
            format!("Connected from {}.", self.terms.peer).into_bytes(),
            who,
            folder,
            form.into_bytes(),
            data.into(),
            restart.into(),
            tls.into(),
        ];
        Next::Say(Answer::of_lines(211, "Status:", &lines, "End."))
    }

    pub(super) fn avbl(&self, raw: Option<&[u8]>) -> Heard {
        let path = self.place(raw.unwrap_or_default())?;
        Ok(Next::Ask(Ask::Space(path), Purpose::Space))
    }
}

/// The reply to SITE RANG: facts as MLST has them, then each range as RANG says it.
pub(super) fn ranges(ranges: &Ranges) -> Next {
    let size = ranges.size.map(|size| format!("size={size};")).unwrap_or_default();
    let facts = format!("upload={};{size}", ranges.upload);
    let there = ranges.there.iter().map(|(from, to)| format!("{from} {}", to.saturating_sub(1)));
    let lines: Vec<String> = std::iter::once(facts).chain(there).collect();
    Next::Say(Answer::of_lines(213, "There is:", &lines, "End."))
}

/// The reply to AVBL.
pub(super) fn space(bytes: Option<u64>) -> Next {
    match bytes {
        Some(bytes) => say(213, bytes.to_string()),
        None => say(550, "It is not known how much space there is."),
    }
}

/// HELP, of all commands or of one.
pub(super) fn help(of: Option<&[u8]>) -> Heard {
    let Some(of) = of else {
        let names: Vec<&str> = VERBS.iter().filter(|verb| verb.is_done()).map(|verb| verb.name).collect();
        let lines: Vec<String> = names.chunks(10).map(|names| names.join(" ")).collect();
        return Ok(Next::Say(Answer::of_lines(214, "Commands:", &lines, "HELP and a command tells more.")));
    };
    let of = of.trim_ascii();
    let ours: Vec<&str> = SITE.into_iter().filter(|line| is_command(line, of)).collect();
    if !ours.is_empty() {
        return Ok(Next::Say(Answer::of_lines(214, "Syntax:", &ours, "End.")));
    }
    match Verb::find(of) {
        Some(verb) if verb.is_done() => Ok(say(214, format!("Syntax: {}", verb.syntax))),
        Some(_) => refuse(502, "It is not done here."),
        None => refuse(501, "No such command."),
    }
}

/// The commands of SITE.
const SITE: [&str; 6] = [
    "SITE CHMOD octal-mode path",
    "SITE UTIME YYYYMMDDhhmm[ss] path",
    "SITE UTIME path access modification creation UTC",
    "SITE RANG path",
    "SITE WHO",
    "SITE HELP",
];

/// Whether a line of [`SITE`] is about this command, two words.
fn is_command(line: &str, of: &[u8]) -> bool {
    let mut said = of.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut words = line.split(' ').take(2);
    words.all(|word| said.next().is_some_and(|said| said.eq_ignore_ascii_case(word.as_bytes())))
        && said.next().is_none()
}

/// SITE HELP.
pub(super) fn site_help() -> Next {
    Next::Say(Answer::of_lines(214, "Commands of SITE:", &SITE, "End."))
}
