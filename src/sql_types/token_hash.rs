//! Hashes of tokens at rest.

use std::fmt;

use diesel_derive_newtype::DieselNewType;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a token of 256 random bits. Such a token can't be guessed, so it needs no slower hash. Its Debug output
/// hides the hash.
///
/// ```
/// use workspace_db::sql_types::TokenHash;
///
/// assert_eq!(TokenHash::from_token(b"a token"), TokenHash::from_token(b"a token"));
/// assert_ne!(TokenHash::from_token(b"a token"), TokenHash::from_token(b"another"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, DieselNewType)]
pub struct TokenHash(Vec<u8>);

impl TokenHash {
    /// Hashes a token's bytes.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Self {
        Self(Sha256::digest(token).to_vec())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}
