//! Who comes in and who does not. Time is tokio's, paused: a delay costs nothing here.

use std::{future::Future as _, net::Ipv4Addr};

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A hash that takes no time.
fn quick(password: &[u8]) -> Password {
    use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher as _};
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    Password::hashed(&argon2.hash_password(password).unwrap().to_string()).unwrap()
}

fn user(name: &str, password: Password) -> User {
    let may = Permissions { read: true, write: true, delete: false, list: true };
    let home = TreePath::ROOT.join(b"homes/a").unwrap();
    User {
        name: name.to_owned(),
        password,
        home,
        may,
        completion: Completion::Lenient,
        bounds: Arc::default(),
    }
}

fn accounts(users: Vec<User>) -> Accounts {
    Accounts::new(users, Anonymous::Off, Patience { failures: 3, refuse: Duration::from_secs(60) }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_right_password_leads_home() {
    let accounts = accounts(vec![user("ann", quick(b"secret")), user("bob", Password::plain("pass:word"))]);
    for (name, password) in [("ann", "secret"), ("bob", "pass:word")] {
        let Entry::In(account) = accounts.login(name.as_bytes(), password.as_bytes(), HERE).await else {
            panic!("{name}")
        };
        assert_eq!((account.name.as_str(), account.home.as_bytes()), (name, &b"homes/a"[..]));
        assert_eq!((account.completion, account.anonymous), (Completion::Lenient, None));
        assert!(account.may.write && !account.may.delete);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_else_hears_the_same() {
    let patient = Patience { failures: 0, refuse: Duration::from_secs(60) };
    let users = vec![user("ann", quick(b"secret")), user("bob", Password::plain("plain"))];
    let accounts = Accounts::new(users, Anonymous::Off, patient).unwrap();
    for (name, password) in [
        (&b"ann"[..], &b"Secret"[..]),
        (b"ann", b""),
        (b"Ann", b"secret"),
        (b"bob", b"plain "),
        (b"nobody", b"secret"),
        (b"", b""),
        (b"anonymous", b"me@"),
        (b"\xff", b"\xff"),
    ] {
        assert_eq!(accounts.login(name, password, HERE).await, Entry::No, "{name:?}");
    }
    assert!(matches!(accounts.login(b"ann", b"secret", HERE).await, Entry::In(_)), "nobody is locked out");
}

#[tokio::test(start_paused = true)]
async fn a_success_costs_one_hash_and_a_failure_is_never_remembered() {
    let accounts = accounts(vec![user("ann", quick(b"secret"))]);
    assert_eq!(accounts.login(b"ann", b"wrong", HERE).await, Entry::No);
    assert!(matches!(accounts.login(b"ann", b"secret", HERE).await, Entry::In(_)));
    // With no permit left a hash would wait for ever.
    let _all = accounts.hashes.acquire_many(u32::try_from(HASHES).unwrap()).await.unwrap();
    assert!(matches!(accounts.login(b"ann", b"secret", HERE).await, Entry::In(_)));
    let wrong = accounts.login(b"ann", b"wrong", HERE);
    assert!(tokio::time::timeout(Duration::from_secs(1), wrong).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn plain_passwords_cost_a_hash_when_they_are_wrong() {
    let accounts = accounts(vec![user("bob", Password::plain("plain"))]);
    let _all = accounts.hashes.acquire_many(u32::try_from(HASHES).unwrap()).await.unwrap();
    for name in [b"bob", b"eve"] {
        let wrong = accounts.login(name, b"wrong", HERE);
        assert!(tokio::time::timeout(Duration::from_secs(1), wrong).await.is_err());
    }
    assert!(matches!(accounts.login(b"bob", b"plain", HERE).await, Entry::In(_)));
}

#[tokio::test]
async fn whoever_gives_up_makes_no_room_for_more_hashes_than_there_may_be() {
    let slow = Password::hashed(&hash(b"secret").unwrap()).unwrap();
    let accounts = accounts(vec![user("ann", slow)]);
    let mut login = Box::pin(accounts.login(b"ann", b"guess", HERE));
    std::future::poll_fn(|context| {
        assert!(login.as_mut().poll(context).is_pending(), "it is being hashed");
        std::task::Poll::Ready(())
    })
    .await;
    drop(login);
    assert_eq!(accounts.hashes.available_permits(), HASHES - 1);
    let all = accounts.hashes.acquire_many(u32::try_from(HASHES).unwrap()).await;
    assert!(all.is_ok(), "its end makes room");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_guesses_is_refused_even_with_the_right_password() {
    let accounts = accounts(vec![user("ann", quick(b"secret"))]);
    for _ in 0..3 {
        assert_eq!(accounts.login(b"ann", b"guess", HERE).await, Entry::No);
    }
    assert!(matches!(accounts.login(b"ann", b"secret", HERE).await, Entry::Refused(_)));
    let there = IpAddr::from([192, 0, 2, 1]);
    assert!(matches!(accounts.login(b"ann", b"secret", there).await, Entry::In(_)));
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_failure_is_delayed_more_and_more() {
    let accounts = accounts(vec![user("ann", quick(b"secret"))]);
    for expected in [500, 1000] {
        let start = tokio::time::Instant::now();
        accounts.login(b"ann", b"guess", HERE).await;
        assert!(start.elapsed() >= Duration::from_millis(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn anonymous_has_two_names_and_an_address() {
    let home = TreePath::ROOT.join(b"pub").unwrap();
    let anonymous = Anonymous::On { write: true, home, bounds: Arc::default() };
    let accounts = Accounts::new(Vec::new(), anonymous, Patience::default()).unwrap();
    for name in [&b"anonymous"[..], b"FTP"] {
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        let Entry::In(account) = accounts.login(name, b"whatever", mapped).await else { panic!() };
        assert_eq!(account.owner(), "anonymous@192.0.2.1");
        assert_eq!(account.home.as_bytes(), b"pub");
        assert_eq!(account.may, Permissions { read: true, write: true, delete: false, list: true });
    }
    assert!(accounts.anybody_writes());
}

#[tokio::test(start_paused = true)]
async fn users_can_be_replaced() {
    let accounts = accounts(vec![user("ann", quick(b"old"))]);
    assert!(matches!(accounts.login(b"ann", b"old", HERE).await, Entry::In(_)));
    let patience = Patience { failures: 0, refuse: Duration::from_secs(60) };
    accounts.replace(vec![user("ann", quick(b"new"))], Anonymous::Off, patience).unwrap();
    assert_eq!(accounts.login(b"ann", b"old", HERE).await, Entry::No);
    assert!(matches!(accounts.login(b"ann", b"new", HERE).await, Entry::In(_)));
}

#[test]
fn two_users_of_one_name_are_refused() {
    let two = vec![user("ann", quick(b"a")), user("ann", quick(b"b"))];
    assert!(Accounts::new(two, Anonymous::Off, Patience::default()).is_err());
}

#[test]
fn nothing_secret_is_ever_shown() {
    let user = user("ann", Password::plain("secret"));
    let shown = format!("{user:?} {:?}", accounts(vec![user.clone()]));
    assert!(!shown.contains("secret"), "{shown}");
}
