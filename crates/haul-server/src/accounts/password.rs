//! A password as it is stored, and the hash that `haul passwd` prints.
//!
//! Nothing here ever shows what it holds.

use std::fmt;

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

use crate::ServerError;

/// The most bytes of a password that is looked at.
pub const LONGEST: usize = 1024;

/// The most memory that one hash may ask for, in KiB: a configuration file shall not be able to stop a machine.
const MOST_MEMORY: u32 = 1 << 20;

/// What a password is compared with.
#[derive(Clone)]
pub struct Password(pub(super) Stored);

#[derive(Clone)]
pub(super) enum Stored {
    /// From the command line.
    Plain(String),
    /// From the configuration.
    Hashed(Box<PasswordHash>),
}

impl Password {
    /// A password that is known in plain text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(Stored::Plain(text.into()))
    }

    /// The hash of one, as [`hash`] makes it (`$argon2id$v=19$…`); `None` where it is none.
    pub fn hashed(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let known = ["argon2id", "argon2i", "argon2d"].contains(&hash.algorithm.as_str());
        let params = Params::try_from(&hash).ok().filter(|params| params.m_cost() <= MOST_MEMORY)?;
        let whole = hash.salt.is_some() && hash.hash.is_some() && params.m_cost() > 0;
        (known && whole).then(|| Self(Stored::Hashed(Box::new(hash))))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The argon2id hash of a password, with a salt of its own. Takes a while, and about 20 MiB.
pub fn hash(password: &[u8]) -> Result<String, ServerError> {
    let hash = Argon2::default().hash_password(password);
    hash.map(|hash| hash.to_string()).map_err(|error| ServerError::Other(format!("cannot hash: {error}")))
}

/// Whether this is the password; takes as long as its hash says.
pub(super) fn verify(password: &[u8], hash: &PasswordHash) -> bool {
    Argon2::default().verify_password(password, hash).is_ok()
}

/// A number that grows with the work of a hash.
pub(super) fn work(hash: &PasswordHash) -> u64 {
    Params::try_from(hash).map_or(0, |params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_that_was_printed_can_be_stored() {
        let text = hash(b"a secret").unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let Some(Password(Stored::Hashed(hash))) = Password::hashed(&text) else { panic!() };
        assert!(verify(b"a secret", &hash));
        assert!(!verify(b"a secrets", &hash));
    }

    #[test]
    fn what_is_no_hash_of_ours_is_none() {
        let salt_and_hash = "c2FsdHNhbHRzYWx0$wkLMKLAjZZxCmBdLGbpLEbYZeWPZSCpWmGpZ5j9dbZA";
        assert!(Password::hashed(&format!("$argon2id$v=19$m=64,t=1,p=1${salt_and_hash}")).is_some());
        for bad in [
            "secret".to_owned(),
            String::new(),
            "$2b$12$abcdefghijklmnopqrstuv".to_owned(),
            format!("$pbkdf2$v=19$m=64,t=1,p=1${salt_and_hash}"),
            format!("$argon2id$v=19$m=1048577,t=1,p=1${salt_and_hash}"),
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0".to_owned(),
        ] {
            assert!(Password::hashed(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn nothing_secret_is_ever_shown() {
        assert_eq!(format!("{:?}", Password::plain("secret")), "Password(…)");
    }
}
