//! A source of any protocol, so that one transfer can have several.

use bytes::Bytes;
use haul_core::Entity;

use super::{
    Body, Failed, FtpSource, HttpSource, OpenError, Opened, Source, Wish, ftp_body::FtpBody,
    http_body::HttpBody,
};

/// Something that has the file, by its URL's scheme.
#[derive(Debug)]
pub(crate) enum AnySource {
    /// `http`, `https`.
    Http(HttpSource),
    /// `ftp`, `ftps`.
    Ftp(FtpSource),
}

/// The bytes of its answer.
#[derive(Debug)]
pub(crate) enum AnyBody {
    Http(Box<HttpBody>),
    Ftp(Box<FtpBody>),
}

impl AnySource {
    /// Whether its version has to be asked for once more when all bytes are there.
    pub(crate) fn has_to_confirm(&self) -> bool {
        match self {
            Self::Http(_) => false,
            Self::Ftp(source) => source.has_sent(),
        }
    }

    /// What differs from `known` now, in plain words. `insist`: it is asked again where it cannot answer.
    pub(crate) async fn confirm(&self, known: &Entity, insist: bool) -> Result<Option<String>, Failed> {
        match self {
            Self::Http(_) => Ok(None),
            Self::Ftp(source) => source.confirm(known, insist).await,
        }
    }
}

impl Source for AnySource {
    type Body = AnyBody;

    fn keeps_time(&self) -> bool {
        match self {
            Self::Http(source) => source.keeps_time(),
            Self::Ftp(source) => source.keeps_time(),
        }
    }

    async fn open(&self, wish: Wish) -> Result<Opened<AnyBody>, OpenError> {
        // Boxed: a lane would carry the larger of two dialogues for its whole life.
        match self {
            Self::Http(source) => {
                Ok(Box::pin(source.open(wish)).await?.map(|body| AnyBody::Http(Box::new(body))))
            }
            Self::Ftp(source) => {
                Ok(Box::pin(source.open(wish)).await?.map(|body| AnyBody::Ftp(Box::new(body))))
            }
        }
    }
}

impl Body for AnyBody {
    async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        match self {
            Self::Http(body) => body.next().await,
            Self::Ftp(body) => body.next().await,
        }
    }
}

impl<B> Opened<B> {
    fn map<C>(self, body: impl FnOnce(B) -> C) -> Opened<C> {
        let Self { seen, from, to, ranges, name, digests, place, body: bytes } = self;
        Opened { seen, from, to, ranges, name, digests, place, body: body(bytes) }
    }
}
