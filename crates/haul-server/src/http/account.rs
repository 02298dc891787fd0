//! Who a request comes from: Basic credentials (RFC 7617), or nobody. Every request says it anew; a right password
//! costs one hash in all.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderValue, StatusCode, header};

use super::{
    door::Kind,
    request::{Client, Request},
    settings::Settings,
    trouble::Trouble,
};
use crate::{accounts::Entry, depot::Visitor, log::Event, metrics::Reason};

/// What a client without credentials is asked for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"haul\", charset=\"UTF-8\"");

/// Somebody who was let in.
pub(super) struct Entered {
    pub(super) visitor: Visitor,
    /// Whether credentials were given.
    pub(super) named: bool,
}

/// Lets a request in, or not.
pub(super) async fn enter(client: &Client, request: &Request) -> Result<Entered, Trouble> {
    let Settings { protection, .. } = &*client.settings;
    if client.kind == Kind::Plain && protection.as_ref().is_some_and(super::tls::Protection::is_required) {
        return Err(Trouble::new(StatusCode::FORBIDDEN, "only over https"));
    }
    let address = client.peer.ip();
    let presented = client.presented.get();
    let Some(value) = request.fields.get(header::AUTHORIZATION) else {
        if let Some((presented, name)) =
            presented.and_then(|presented| Some((presented, client.house.accounts.named_by(presented)?)))
        {
            let entry = client.house.accounts.recognise(name.as_bytes(), presented, address);
            return entered(client, request, name.into_bytes(), entry);
        }
        let nobody =
            client.house.accounts.nobody(address).ok_or_else(|| challenged("a name is needed here"))?;
        client.house.belongs(&client.place, &nobody)?;
        return Ok(Entered { visitor: client.visitor(Arc::new(nobody), request)?, named: false });
    };
    let (name, password) =
        credentials(value.as_bytes()).ok_or_else(|| challenged("only Basic credentials are understood"))?;
    let known = presented.map(|presented| client.house.accounts.recognise(&name, presented, address));
    let entry = match known {
        Some(entry @ (Entry::In(_) | Entry::Barred(_) | Entry::Refused(_))) => entry,
        Some(Entry::No) | None => client.house.accounts.login(&name, &password, address).await,
    };
    entered(client, request, name, entry)
}

/// What becomes of somebody who has given a name, or has shown one.
fn entered(client: &Client, request: &Request, name: Vec<u8>, entry: Entry) -> Result<Entered, Trouble> {
    let (session, address) = (client.place.number(), client.peer.ip());
    let door = client.kind.name();
    match entry {
        Entry::In(account) => {
            if let Err(full) = client.house.belongs(&client.place, &account) {
                let (user, why) = (name, full.words().to_owned());
                client.house.log.tell(Event::LoginBarred { session, door, user, address, why });
                return Err(full.into());
            }
            if client.is_new(&account.name) {
                let user = account.name.clone();
                client.house.log.tell(Event::LoggedIn { session, door, user, address });
            }
            Ok(Entered { visitor: client.visitor(account, request)?, named: true })
        }
        Entry::No => {
            client.house.log.tell(Event::LoginFailed { session, door, user: name, address });
            Err(challenged("name or password is wrong").because(Reason::Login))
        }
        Entry::Barred(barred) => {
            let why = barred.words().to_owned();
            client.house.log.tell(Event::LoginBarred { session, door, user: name, address, why });
            Err(Trouble::new(StatusCode::FORBIDDEN, barred.words()).because(Reason::Barred))
        }
        Entry::Refused(remaining) => {
            client.house.log.tell(Event::LoginRefused { session, door, address, remaining });
            let seconds = remaining.as_secs().max(1);
            Err(Trouble::new(StatusCode::TOO_MANY_REQUESTS, "your address has failed too often")
                .because(Reason::Throttled)
                .with(header::RETRY_AFTER, seconds.into()))
        }
    }
}

/// Credentials are wanted.
pub(super) fn challenged(why: &str) -> Trouble {
    Trouble::new(StatusCode::UNAUTHORIZED, why).with(header::WWW_AUTHENTICATE, CHALLENGE)
}

/// Name and password.
fn credentials(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at(colon);
    Some((name.to_vec(), password.get(1..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_split_at_the_first_colon() {
        let told = |text: &str| credentials(text.as_bytes());
        assert_eq!(told("Basic YTpiOmM="), Some((b"a".to_vec(), b"b:c".to_vec())));
        assert_eq!(told("bASIC YTo="), Some((b"a".to_vec(), Vec::new())));
        for bad in ["", "Basic", "Basic YQ==", "Basic !", "Bearer YTpi", "BasicYTpi"] {
            assert_eq!(told(bad), None, "{bad}");
        }
    }
}
