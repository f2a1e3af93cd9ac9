//! Hashes of passwords at rest.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as PhcHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use diesel_derive_newtype::DieselNewType;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Error, Result};

/// Memory of one hash in KiB, its passes and its lanes: the first configuration that OWASP's Password Storage Cheat
/// Sheet lists for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Length of the hash itself, in bytes.
const OUTPUT_LEN: usize = 32;

/// Maximum parameters of a stored hash. A later release can raise its settings up to them, and this one still verifies
/// its hashes. Without a maximum, the hash of a planted row could require gigabytes.
const MAX_MEMORY_KIB: u32 = 64 * 1024;
const MAX_PASSES: u32 = 6;
const MAX_LANES: u32 = 4;
/// Maximum cost of bcrypt, whose time doubles with each step; the old platform used 10 to 12.
const MAX_BCRYPT_COST: u32 = 14;

/// The password of the administrator that the bootstrap inserts, which the documentation states. The TypeScript package has
/// the same one.
pub(crate) const PUBLISHED_PASSWORD: &str = "ChangeMe123!";

/// The hash of an administrator's password, a PHC string. Its Debug output hides the hash.
///
/// ```
/// use secrecy::SecretString;
/// use workspace_db::sql_types::PasswordHash;
///
/// let hash = PasswordHash::from_password(&SecretString::from("correct horse battery"))?;
/// assert!(hash.verifies(&SecretString::from("correct horse battery")));
/// assert!(!hash.verifies(&SecretString::from("Correct horse battery")));
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, DieselNewType)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes the password with argon2id and a new salt, at 19 MiB, 2 passes and 1 lane.
    ///
    /// It takes tens of milliseconds of one core: call it on a thread that may block.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if argon2 rejects the password, which it does above 4 GiB.
    pub fn from_password(password: &SecretString) -> Result<Self> {
        Self::from_password_within(&mut Memory::default(), password)
    }

    /// Hashes the password as [`from_password`](Self::from_password) does, in reused memory.
    pub(crate) fn from_password_within(memory: &mut Memory, password: &SecretString) -> Result<Self> {
        let refused = |error: argon2::password_hash::Error| Error::invalid("can't hash the password").caused_by(error);
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_LEN))
            .map_err(|error| Error::invalid("argon2 refused its own parameters").caused_by(error))?;
        let salt = Salt::generate();
        let phc = PhcHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(refused)?,
            hash: Some(memory.argon2(Algorithm::Argon2id, Version::V0x13, params, password, &salt).map_err(refused)?),
            salt: Some(salt),
        };
        Ok(Self(phc.to_string()))
    }

    /// Returns true if this is the hash of that password: argon2id, or bcrypt in a row from the old platform.
    ///
    /// A hash that requires more than 64 MiB, 6 passes or 4 lanes, or a bcrypt cost above 14, is not computed and verifies
    /// no password.
    #[must_use]
    pub fn verifies(&self, password: &SecretString) -> bool {
        self.verifies_within(&mut Memory::default(), password)
    }

    /// Verifies the password as [`verifies`](Self::verifies) does, in reused memory.
    pub(crate) fn verifies_within(&self, memory: &mut Memory, password: &SecretString) -> bool {
        if !self.is_affordable() {
            return false;
        }
        if self.is_bcrypt() {
            return bcrypt::verify(password.expose_secret(), &self.0).unwrap_or(false);
        }
        let mut recompute = || {
            let phc = PhcHash::new(&self.0).ok()?;
            let algorithm = Algorithm::try_from(phc.algorithm.as_str()).ok()?;
            let version = Version::try_from(phc.version?).ok()?;
            let computed =
                memory.argon2(algorithm, version, Params::try_from(&phc).ok()?, password, phc.salt.as_ref()?);
            // Compares in constant time.
            Some(computed.ok()? == phc.hash?)
        };
        recompute() == Some(true)
    }

    /// Returns true if this is the hash of the password that the bootstrap's administrator has, which is published.
    ///
    /// It takes as long as [`verifies`](Self::verifies).
    #[must_use]
    pub fn is_of_published_password(&self) -> bool {
        self.verifies(&SecretString::from(PUBLISHED_PASSWORD))
    }

    /// Returns true if the parameters of the hash are within the maximum.
    pub(crate) fn is_affordable(&self) -> bool {
        if self.is_bcrypt() {
            return self.bcrypt_cost().is_some_and(|cost| cost <= MAX_BCRYPT_COST);
        }
        self.params().is_some_and(|params| {
            params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES
        })
    }

    /// Returns true if a new hash would be stronger: this one is bcrypt, or no parameter is above the current settings and
    /// at least one is below. A stronger hash stays.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        if self.is_bcrypt() {
            return true;
        }
        let ours = [MEMORY_KIB, PASSES, LANES];
        self.params().is_some_and(|params| {
            let theirs = [params.m_cost(), params.t_cost(), params.p_cost()];
            theirs != ours && theirs.iter().zip(ours).all(|(theirs, ours)| *theirs <= ours)
        })
    }

    fn params(&self) -> Option<Params> {
        PhcHash::new(&self.0).ok().and_then(|hash| Params::try_from(&hash).ok())
    }

    fn is_bcrypt(&self) -> bool {
        self.0.starts_with("$2")
    }

    /// Returns the cost, the second field of `$2b$12$...`.
    fn bcrypt_cost(&self) -> Option<u32> {
        self.0.split('$').nth(2)?.parse().ok()
    }
}

/// Reads a hash that another system computed: argon2id as a PHC string, or bcrypt.
///
/// ```
/// use workspace_db::sql_types::PasswordHash;
///
/// let known = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
/// assert!(known.parse::<PasswordHash>().is_ok());
/// // It is cut off.
/// assert!("$2b$10$N9qo8uLOickgx2ZMRZoMye".parse::<PasswordHash>().is_err());
/// assert!("a password".parse::<PasswordHash>().is_err());
/// ```
impl FromStr for PasswordHash {
    type Err = Error;

    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if it is no such hash, or would take too long to verify.
    fn from_str(hash: &str) -> Result<Self> {
        let read = Self(hash.to_owned());
        let is_whole = if read.is_bcrypt() {
            bcrypt::HashParts::from_str(hash).is_ok()
        } else {
            PhcHash::new(hash).is_ok_and(|phc| {
                phc.algorithm == Algorithm::Argon2id.ident() && phc.salt.is_some() && phc.hash.is_some()
            })
        };
        if !is_whole {
            return Err(Error::invalid("is not a complete bcrypt or argon2id hash").of_field("password_hash"));
        }
        if !read.is_affordable() {
            return Err(Error::invalid("costs more than 64 MiB, 6 passes and 4 lanes, or a bcrypt cost of 14")
                .of_field("password_hash"));
        }
        Ok(read)
    }
}

/// Blocks that argon2 fills. A thread that hashes keeps them, because an allocator that gets 19 MiB back does not reuse
/// the same memory for the next 19 MiB.
#[derive(Default)]
pub(crate) struct Memory(Vec<Block>);

impl Memory {
    fn argon2(
        &mut self,
        algorithm: Algorithm,
        version: Version,
        params: Params,
        password: &SecretString,
        salt: &Salt,
    ) -> Result<Output, argon2::password_hash::Error> {
        let len = params.output_len().unwrap_or(OUTPUT_LEN);
        // An earlier hash with a higher memory parameter may have enlarged it.
        self.0.truncate(params.block_count());
        self.0.shrink_to(params.block_count());
        self.0.resize(params.block_count(), Block::new());
        let argon2 = Argon2::new(algorithm, version, params);
        let mut output = vec![0; len];
        argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, &mut output, &mut self.0)?;
        Ok(Output::new(&output)?)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
