//! Checksums that a server computes: HASH (draft-bryan-ftpext-hash-02 §3), MD5 (draft-twine-ftpmd5-00), and the
//! XCRC, XMD5, XSHA… that many servers have and no document describes.
//!
//! A wrong reading would make a good file bad or a bad one good, so a reply in which two things could be the checksum
//! has none. Nothing is computed here.

use haul_core::{Algorithm, Digest};

use super::{digits, reply::Reply};

/// What a checksum is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// CRC-32 of IEEE 802.3: against accidents only.
    Crc32,
    /// One of haul's own algorithms.
    Digest(Algorithm),
}

/// A checksum as a server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// A CRC-32.
    Crc32(u32),
    /// A digest.
    Digest(Digest),
}

/// What the reply to HASH says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// The checksum.
    pub sum: Sum,
    /// The first byte that it covers.
    pub first: u64,
    /// The last byte in some servers, the one behind it in others (ProFTPD).
    pub last: u64,
}

impl Kind {
    /// All of them, with HASH's name (IANA's for hash functions) and the X command.
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Crc32, "CRC32", "XCRC"),
        (Self::Digest(Algorithm::Md5), "MD5", "XMD5"),
        (Self::Digest(Algorithm::Sha1), "SHA-1", "XSHA1"),
        (Self::Digest(Algorithm::Sha256), "SHA-256", "XSHA256"),
        (Self::Digest(Algorithm::Sha512), "SHA-512", "XSHA512"),
    ];

    /// The kind that HASH calls so, in any case and with or without hyphens.
    pub fn of_name(name: &str) -> Option<Self> {
        let plain = |name: &str| name.replace('-', "").to_ascii_uppercase();
        Self::ALL.iter().find(|(_, known, _)| plain(known) == plain(name)).map(|(kind, ..)| *kind)
    }

    /// The kind that a command computes.
    pub fn of_x_verb(verb: &str) -> Option<Self> {
        if verb.eq_ignore_ascii_case("XSHA") {
            return Some(Self::Digest(Algorithm::Sha1));
        }
        Self::ALL.iter().find(|(.., known)| known.eq_ignore_ascii_case(verb)).map(|(kind, ..)| *kind)
    }

    /// What HASH calls it; BLAKE3 has no name there.
    pub fn name(self) -> Option<&'static str> {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map(|(_, name, _)| *name)
    }

    /// The command that computes it; there is none for BLAKE3.
    pub fn x_verb(self) -> Option<&'static str> {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map(|(.., verb)| *verb)
    }

    /// The checksum of this kind that a word is; a CRC with all its digits.
    fn read(self, word: &[u8]) -> Option<Sum> {
        match self {
            Self::Crc32 if word.len() == 8 => crc(word),
            Self::Crc32 => None,
            Self::Digest(algorithm) => Digest::new(algorithm, unhex(word)?).map(Sum::Digest),
        }
    }
}

/// What the reply to HASH says: `213 SHA-256 0-49 6a0f… name`, in its last line.
pub fn hash(reply: &Reply) -> Option<Hashed> {
    let mut words = digits::words(reply.text_of(213)?);
    let kind = Kind::of_name(str::from_utf8(words.next()?).ok()?)?;
    let range = words.next()?;
    let hyphen = range.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (digits::number(range.get(..hyphen)?)?, digits::number(range.get(hyphen + 1..)?)?);
    let sum = match kind {
        Kind::Crc32 => crc(words.next()?)?,
        Kind::Digest(_) => kind.read(words.next()?)?,
    };
    (first <= last).then_some(Hashed { sum, first, last })
}

/// The algorithm that a reply to OPTS HASH says is selected now: `200 SHA-256`.
pub fn selected(reply: &Reply) -> Option<Kind> {
    Kind::of_name(str::from_utf8(reply.text_of(200)?.trim_ascii()).ok()?)
}

/// The checksum in the reply to MD5 or an X command: the only word of the last line that can be one.
///
/// Seen are `250 SUM`, `250 XCRC SUM`, `213 SUM`, `251 name SUM`, `250 "name" SUM`, `250 0xSUM`, and several lines
/// (`250-Computing MD5 digest`). A CRC may lack leading zeros only where it stands alone.
pub fn x_hash(kind: Kind, reply: &Reply) -> Option<Sum> {
    if !reply.is_completion() {
        return None;
    }
    let mut words = digits::words(reply.last_line()).map(without_prefix).peekable();
    let first = *words.peek()?;
    let mut sums: Vec<Sum> = Vec::new();
    let mut count = 0;
    for word in words {
        count += 1;
        if let Some(sum) = kind.read(word)
            && !sums.contains(&sum)
        {
            sums.push(sum);
        }
    }
    if sums.is_empty() && count == 1 && kind == Kind::Crc32 {
        return crc(first);
    }
    if sums.len() == 1 { sums.pop() } else { None }
}

/// A word without `0x` before it and a full stop behind it.
fn without_prefix(word: &[u8]) -> &[u8] {
    let word = word.strip_suffix(b".").unwrap_or(word);
    word.strip_prefix(b"0x").or_else(|| word.strip_prefix(b"0X")).unwrap_or(word)
}

fn crc(word: &[u8]) -> Option<Sum> {
    let all_hex = (1..=8).contains(&word.len()) && word.iter().all(u8::is_ascii_hexdigit);
    let text = str::from_utf8(word).ok().filter(|_| all_hex)?;
    u32::from_str_radix(text, 16).ok().map(Sum::Crc32)
}

fn unhex(word: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = word.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
    const OTHER: &str = "0123456789abcdef0123456789ABCDEF";
    const KIND: Kind = Kind::Digest(Algorithm::Md5);

    fn x(kind: Kind, code: u16, text: &str) -> Option<String> {
        let told = x_hash(kind, &Reply::new(code, &[b"Computing", text.as_bytes()]))?;
        Some(match told {
            Sum::Crc32(crc) => format!("{crc:08x}"),
            Sum::Digest(digest) => digest.to_string(),
        })
    }

    #[test]
    fn hash_is_read() {
        let told = hash(&Reply::new(213, &[format!("MD5 0-49 {MD5} a file").as_bytes()])).unwrap();
        assert_eq!((told.first, told.last), (0, 49));
        assert_eq!(told.sum, Sum::Digest(format!("md5={MD5}").parse().unwrap()));
        let told = hash(&Reply::new(213, &[b"Computing CRC32 digest", b"CRC32 0-4 ff a"])).unwrap();
        assert_eq!(told.sum, Sum::Crc32(255));
        for bad in [
            "",
            "MD5",
            "MD5 0-49",
            "MD5 49-0 HASH",
            "MD5 0-49 0123",
            "SHA-1 0-49 HASH",
            "RIPEMD 0-1 HASH",
            "MD5 049 HASH",
        ] {
            assert_eq!(hash(&Reply::new(213, &[bad.replace("HASH", MD5).as_bytes()])), None, "{bad}");
        }
    }

    #[test]
    fn the_algorithm_selected_is_read() {
        assert_eq!(selected(&Reply::new(200, &[b"SHA-256"])), Some(Kind::Digest(Algorithm::Sha256)));
        assert_eq!(selected(&Reply::new(501, &[b"SHA-256"])), None);
    }

    #[test]
    fn every_servers_way_to_tell_a_digest_is_understood() {
        for text in
            ["HASH", "XMD5 HASH", "a b HASH", "\"a b\" HASH", "HASH a", "0xHASH", "HASH HASH", "HASH."]
        {
            let told = x(KIND, 250, &text.replace("HASH", &MD5.to_uppercase()));
            assert_eq!(told, Some(format!("md5={MD5}")), "{text}");
        }
        assert!(x(KIND, 251, &format!("a {MD5}")).is_some());
        assert!(x(KIND, 213, MD5).is_some());
    }

    #[test]
    fn two_that_differ_are_none() {
        assert_eq!(x(KIND, 250, &format!("{OTHER} {MD5}")), None, "a file may be called like a digest");
        for bad in ["", "HASH0", "HASH,", "é"] {
            assert_eq!(x(KIND, 250, &bad.replace("HASH", MD5)), None, "{bad}");
        }
        assert_eq!(x(KIND, 550, MD5), None);
        assert_eq!(x(Kind::Digest(Algorithm::Blake3), 250, MD5), None);
    }

    #[test]
    fn a_crc_may_lack_zeros_only_where_it_stands_alone() {
        let crc = |text| x(Kind::Crc32, 250, text);
        assert_eq!(crc("1A2B3C4D").as_deref(), Some("1a2b3c4d"));
        assert_eq!(crc("0x2B3C4D").as_deref(), Some("002b3c4d"));
        assert_eq!(crc("cafe 1A2B3C4D").as_deref(), Some("1a2b3c4d"));
        assert_eq!(crc("cafe 2B3C4D"), None);
        assert_eq!(crc("deadbeef 1A2B3C4D"), None);
        assert_eq!(crc("+1A2B3C4"), None);
        assert_eq!(crc("11A2B3C4D"), None);
    }

    proptest! {
        #[test]
        fn never_panics(any: Vec<u8>, near in "(MD5|CRC32) [0-9]{0,21}-[0-9]{0,21} (0x)?[0-9a-f]{0,33}") {
            for text in [any, near.into_bytes()] {
                let _ = (hash(&Reply::new(213, &[&text])), selected(&Reply::new(200, &[&text])));
                let _ = (x_hash(KIND, &Reply::new(250, &[&text])), x_hash(Kind::Crc32, &Reply::new(250, &[&text])));
            }
        }
    }
}
