//! What a browser may be lured into: a page elsewhere changes nothing here, and one that calls this machine by a name of
//! its own (DNS rebinding) reads nothing. Which pages may is configured (CORS, the Fetch standard §3.2).

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::{
    answer::Answer,
    request::{Client, Request},
    trouble::Trouble,
};

/// How a browser says where a request comes from (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a page elsewhere may read of an answer.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Location, Repr-Digest, Retry-After, \
     Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Complete, \
     Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Limit, Upload-Metadata, Upload-Offset",
);
/// The methods that a page elsewhere may use.
const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE, MKCOL, MOVE");
/// How long a browser may remember that it may.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Refuses what a browser was lured into.
pub(super) fn check(client: &Client, request: &Request) -> Result<(), Trouble> {
    if client.local.ip().is_loopback() && !is_ours(client, request.host.as_deref()) {
        let words = "this machine is not known by that name here (http.hosts)";
        return Err(Trouble::new(StatusCode::MISDIRECTED_REQUEST, words));
    }
    let reads = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || is_at_home(client, request) {
        return Ok(());
    }
    Err(Trouble::new(
        StatusCode::FORBIDDEN,
        "a page from elsewhere may not change anything here (http.origins)",
    ))
}

/// Whether a name means this machine, or is configured.
fn is_ours(client: &Client, host: Option<&str>) -> bool {
    // A browser always gives one.
    let Some(host) = host else { return true };
    let name = without_port(host);
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let loopback = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    loopback
        || name == "localhost"
        || name.ends_with(".localhost")
        || client.settings.hosts.iter().any(|known| known.eq_ignore_ascii_case(&name))
        || client.settings.virtual_hosts.find(&name).is_some()
}

/// The name or the address that a Host field tells.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Whether a request comes from a page of this server, from one that may, or from no page at all.
fn is_at_home(client: &Client, request: &Request) -> bool {
    if let Some(origin) = request.fields.get(header::ORIGIN) {
        return is_own(client, request, origin) || may_change(client, origin);
    }
    match request.fields.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => true,
        Some(_) => false,
    }
}

/// Whether a page of this origin is one of this server's own.
fn is_own(client: &Client, request: &Request, origin: &HeaderValue) -> bool {
    let Some(host) = request.host.as_deref() else { return false };
    let own = format!("{}://{host}", client.kind.name().name());
    // Whoever ends TLS before this server tells another scheme, and the same host.
    let behind = format!("https://{host}");
    [own, behind].iter().any(|own| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()))
}

fn may_change(client: &Client, origin: &HeaderValue) -> bool {
    client.settings.origins.iter().any(|known| known != "*" && origin.as_bytes() == known.as_bytes())
}

/// The fields that let a page elsewhere read an answer, where it may.
pub(super) fn shared(client: &Client, request: &Request) -> HeaderMap {
    let mut fields = HeaderMap::new();
    if client.settings.origins.is_empty() {
        return fields;
    }
    fields.insert(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.fields.get(header::ORIGIN) else { return fields };
    if may_change(client, origin) {
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        fields.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    } else if client.settings.origins.iter().any(|known| known == "*") {
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        return fields;
    }
    fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    fields
}

/// The answer to a browser that asks beforehand whether a page may; `None` where it is no such question.
pub(super) fn preflight(client: &Client, request: &Request) -> Option<Answer> {
    let asked = request.fields.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let origin = request.fields.get(header::ORIGIN)?;
    if request.method != Method::OPTIONS {
        return None;
    }
    let answer = Answer::new(StatusCode::NO_CONTENT);
    if !may_change(client, origin) {
        let reads = [b"GET".as_slice(), b"HEAD"].contains(&asked.as_bytes());
        return Some(if reads {
            answer.with(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"))
        } else {
            answer
        });
    }
    let fields = request.fields.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let answer = answer
        .with(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS)
        .with(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    Some(match fields {
        Some(fields) => answer.with(header::ACCESS_CONTROL_ALLOW_HEADERS, fields),
        None => answer,
    })
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_no_part_of_a_name() {
        for (host, name) in [
            ("localhost:80", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
