//! Who may come in: users and their passwords, anonymous, and how often one may be wrong.
//!
//! Whoever fails, for whatever reason, waits for the work of one hash and then for the [`throttle`]'s delay, and hears
//! the same: nothing tells a name that exists from one that does not. A password that was right once is remembered by
//! a digest with a key of this run, so that a client with many connections costs one hash. It knows no protocol.

mod bounds;
mod folders;
mod network;
mod password;
mod presented;
pub mod throttle;

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use argon2::password_hash::phc::PasswordHash;
use haul_core::TreePath;
use tokio::sync::Semaphore;

pub use bounds::{Barred, Bounds, Quota};
pub use folders::Folders;
pub use network::{Network, Networks};
pub use password::{LONGEST as LONGEST_PASSWORD, Password, hash};
use password::{LONGEST, Stored};
pub(crate) use presented::not_after;
pub use presented::{KnownBy, Presented};
use throttle::{Patience, Throttle};

use crate::{
    ServerError,
    account::{Account, Completion, Permissions},
    pace::UserRates,
};

/// So many passwords are hashed at a time: each takes a processor and 20 MiB or so.
const HASHES: usize = 2;

/// A user, as configured.
#[derive(Clone, Debug)]
pub struct User {
    /// The name to log in with.
    pub name: String,
    /// The password.
    pub password: Password,
    /// The root of what the user sees.
    pub home: TreePath,
    /// What the user may do.
    pub may: Permissions,
    /// When the user's uploads are complete.
    pub completion: Completion,
    /// What the user is kept to.
    pub bounds: Arc<Bounds>,
}

/// Those who have no name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// They don't come in.
    #[default]
    Off,
    /// They come in, with any password.
    On {
        /// Whether they may create files and folders, beside reading and listing.
        write: bool,
        /// The root of what they see.
        home: TreePath,
        /// What they are kept to, each address for itself.
        bounds: Arc<Bounds>,
    },
}

impl User {
    /// Whether this user may write anywhere.
    pub fn writes(&self) -> bool {
        self.may.write || self.bounds.folders.let_write()
    }

    fn account(&self) -> Account {
        Account {
            name: self.name.clone(),
            home: self.home.clone(),
            may: self.may,
            completion: self.completion,
            anonymous: None,
            bounds: Arc::clone(&self.bounds),
        }
    }
}

impl Anonymous {
    /// Whether they may write anywhere.
    pub fn writes(&self) -> bool {
        match self {
            Self::On { write, bounds, .. } => *write || bounds.folders.let_write(),
            Self::Off => false,
        }
    }
}

/// What came of a try to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Come in.
    In(Arc<Account>),
    /// No.
    No,
    /// Not now, or not from there, though the password is right.
    Barred(Barred),
    /// The address has failed too often, and is not listened to for so long.
    Refused(Duration),
}

/// Whether this name is the one of those who have none.
pub fn is_anonymous(name: &str) -> bool {
    name.eq_ignore_ascii_case("anonymous") || name.eq_ignore_ascii_case("ftp")
}

/// All who may come in.
pub struct Accounts {
    book: RwLock<Arc<Book>>,
    throttle: Mutex<Throttle>,
    hashes: Arc<Semaphore>,
    /// Of this run.
    key: [u8; 32],
}

/// Users at one time.
struct Book {
    users: HashMap<String, Known>,
    anonymous: Anonymous,
    /// What a failure is compared with, so that it takes as long as any other.
    decoy: Box<PasswordHash>,
}

struct Known {
    user: User,
    /// Who comes in by that name, had once by all of its sessions.
    account: Arc<Account>,
    /// The digest of the password that was right.
    remembered: Mutex<Option<blake3::Hash>>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("users", &self.book().users.len()).finish_non_exhaustive()
    }
}

impl Accounts {
    /// These users, whose names differ.
    pub fn new(users: Vec<User>, anonymous: Anonymous, patience: Patience) -> Result<Self, ServerError> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key)
            .map_err(|_| ServerError::Other("the system gives no random numbers".to_owned()))?;
        Ok(Self {
            book: RwLock::new(Arc::new(Book::new(users, anonymous, &key)?)),
            throttle: Mutex::new(Throttle::new(patience)),
            hashes: Arc::new(Semaphore::new(HASHES)),
            key,
        })
    }

    /// From now on these users. Who is in stays in; who failed has failed.
    pub fn replace(
        &self,
        users: Vec<User>,
        anonymous: Anonymous,
        patience: Patience,
    ) -> Result<(), ServerError> {
        let book = Arc::new(Book::new(users, anonymous, &self.key)?);
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = book;
        self.throttle().set(patience);
        Ok(())
    }

    /// Whether anybody at all may write.
    pub fn anybody_writes(&self) -> bool {
        let book = self.book();
        book.anonymous.writes() || book.users.values().any(|known| known.user.writes())
    }

    /// How fast an account may be, by whose its unfinished uploads are; nothing where there is none.
    pub fn rates(&self, owner: &str) -> UserRates {
        let book = self.book();
        let anonymous = || match &book.anonymous {
            Anonymous::On { bounds, .. } if owner.starts_with("anonymous@") => bounds.rates,
            Anonymous::On { .. } | Anonymous::Off => UserRates::default(),
        };
        book.users.get(owner).map_or_else(anonymous, |known| known.user.bounds.rates)
    }

    /// The homes of all who may have only so much there.
    pub fn measured_homes(&self) -> Vec<TreePath> {
        let book = self.book();
        let users = book.users.values().map(|known| (&known.user.home, &known.user.bounds));
        let anonymous = match &book.anonymous {
            Anonymous::On { home, bounds, .. } => Some((home, bounds)),
            Anonymous::Off => None,
        };
        let all = users.chain(anonymous).filter(|(_, bounds)| bounds.quota != Quota::default());
        all.map(|(home, _)| home.clone()).collect()
    }

    /// Lets somebody in who has no name, where such may come in.
    pub fn nobody(&self, address: IpAddr) -> Option<Account> {
        let address = address.to_canonical();
        let account = self.book().anonymous("anonymous", address)?;
        account.bounds.check(address).is_ok().then_some(account)
    }

    /// Lets somebody in by a certificate; [`Entry::No`]: this user is not known by it, and may have a password.
    pub fn recognise(&self, name: &[u8], presented: &Presented, address: IpAddr) -> Entry {
        let address = address.to_canonical();
        if let Some(left) = self.refused(address) {
            return Entry::Refused(left);
        }
        let book = self.book();
        let known = str::from_utf8(name).ok().and_then(|name| book.users.get(name));
        match known.filter(|known| presented.is_any(&known.user.bounds.certificates)) {
            Some(known) => entry(Arc::clone(&known.account), address),
            None => Entry::No,
        }
    }

    /// The name of the one user who is known by a certificate; `None` where there are several.
    pub fn named_by(&self, presented: &Presented) -> Option<String> {
        let book = self.book();
        let mut named = book.users.values().filter(|known| presented.is_any(&known.user.bounds.certificates));
        let name = named.next().map(|known| known.user.name.clone());
        name.filter(|_| named.next().is_none())
    }

    /// Lets somebody in, or not. A failure is answered only after the delay that its address has earned.
    pub async fn login(&self, name: &[u8], password: &[u8], address: IpAddr) -> Entry {
        let address = address.to_canonical();
        if let Some(left) = self.refused(address) {
            return Entry::Refused(left);
        }
        let book = self.book();
        let name = str::from_utf8(name).unwrap_or_default();
        if let Some(account) = book.anonymous(name, address) {
            return entry(Arc::new(account), address);
        }
        let known = book.users.get(name);
        let digest = known.map(|known| self.digest(&known.user, password));
        if let (Some(known), Some(digest)) = (known, digest)
            && known.is_remembered(digest)
        {
            return entry(Arc::clone(&known.account), address);
        }
        let stored = match known.map(|known| &known.user.password.0) {
            Some(Stored::Hashed(hash)) => hash,
            // A password in plain text would have been remembered.
            Some(Stored::Plain(_)) | None => &book.decoy,
        };
        let Ok(permit) = Arc::clone(&self.hashes).acquire_owned().await else { return Entry::No };
        // Many tries at once are no way around the limit.
        if let Some(left) = self.refused(address) {
            return Entry::Refused(left);
        }
        let (hash, tried) = (stored.clone(), password.get(..LONGEST).unwrap_or(password).to_vec());
        let hashed = tokio::task::spawn_blocking(move || {
            // The thread goes on even if nobody waits for it any more: only its end makes room for another.
            let _permit = permit;
            password::verify(&tried, &hash)
        });
        let same = hashed.await.unwrap_or(false);
        match (known, digest) {
            (Some(known), Some(digest)) if same && known.is_hashed() && password.len() <= LONGEST => {
                known.remember(digest);
                entry(Arc::clone(&known.account), address)
            }
            _ => {
                let delay = self.throttle().failed(address, Instant::now());
                tokio::time::sleep(delay).await;
                Entry::No
            }
        }
    }

    fn refused(&self, address: IpAddr) -> Option<Duration> {
        self.throttle().refused(address, Instant::now())
    }

    fn digest(&self, user: &User, password: &[u8]) -> blake3::Hash {
        digest(&self.key, user, password)
    }

    fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn new(users: Vec<User>, anonymous: Anonymous, key: &[u8; 32]) -> Result<Self, ServerError> {
        let hashes = users.iter().filter_map(|user| match &user.password.0 {
            Stored::Hashed(hash) => Some(hash),
            Stored::Plain(_) => None,
        });
        let decoy = hashes.max_by_key(|hash| password::work(hash)).cloned();
        let decoy = match decoy {
            Some(decoy) => decoy,
            None => decoy_of(key)?,
        };
        let mut book = HashMap::new();
        for user in users {
            let remembered = match &user.password.0 {
                Stored::Plain(text) => Some(digest(key, &user, text.as_bytes())),
                Stored::Hashed(_) => None,
            };
            let account = Arc::new(user.account());
            let known = Known { remembered: Mutex::new(remembered), account, user };
            if let Some(twice) = book.insert(known.user.name.clone(), known) {
                return Err(ServerError::Other(format!("there are two users {:?}", twice.user.name)));
            }
        }
        Ok(Self { users: book, anonymous, decoy })
    }

    fn anonymous(&self, name: &str, address: IpAddr) -> Option<Account> {
        let Anonymous::On { write, home, bounds } = &self.anonymous else { return None };
        (is_anonymous(name) && !self.users.contains_key(name)).then(|| Account {
            name: "anonymous".to_owned(),
            home: home.clone(),
            may: Permissions { read: true, write: *write, delete: false, list: true },
            completion: Completion::Strict,
            anonymous: Some(address),
            bounds: Arc::clone(bounds),
        })
    }
}

impl Known {
    fn is_remembered(&self, digest: blake3::Hash) -> bool {
        // Digests are compared in constant time.
        *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) == Some(digest)
    }

    fn remember(&self, digest: blake3::Hash) {
        *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
    }

    fn is_hashed(&self) -> bool {
        matches!(self.user.password.0, Stored::Hashed(_))
    }
}

/// What becomes of somebody whose name and password are right.
fn entry(account: Arc<Account>, address: IpAddr) -> Entry {
    match account.bounds.check(address) {
        Ok(()) => Entry::In(account),
        Err(barred) => Entry::Barred(barred),
    }
}

/// Of a name, a password and what is stored, so that it is worth nothing once that has changed.
fn digest(key: &[u8; 32], user: &User, password: &[u8]) -> blake3::Hash {
    let stored = match &user.password.0 {
        Stored::Plain(text) => text.clone(),
        Stored::Hashed(hash) => hash.to_string(),
    };
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in [user.name.as_bytes(), stored.as_bytes(), password] {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

/// The hash of what nobody knows.
fn decoy_of(key: &[u8; 32]) -> Result<Box<PasswordHash>, ServerError> {
    let secret = blake3::keyed_hash(key, b"decoy");
    let hash = PasswordHash::new(&hash(secret.as_bytes())?);
    hash.map(Box::new).map_err(|error| ServerError::Other(format!("cannot hash: {error}")))
}

#[cfg(test)]
mod tests;
