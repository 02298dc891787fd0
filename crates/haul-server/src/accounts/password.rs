//! A password as it is stored, and the hash that `haul passwd` prints.
//!
//! Nothing here ever shows what it holds.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        PasswordHasher as _,
        phc::{Output, PasswordHash},
    },
};

use crate::ServerError;

/// The most bytes of a password that is looked at.
pub const LONGEST: usize = 1024;

/// The most memory that one hash may ask for, in KiB: a configuration file shall not be able to stop a machine.
const MOST_MEMORY: u32 = 1 << 20;

/// So many blocks (of a KiB) are asked for at least, of which those that no hash needs stay untouched. What is larger
/// than 32 MiB no allocator keeps for later: a thread that has hashed once would have its 19 MiB for good (glibc takes
/// what was freed once for what is wanted often, and has an arena for each of many threads).
const GIVEN_BACK: usize = 33 << 10;

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

/// Whether this is the password; takes as long as its hash says. The memory for it goes back to the system.
pub(super) fn verify(password: &[u8], hash: &PasswordHash) -> bool {
    // An `Output` compares itself in constant time: its `PartialEq` is `ct_eq`.
    computed(password, hash).is_some_and(|computed| hash.hash == Some(computed))
}

/// What a hash would be of this password; `None` of one that is none of argon2's.
fn computed(password: &[u8], hash: &PasswordHash) -> Option<Output> {
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let params = Params::try_from(hash).ok()?;
    let blocks = params.block_count();
    let (salt, length) = (hash.salt.as_ref()?, params.output_len()?);
    let mut memory = Vec::with_capacity(blocks.max(GIVEN_BACK));
    memory.resize(blocks, Block::new());
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..length)?;
    Argon2::new(algorithm, version, params)
        .hash_password_into_with_memory(password, salt, out, memory)
        .ok()?;
    Output::new(out).ok()
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

    /// Bytes that this process has in memory.
    #[cfg(target_os = "linux")]
    fn resident() -> u64 {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() << 12
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_hash_takes_in_memory_is_given_back_whichever_thread_made_it() {
        let text = hash(b"a secret").unwrap();
        let Some(Password(Stored::Hashed(hash))) = Password::hashed(&text) else { panic!() };
        let before = resident();
        // Threads that stay, as those of a server do: each has memory of its own.
        let all_done = std::sync::Barrier::new(9);
        let held = std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    assert!(verify(b"a secret", &hash));
                    assert!(!verify(b"another", &hash));
                    all_done.wait();
                    all_done.wait();
                });
            }
            all_done.wait();
            let held = resident().saturating_sub(before);
            all_done.wait();
            held
        });
        assert!(held < 32 << 20, "{} MiB are held", held >> 20);
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
