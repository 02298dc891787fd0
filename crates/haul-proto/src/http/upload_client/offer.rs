//! What an answer to OPTIONS offers (RFC 9110 §9.3.7; the draft §4.1.4; tus, "OPTIONS").

use haul_core::Algorithm;
use http::{HeaderMap, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::INTEROP;
use crate::http::{
    field::{self, Single},
    tus::VERSION,
    upload_draft::{Interop, Limits, UPLOAD_LIMIT},
};

/// What a server offers for uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The draft, with its limits.
    pub draft: Option<Limits>,
    /// The draft in the very version that is spoken here: such a server announces an upload's URL by 104.
    pub announces: bool,
    /// tus 1.0.0.
    pub tus: Option<TusOffer>,
    /// The methods named in Allow, in upper case; `None` where it says nothing of them.
    pub methods: Option<Vec<String>>,
    /// The server is a haul: it lists unfinished uploads.
    pub haul: bool,
}

/// What a tus server offers beyond its core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TusOffer {
    /// A creation may bring bytes.
    pub creation_with_upload: bool,
    /// Parts can become one file.
    pub concatenation: bool,
    /// How long an upload is may be told when it is there.
    pub defer_length: bool,
    /// Uploads can be given up.
    pub termination: bool,
    /// The best digest of a request's bytes that it checks.
    pub checksum: Option<Checksum>,
    /// The most bytes that an upload may have.
    pub max_size: Option<u64>,
}

/// A digest as Upload-Checksum has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// `sha256`.
    Sha256,
    /// `sha1`, which every server with this extension has.
    Sha1,
}

impl Checksum {
    /// Its name in tus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha1 => "sha1",
        }
    }

    /// The algorithm.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha256 => Algorithm::Sha256,
            Self::Sha1 => Algorithm::Sha1,
        }
    }
}

impl Offer {
    /// What these fields offer.
    pub fn of(headers: &HeaderMap) -> Self {
        let server = Single::of(headers, &header::SERVER).value();
        Self {
            draft: headers.contains_key(UPLOAD_LIMIT).then(|| Limits::of(headers)),
            announces: Interop::of(headers) == Some(INTEROP),
            tus: TusOffer::of(headers),
            methods: headers.contains_key(header::ALLOW).then(|| {
                let methods = members(headers, "allow");
                methods.into_iter().map(|method| method.to_ascii_uppercase()).collect()
            }),
            haul: server.is_some_and(|name| name == "haul" || name.as_bytes().starts_with(b"haul/")),
        }
    }

    /// Whether a method is named; `None` where nothing was said.
    pub fn allows(&self, method: &str) -> Option<bool> {
        self.methods.as_ref().map(|methods| methods.iter().any(|known| known == method))
    }
}

impl TusOffer {
    /// `None` where the server speaks no tus, or another version of it.
    fn of(headers: &HeaderMap) -> Option<Self> {
        if !members(headers, "tus-version").iter().any(|version| version == VERSION) {
            return None;
        }
        let extensions = members(headers, "tus-extension");
        let has = |name: &str| extensions.iter().any(|known| known == name);
        if !has("creation") {
            // Who cannot create one has no use for it.
            return None;
        }
        let algorithms = members(headers, "tus-checksum-algorithm");
        let best = [Checksum::Sha256, Checksum::Sha1]
            .into_iter()
            .find(|checksum| algorithms.iter().any(|known| known == checksum.name()));
        Some(Self {
            creation_with_upload: has("creation-with-upload"),
            concatenation: has("concatenation"),
            defer_length: has("creation-defer-length"),
            termination: has("termination"),
            checksum: best.filter(|_| has("checksum")),
            max_size: headers
                .get("tus-max-size")
                .and_then(|size| field::number(field::trim(size.to_str().ok()?))),
        })
    }
}

/// The members of a list over all lines of a field, in lower case.
fn members(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let members = lines.flat_map(|line| line.split(','));
    members
        .map(|member| field::trim(member).to_ascii_lowercase())
        .filter(|member| !member.is_empty())
        .collect()
}

/// Where a haul tells of the unfinished upload of the file with this path, which is that of a URL, percent-encoded.
pub fn listing_path(path: &str) -> String {
    let path: Vec<u8> = percent_decode_str(path).collect();
    format!("/-/uploads?path={}", percent_encode(&path, NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn offer(fields: &[(&str, &str)]) -> Offer {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        Offer::of(&headers)
    }

    #[test]
    fn each_dialect_has_its_sign() {
        let all = offer(&[
            ("Server", "haul"),
            ("Allow", "GET, put,Options"),
            ("Upload-Limit", "max-size=100, max-append-size=10, max-age=60"),
            ("Upload-Draft-Interop-Version", "8"),
            ("Tus-Version", "1.0.0,0.2.2"),
            (
                "Tus-Extension",
                "creation,creation-with-upload,checksum,termination,concatenation,creation-defer-length",
            ),
            ("Tus-Checksum-Algorithm", "md5,sha1,sha256"),
            ("Tus-Max-Size", "1073741824"),
        ]);
        assert!(all.haul && all.announces);
        let limits = all.draft.unwrap();
        assert_eq!((limits.max_size, limits.max_append_size), (Some(100), Some(10)));
        assert_eq!(limits.max_age.map(|age| age.as_secs()), Some(60));
        let tus = all.tus.as_ref().unwrap();
        assert!(tus.creation_with_upload && tus.termination);
        assert!(tus.concatenation && tus.defer_length);
        assert_eq!((tus.checksum, tus.max_size), (Some(Checksum::Sha256), Some(1 << 30)));
        assert_eq!((all.allows("PUT"), all.allows("POST")), (Some(true), Some(false)));
    }

    #[test]
    fn nothing_and_nonsense_offer_nothing() {
        assert_eq!(offer(&[]), Offer::default());
        assert_eq!(offer(&[]).allows("PUT"), None);
        assert_eq!(offer(&[("Tus-Version", "2.0.0"), ("Tus-Extension", "creation")]).tus, None);
        assert_eq!(offer(&[("Tus-Version", "1.0.0")]).tus, None, "it creates none");
        let tus = offer(&[
            ("Tus-Version", "1.0.0"),
            ("Tus-Extension", "creation"),
            ("Tus-Checksum-Algorithm", "sha1"),
            ("Tus-Max-Size", "-1"),
        ]);
        assert_eq!(tus.tus, Some(TusOffer::default()));
        assert!(!offer(&[("Upload-Draft-Interop-Version", "7")]).announces);
        assert!(offer(&[("Server", "haul/0.1.0")]).haul);
        assert!(!offer(&[("Server", "haulage/1")]).haul);
        // A limit that cannot be read is none, but a sign all the same.
        assert_eq!(offer(&[("Upload-Limit", "!!")]).draft, Some(Limits::default()));
    }

    #[test]
    fn a_path_is_asked_for_as_it_is() {
        assert_eq!(listing_path("/a%20b/c+d&e"), "/-/uploads?path=%2Fa%20b%2Fc%2Bd%26e");
    }
}
