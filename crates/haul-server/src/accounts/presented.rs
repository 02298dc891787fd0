//! A certificate that a client has shown in its TLS handshake, which has proved it and who vouches for it: what of it an
//! account can be known by. Of the encoding (X.690 DER) and the structure (RFC 5280 §4.1) only as much is read as leads
//! to the common name.

use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The number of the common name (2.5.4.3) among a name's attributes.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// What a client has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The subject's common name, where it has one in UTF-8; the last where it has several.
    name: Option<String>,
    /// Of the whole certificate.
    sha256: [u8; 32],
}

/// By which certificate an account is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// The subject's common name.
    CommonName(String),
    /// The SHA-256 of all of it.
    Sha256([u8; 32]),
}

impl Presented {
    /// What there is in a certificate.
    pub fn of(certificate: &[u8]) -> Self {
        Self { name: common_name(certificate), sha256: Sha256::digest(certificate).into() }
    }

    /// Whether it is one of these.
    pub(super) fn is_any(&self, of: &[KnownBy]) -> bool {
        of.iter().any(|known| match known {
            KnownBy::CommonName(name) => self.name.as_ref() == Some(name),
            KnownBy::Sha256(sha256) => self.sha256 == *sha256,
        })
    }
}

impl FromStr for KnownBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WRONG: &str =
            "names no certificate: write \"CN=ann\", or \"SHA256=\" and 64 hexadecimal digits";
        match text.split_once('=') {
            Some(("CN", name)) if !name.is_empty() && !name.chars().any(char::is_control) => {
                Ok(Self::CommonName(name.to_owned()))
            }
            Some(("SHA256", digits)) => {
                let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
                let pairs = digits.chunks(2).map(|pair| {
                    let pair = str::from_utf8(pair)
                        .ok()
                        .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
                    u8::from_str_radix(pair, 16).ok()
                });
                let bytes: Option<Vec<u8>> = pairs.collect();
                let bytes = bytes.filter(|_| digits.len() == 64).and_then(|bytes| bytes.try_into().ok());
                bytes.map(Self::Sha256).ok_or_else(|| WRONG.to_owned())
            }
            Some(_) | None => Err(WRONG.to_owned()),
        }
    }
}

/// Until when a certificate is good, in seconds since 1970 (RFC 5280 §4.1.2.5).
pub(crate) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (validity, _) = validity(certificate)?;
    let (_, _, rest) = thing(validity)?;
    let (kind, digits, _) = thing(rest)?;
    let digits = str::from_utf8(digits).ok()?.strip_suffix('Z')?;
    let century = match (kind, digits.get(..2)?) {
        (UTC_TIME, year) if year < "50" => "20",
        (UTC_TIME, _) => "19",
        (GENERALIZED_TIME, _) => "",
        _ => return None,
    };
    let modified = haul_proto::ftp::time::parse(format!("{century}{digits}").as_bytes())?;
    Some(modified.seconds)
}

/// One thing: its kind, what is in it, and what follows it.
fn thing(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = match usize::from(*first) {
        short @ ..=0x7f => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long & 0x7f)?;
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            (digits.iter().fold(0, |len, digit| (len << 8) | usize::from(*digit)), rest)
        }
    };
    let (inside, rest) = rest.split_at_checked(len)?;
    Some((*kind, inside, rest))
}

/// What is in the first thing, if it is of this kind, and what follows.
fn of_kind(kind: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    thing(bytes).filter(|(found, ..)| *found == kind).map(|(_, inside, rest)| (inside, rest))
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
/// Where the version stands, unless it is the first one.
const VERSION: u8 = 0xa0;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What is in the validity, and what stands behind it: the subject.
fn validity(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, _) = of_kind(SEQUENCE, certificate)?;
    let (signed, _) = of_kind(SEQUENCE, certificate)?;
    let serial = of_kind(VERSION, signed).map_or(signed, |(_, rest)| rest);
    let (_, rest) = of_kind(INTEGER, serial)?;
    // The algorithm, the issuer.
    let (_, rest) = of_kind(SEQUENCE, rest)?;
    let (_, rest) = of_kind(SEQUENCE, rest)?;
    of_kind(SEQUENCE, rest)
}

fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, rest) = validity(certificate)?;
    let (mut names, _) = of_kind(SEQUENCE, rest)?;
    let mut found = None;
    while let Some((mut set, rest)) = of_kind(SET, names) {
        while let Some((attribute, rest)) = of_kind(SEQUENCE, set) {
            if let Some((COMMON_NAME, value)) = of_kind(OBJECT, attribute) {
                // Another one, which cannot be read, is not to be passed over for it.
                found = thing(value)
                    .filter(|(kind, ..)| matches!(*kind, UTF8 | PRINTABLE))
                    .and_then(|(_, text, _)| str::from_utf8(text).ok());
            }
            set = rest;
        }
        names = rest;
    }
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["cn.example".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_of_the_subject_is_found() {
        let made = certificate(&[(DnType::OrganizationName, "haul"), (DnType::CommonName, "anné")]);
        let presented = Presented::of(&made);
        assert_eq!(presented.name.as_deref(), Some("anné"));
        assert!(presented.is_any(&["CN=bob".parse().unwrap(), "CN=anné".parse().unwrap()]));
        assert!(!presented.is_any(&["CN=ann".parse().unwrap(), "CN=haul".parse().unwrap()]));
        let digits: String = presented.sha256.iter().map(|byte| format!("{byte:02X}:")).collect();
        assert!(presented.is_any(&[format!("SHA256={}", digits.trim_end_matches(':')).parse().unwrap()]));
        assert_eq!(Presented::of(&certificate(&[(DnType::OrganizationName, "ann")])).name, None);
        let long = "x".repeat(300);
        assert_eq!(Presented::of(&certificate(&[(DnType::CommonName, &long)])).name, Some(long));
    }

    #[test]
    fn the_end_of_a_certificate_is_found_in_either_form() {
        for (year, seconds) in [(2031, 1_924_992_000), (2049, 2_493_072_000), (2050, 2_524_608_000)] {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(made.der()), Some(seconds), "{year}");
        }
        assert_eq!(not_after(b"\x30\x00"), None);
    }

    #[test]
    fn what_names_no_certificate_is_told() {
        for bad in ["", "ann", "CN=", "cn=ann", "SHA256=", "SHA256=00", "SHA256=zz", "MD5=00"] {
            assert!(bad.parse::<KnownBy>().is_err(), "{bad}");
        }
        assert!(format!("SHA256={}", "+f".repeat(32)).parse::<KnownBy>().is_err());
    }

    #[test]
    fn a_certificate_that_was_tampered_with_is_read_to_an_end() {
        let made = certificate(&[(DnType::CommonName, "ann")]);
        for at in 0..made.len() {
            let _ = Presented::of(&made[..at]);
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut other = made.clone();
                other[at] = byte;
                let _ = Presented::of(&other);
            }
        }
    }
}
