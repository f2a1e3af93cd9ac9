//! Passwords at rest.

use std::fmt;

use argon2::password_hash::phc::PasswordHash as PhcHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use diesel_derive_newtype::DieselNewType;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Error, Result};

/// Memory of one hash in KiB, its passes and its lanes: the first of the settings that OWASP's Password Storage Cheat
/// Sheet gives for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hash of an administrator's password, a PHC string. Its Debug shows nothing of it.
///
/// ```
/// use secrecy::SecretString;
/// use workspace_db::sql_types::PasswordHash;
///
/// let hash = PasswordHash::of(&SecretString::from("correct horse battery"))?;
/// assert!(hash.verifies(&SecretString::from("correct horse battery")));
/// assert!(!hash.verifies(&SecretString::from("Correct horse battery")));
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, DieselNewType)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// argon2id of the password with a fresh salt, at 19 MiB, 2 passes and 1 lane.
    ///
    /// Takes tens of milliseconds of one core: call it where that does not hold up others.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where argon2 refuses the password, which it does above 4 GiB.
    pub fn of(password: &SecretString) -> Result<Self> {
        let refused = |error| Error::invalid("the password can't be hashed").caused_by(error);
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
            .map_err(|error| Error::invalid("argon2 refused its own parameters").caused_by(error))?;
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.expose_secret().as_bytes())
            .map_err(refused)?;
        Ok(Self(hash.to_string()))
    }

    /// Whether this is the hash of that password. A hash of bcrypt, from an adopted row, verifies nothing yet.
    #[must_use]
    pub fn verifies(&self, password: &SecretString) -> bool {
        PhcHash::new(&self.0).is_ok_and(|hash| {
            is_affordable(&hash)
                && Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
        })
    }
}

/// A row that somebody planted may ask for gigabytes; nothing above this crate's own settings is computed.
fn is_affordable(hash: &PhcHash) -> bool {
    Params::try_from(hash)
        .is_ok_and(|params| params.m_cost() <= MEMORY_KIB && params.t_cost() <= PASSES && params.p_cost() <= LANES)
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
