//! Rules for passwords, and hashing on a few threads outside the async runtime.

use std::collections::HashSet;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Semaphore, oneshot};

use crate::error::{Error, ErrorKind, Result};
use crate::sql_types::{Memory, PasswordHash};

const MIN_CHARACTERS: usize = 12;
const MAX_BYTES: usize = 1_024;

/// Common passwords of 12 and more characters, in lower case, and the password of the bootstrap. Source: the 19,640 of
/// Django's list, which Royce Williams compiled from leaked passwords.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// Threads that hash passwords, half as many as cores, so that the other half serves requests. Each takes 19 MiB and
/// one core.
///
/// They are separate from tokio's blocking pool, because each thread keeps the memory that it hashes in. When many
/// threads allocated and freed it, the process used ten times the memory of the concurrent hashes.
static HASHING: LazyLock<HashingPool> = LazyLock::new(HashingPool::start);

type Work = Box<dyn FnOnce(&mut Memory) + Send>;

struct HashingPool {
    turns: Arc<Semaphore>,
    work: mpsc::Sender<Work>,
}

impl HashingPool {
    fn start() -> Self {
        let count = (thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1);
        let (work, waiting) = mpsc::channel::<Work>();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..count {
            let waiting = Arc::clone(&waiting);
            let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let hashing = move || {
                let mut memory = Memory::default();
                while let Ok(work) = next() {
                    // If the work panics, its caller sees that the channel was closed.
                    let _ = panic::catch_unwind(AssertUnwindSafe(|| work(&mut memory)));
                }
            };
            if let Err(error) = thread::Builder::new().name("password hashing".to_owned()).spawn(hashing) {
                tracing::error!(%error, "failed to start a password hashing thread");
            }
        }
        Self { turns: Arc::new(Semaphore::new(count)), work }
    }
}

/// Maximum time that a login waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(15);

/// Rejects a password that is too short, too long or too common, or that is one of `known`: the email and the names.
pub(super) fn check(password: &SecretString, known: &[&str]) -> Result<()> {
    let text = password.expose_secret();
    let refused = |why: &str| Err(Error::invalid(why).of_field("password"));
    if text.chars().count() < MIN_CHARACTERS {
        return refused("must have at least 12 characters");
    }
    if text.len() > MAX_BYTES {
        return refused("must have at most 1,024 bytes");
    }
    let lower = text.to_lowercase();
    if COMMON.contains(lower.as_str()) {
        return refused("must not be one of the most common passwords");
    }
    if known.iter().any(|known| !known.is_empty() && known.to_lowercase() == lower) {
        return refused("must not be the email or the name");
    }
    Ok(())
}

/// Returns true if `hash` is the hash of this password.
pub(super) async fn verify(hash: &PasswordHash, password: &SecretString) -> Result<bool> {
    // A password above the maximum length is replaced, not skipped, so that its check takes as long as any other.
    let password = if password.expose_secret().len() > MAX_BYTES { SecretString::default() } else { password.clone() };
    let hash = hash.clone();
    in_turn(move |memory| hash.verifies_within(memory, &password)).await
}

pub(super) async fn hash(password: &SecretString) -> Result<PasswordHash> {
    let password = password.clone();
    in_turn(move |memory| PasswordHash::from_password_within(memory, &password)).await?
}

/// Creates a hash that no password matches, for an account whose owner has not set one. It hashes 256 random bits that
/// are not stored.
pub(crate) async fn unusable() -> Result<PasswordHash> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Error::new(ErrorKind::Io, "the operating system provides no random bytes").caused_by(error))?;
    hash(&SecretString::from(base16ct::lower::encode_string(&secret))).await
}

/// Returns the hash that an unknown email is verified against, computed once per process.
pub(super) async fn dummy_hash() -> Result<PasswordHash> {
    static DUMMY_HASH: tokio::sync::OnceCell<PasswordHash> = tokio::sync::OnceCell::const_new();
    Ok(DUMMY_HASH.get_or_try_init(unusable).await?.clone())
}

/// Runs the work on a hashing thread. The permit moves with the work; otherwise a dropped request would let another
/// start while its own work still runs.
async fn in_turn<T: Send + 'static>(work: impl FnOnce(&mut Memory) -> T + Send + 'static) -> Result<T> {
    let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&HASHING.turns).acquire_owned()).await;
    let permit = turn
        .map_err(|elapsed| Error::new(ErrorKind::Exhausted, "too many logins at once").caused_by(elapsed))?
        .map_err(|closed| Error::new(ErrorKind::Exhausted, "password hashing has stopped").caused_by(closed))?;
    let (done, result) = oneshot::channel();
    let working = Box::new(move |memory: &mut Memory| {
        let _held = permit;
        // The caller may have stopped waiting.
        let _ = done.send(work(memory));
    });
    let lost = || Error::new(ErrorKind::Io, "the password hashing thread has ended");
    HASHING.work.send(working).map_err(|_| lost())?;
    result.await.map_err(|gone| lost().caused_by(gone))
}
