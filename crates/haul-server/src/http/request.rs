//! A request as handlers see it: what HTTP says, parsed at the edge, and who sent it from where.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use haul_core::BadPath;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, request::Parts};

use super::{content::Content, door::Kind, guard, interim::Interim, settings::Settings};
use crate::{
    ServerError,
    account::Account,
    accounts::Presented,
    depot::Visitor,
    hooks::Whence,
    house::{Full, House, Place},
    pace::Pace,
};

/// A request.
pub(super) struct Request {
    pub(super) method: Method,
    /// The path as it was sent, percent-encoded.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) host: Option<String>,
    /// Whether it says for which host it is, once, as its version has it (RFC 9112 §3.2).
    pub(super) names_its_host: bool,
    pub(super) fields: HeaderMap,
    pub(super) content: Content,
    pub(super) interim: Interim,
}

/// Who is at the other end of a connection, and what holds for it.
pub(super) struct Client {
    pub(super) house: House,
    pub(super) settings: Arc<Settings>,
    pub(super) kind: Kind,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) place: Place,
    /// Who came in over it last, so that a line is written for each once.
    pub(super) user: Mutex<Option<String>>,
    /// The pace of whoever asked last.
    pub(super) pace: Mutex<Option<(String, Arc<Pace>)>>,
    /// The certificate that it has shown.
    pub(super) presented: OnceLock<Presented>,
    /// Why there is no place for it: that is all it hears.
    pub(super) full: Option<Full>,
}

impl Client {
    /// Whether this is another user than the one before.
    pub(super) fn is_new(&self, user: &str) -> bool {
        let mut last = self.user.lock().unwrap_or_else(PoisonError::into_inner);
        let new = last.as_deref() != Some(user);
        if new {
            *last = Some(user.to_owned());
            self.place.called(user);
        }
        new
    }
}

impl Client {
    /// The tree as this account sees it at the host that is asked, at the pace of this connection.
    pub(super) fn visitor(&self, account: Arc<Account>, request: &Request) -> Result<Visitor, ServerError> {
        let home = self.settings.virtual_hosts.home(request.host.as_deref().map(guard::without_port));
        let account = account.within(&home).ok_or(BadPath::TooLong)?;
        let mut last = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = account.owner();
        let known = last.take().filter(|(user, _)| *user == owner);
        let (user, pace) = known.unwrap_or_else(|| (owner, self.house.pace(&account)));
        let (session, address) = (self.place.number(), self.peer.ip());
        let whence = Whence { session, address, protocol: super::PROTOCOL };
        let visitor = self.house.depot.visitor(account).at(Arc::clone(&pace)).coming(whence);
        *last = Some((user, pace));
        Ok(visitor)
    }
}

impl Request {
    pub(super) fn new(parts: Parts, content: Content, interim: Interim) -> Self {
        let Parts { method, uri, headers, version, .. } = parts;
        // In HTTP/2 it is a part of the target (RFC 9113 §8.3.1).
        let host = uri.authority().map(|authority| authority.as_str().to_owned()).or_else(|| {
            headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned)
        });
        // Older clients know no interim answers (RFC 9110 §15.2).
        let interim = if version < Version::HTTP_11 { Interim::default() } else { interim };
        let names_its_host = names_its_host(&headers, version, uri.authority().is_some());
        let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
        // hyper reads the first content at once: into the same buffer, if nothing of the head lies in it any more.
        let fields = if content.is_empty() { headers } else { copied(&headers) };
        Self { method, path, query, host, names_its_host, fields, content, interim }
    }

    /// The content, when all that the head says was heeded: it is let go while the content is waited for.
    pub(super) fn awaited(&mut self) -> &mut Content {
        self.fields = HeaderMap::new();
        (self.path, self.query, self.host) = (String::new(), None, None);
        &mut self.content
    }

    /// The text of a field that is there once.
    pub(super) fn field(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.fields.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }

    /// The size of the content, where it was told: what is chunked tells none.
    pub(super) fn length(&self) -> Option<u64> {
        if self.content.is_empty() {
            return Some(0);
        }
        self.field(&http::header::CONTENT_LENGTH)?.parse().ok()
    }

    /// What the query says of this key, decoded; the first, where it is there several times.
    pub(super) fn asked(&self, key: &str) -> Option<Vec<u8>> {
        let query = self.query.as_deref()?;
        let found = query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == key).then_some(value)
        })?;
        let spaced = found.replace('+', " ");
        Some(percent_encoding::percent_decode_str(&spaced).collect())
    }
}

/// The same fields, in memory of their own and no larger than they are.
fn copied(fields: &HeaderMap) -> HeaderMap {
    let copy =
        |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    fields.iter().map(|(name, value)| (name.clone(), copy(value))).collect()
}

fn names_its_host(fields: &HeaderMap, version: Version, in_target: bool) -> bool {
    let mut hosts = fields.get_all(http::header::HOST).iter();
    let is_one = |host: &HeaderValue| {
        let text = host.to_str().unwrap_or("@");
        text.is_empty() || (!text.contains('@') && text.parse::<http::uri::Authority>().is_ok())
    };
    match (hosts.next(), hosts.next()) {
        (None, _) => version < Version::HTTP_11 || (version > Version::HTTP_11 && in_target),
        (Some(host), None) => is_one(host),
        (Some(_), Some(_)) => false,
    }
}
