//! What a server says it can do: the reply to FEAT (RFC 2389 §3.2), one feature to a line.
//!
//! A feature that is listed may still be refused, and one that is not may work: this says what to try first. Lines
//! that are not known here are passed over.

use super::{hash, reply::Reply};

/// What a server says it can do. `Default` is a server that says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `REST STREAM` (RFC 3659 §5).
    pub rest_stream: bool,
    /// `SIZE` (RFC 3659 §4).
    pub size: bool,
    /// `MDTM` (RFC 3659 §3).
    pub mdtm: bool,
    /// `MFMT` (draft-somers-ftp-mfxx-04).
    pub mfmt: bool,
    /// `MLST` (RFC 3659 §7), with the facts it lists. It announces MLSD too.
    pub mlst: Option<Vec<MlstFact>>,
    /// MLSD, by `MLST` or by itself.
    pub mlsd: bool,
    /// `TVFS`: paths are one tree, separated by slashes (RFC 3659 §6).
    pub tvfs: bool,
    /// `UTF8` (RFC 2640 §3.2).
    pub utf8: bool,
    /// `AUTH TLS` (RFC 4217 §4), or one of its older names.
    pub auth_tls: bool,
    /// `AUTH SSL`: only this where `auth_tls` is not set.
    pub auth_ssl: bool,
    /// `PBSZ` (RFC 2228 §3).
    pub pbsz: bool,
    /// `PROT` (RFC 2228 §3).
    pub prot: bool,
    /// `EPSV` (RFC 2428 §3).
    pub epsv: bool,
    /// `EPRT` (RFC 2428 §2).
    pub eprt: bool,
    /// `HASH` (draft-bryan-ftpext-hash-02 §3.1): its algorithms.
    pub hash: Vec<HashAlgorithm>,
    /// XCRC, XMD5, XSHA1, XSHA256 and XSHA512, as what they compute. XSHA by itself is not counted.
    pub x_hash: Vec<hash::Kind>,
    /// `MD5` (draft-twine-ftpmd5-00).
    pub md5: bool,
    /// `RANG STREAM` (draft-bryan-ftp-range-08).
    pub rang: bool,
    /// `RANG STOR`: several sessions may fill one file, each a range of it (haul serve's own, docs/ftp-commands.md).
    pub rang_stor: bool,
    /// `MODE B` (haul serve's own line, docs/ftp-commands.md): blocks (RFC 959 §3.4.2).
    pub mode_b: bool,
    /// `MODE B;MARK`: restart markers in an upload are answered with 110.
    pub marks: bool,
    /// `MODE Z`.
    pub mode_z: bool,
    /// `HOST` (RFC 7151).
    pub host: bool,
    /// `CLNT`.
    pub clnt: bool,
}

/// A fact that MLST and MLSD can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlstFact {
    /// Its name, in small letters.
    pub name: String,
    /// Whether it is told unless OPTS MLST says otherwise (the `*`).
    pub enabled: bool,
}

/// An algorithm of HASH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashAlgorithm {
    /// Its name, as OPTS HASH wants it.
    pub name: String,
    /// What it is, where haul knows it.
    pub kind: Option<hash::Kind>,
    /// Whether HASH uses it now (the `*`).
    pub selected: bool,
}

impl Features {
    /// What the reply to FEAT says; `None` where it is a refusal.
    pub fn of(reply: &Reply) -> Option<Self> {
        if !reply.is_completion() {
            return None;
        }
        let mut features = Self::default();
        for line in reply.inner_lines() {
            features.take(String::from_utf8_lossy(line).trim());
        }
        Some(features)
    }

    /// Whether this fact is told unasked.
    pub fn tells(&self, fact: &str) -> bool {
        self.mlst.iter().flatten().any(|known| known.enabled && known.name.eq_ignore_ascii_case(fact))
    }

    fn take(&mut self, line: &str) {
        let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "REST" => self.rest_stream |= has_word(rest, &["STREAM"]),
            "SIZE" => self.size = true,
            "MDTM" => self.mdtm = true,
            "MFMT" => self.mfmt = true,
            "MLST" => {
                self.mlst = Some(
                    starred(rest)
                        .map(|(name, enabled)| MlstFact { name: name.to_ascii_lowercase(), enabled })
                        .collect(),
                );
                self.mlsd = true;
            }
            "MLSD" => self.mlsd = true,
            "TVFS" => self.tvfs = true,
            "UTF8" | "UTF-8" => self.utf8 = true,
            "AUTH" => {
                self.auth_tls |= has_word(rest, &["TLS", "TLS-C", "TLS-P"]);
                self.auth_ssl |= has_word(rest, &["SSL"]);
            }
            "PBSZ" => self.pbsz = true,
            "PROT" => self.prot = true,
            "EPSV" => self.epsv = true,
            "EPRT" => self.eprt = true,
            "HASH" => self.hash.extend(starred(rest).map(algorithm)),
            "MD5" => self.md5 = true,
            "RANG" => {
                self.rang |= has_word(rest, &["STREAM"]);
                self.rang_stor |= has_word(rest, &["STOR"]);
            }
            "MODE" => {
                self.mode_z |= has_word(rest, &["Z"]);
                let blocks = has_word(rest, &["B"]);
                self.mode_b |= blocks;
                self.marks |= blocks && has_word(rest, &["MARK"]);
            }
            "HOST" => self.host = true,
            "CLNT" => self.clnt = true,
            verb => self.take_x(verb),
        }
    }

    fn take_x(&mut self, verb: &str) {
        let kind = hash::Kind::of_x_verb(verb).filter(|kind| kind.x_verb() == Some(verb));
        if let Some(kind) = kind.filter(|kind| !self.x_hash.contains(kind)) {
            self.x_hash.push(kind);
        }
    }
}

/// The words of a list, each with whether it bears a star.
fn starred(list: &str) -> impl Iterator<Item = (&str, bool)> {
    words(list)
        .map(|word| word.strip_suffix('*').map_or((word, false), |name| (name, true)))
        .filter(|(name, _)| !name.is_empty())
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([';', ',', ' ']).filter(|word| !word.is_empty())
}

fn has_word(list: &str, wanted: &[&str]) -> bool {
    words(list).any(|word| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

fn algorithm((name, selected): (&str, bool)) -> HashAlgorithm {
    HashAlgorithm { name: name.to_owned(), kind: hash::Kind::of_name(name), selected }
}

#[cfg(test)]
mod tests {
    use haul_core::Algorithm;
    use proptest::prelude::*;

    use super::*;

    fn features(lines: &[&str]) -> Features {
        let mut all: Vec<&[u8]> = vec![b"Features:"];
        all.extend(lines.iter().map(|line| line.as_bytes()));
        all.push(b"End");
        Features::of(&Reply::new(211, &all)).unwrap()
    }

    #[test]
    fn a_rich_server_is_read() {
        let read = features(&[
            " AUTH TLS",
            " CLNT",
            " EPRT",
            " EPSV",
            " HASH CRC32;MD5;SHA-1*;SHA-256;SHA-512;RIPEMD",
            " HOST",
            " LANG en-US.UTF-8*",
            " MD5",
            " MDTM",
            " MFMT",
            " MLST modify*;perm;SIZE*;type*;",
            " MODE Z",
            " PBSZ",
            " PROT",
            " RANG STREAM",
            " RANG STOR",
            " REST STREAM",
            " SIZE",
            " TVFS",
            " UTF8",
            " XCRC filename;start;end",
            " XMD5",
            " XSHA",
        ]);
        assert!(
            read.auth_tls && !read.auth_ssl && read.clnt && read.eprt && read.epsv && read.host && read.md5
        );
        assert!(
            read.mdtm && read.mfmt && read.mode_z && read.pbsz && read.prot && read.rang && read.rest_stream
        );
        assert!(read.rang_stor && !read.mode_b && !read.marks);
        assert!(read.size && read.tvfs && read.utf8 && read.mlsd);
        assert!(read.tells("Modify") && read.tells("size") && !read.tells("perm") && !read.tells("unique"));
        assert_eq!(read.x_hash, [hash::Kind::Crc32, hash::Kind::Digest(Algorithm::Md5)]);
        let selected = read.hash.iter().find(|algorithm| algorithm.selected).unwrap();
        assert_eq!(
            (selected.name.as_str(), selected.kind),
            ("SHA-1", Some(hash::Kind::Digest(Algorithm::Sha1)))
        );
        assert_eq!(read.hash.last().unwrap().kind, None);
    }

    #[test]
    fn odd_forms_are_understood() {
        assert!(features(&["AUTH SSL;TLS;"]).auth_tls);
        assert!(features(&["AUTH TLS-C;TLS-P;"]).auth_tls);
        assert!(features(&["auth ssl"]).auth_ssl);
        assert!(features(&[" MDTM YYYYMMDDHHMMSS[+-TZ];filename "]).mdtm);
        assert!(features(&["\tREST stream\t"]).rest_stream);
        assert!(!features(&[" REST"]).rest_stream);
        let blocks = |lines: &[&str]| (features(lines).mode_b, features(lines).marks);
        assert_eq!((blocks(&["MODE B;MARK"]), blocks(&["MODE B"])), ((true, true), (true, false)));
        assert_eq!(
            (blocks(&["mode z", "mode b mark"]), blocks(&["MODE MARK"])),
            ((true, true), (false, false))
        );
        assert_eq!(features(&[" MLST"]).mlst, Some(Vec::new()));
        assert_eq!(features(&["", " ", "???", "SIZEABLE"]), Features::default());
    }

    #[test]
    fn only_the_lines_inside_count() {
        assert_eq!(Features::of(&Reply::new(211, &[b"SIZE"])), Some(Features::default()));
        assert_eq!(Features::of(&Reply::new(211, &[b"SIZE", b"SIZE"])), Some(Features::default()));
        assert_eq!(Features::of(&Reply::new(500, &[b"", b" SIZE", b""])), None);
    }

    proptest! {
        #[test]
        fn never_panics(any: Vec<u8>, near in "(MLST|HASH|AUTH|REST|XCRC)[ ;*a-zA-Z0-9-]{0,20}") {
            for line in [any, near.into_bytes()] {
                let _ = Features::of(&Reply::new(211, &[b"", &line, b""]));
            }
        }
    }
}
