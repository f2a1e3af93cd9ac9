//! Secrets at rest: authenticated encryption, bound to the workspace of the secret.

use std::fmt;

use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Generate as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use diesel_derive_newtype::DieselNewType;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::id::WorkspaceId;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 8;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;
/// Length of the tag of Poly1305, which ends the ciphertext.
const TAG_LEN: usize = 16;

/// A key of 256 bits that seals and opens [`SealedSecret`]s. Its Debug output shows only the id.
pub struct SecretKey {
    id: [u8; KEY_ID_LEN],
    key: SecretBox<[u8; 32]>,
}

impl SecretKey {
    /// Reads a key from 44 characters of base64, as `openssl rand -base64 32` prints them.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the text is not the base64 of 32 bytes.
    ///
    /// ```
    /// use workspace_db::sql_types::SecretKey;
    ///
    /// let key = SecretKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=")?;
    /// assert_eq!(key.id().len(), 16);
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    pub fn from_base64(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid("the secret key is not the base64 of 32 bytes")
                .remedy("generate one with `openssl rand -base64 32`")
        };
        let bytes = BASE64.decode(text.trim()).map_err(|error| wrong().caused_by(error))?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(Sha256::digest(key).split_at(KEY_ID_LEN).0);
        Ok(Self { id, key: SecretBox::new(Box::new(key)) })
    }

    /// Returns the id of the key in hexadecimal: the first 8 bytes of its SHA-256. Every secret names its key.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key.expose_secret()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A secret as the database stores it: XChaCha20-Poly1305 under a [`SecretKey`], bound to one workspace.
///
/// The bytes are a version (1), the key's id (8), the nonce (24), then ciphertext and tag. A row that is copied into
/// another workspace can't be opened there. Sealing creates one, or bytes of this form do, so plain text can't be stored by mistake.
///
/// ```
/// use secrecy::{ExposeSecret, SecretString};
/// use workspace_db::id::WorkspaceId;
/// use workspace_db::sql_types::{SealedSecret, SecretKey};
///
/// let key = SecretKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=")?;
/// let (mine, other) = (WorkspaceId::generate(), WorkspaceId::generate());
/// let sealed = SealedSecret::seal(&key, mine, &SecretString::from("whsec_1"))?;
/// assert_eq!(sealed.open(&key, mine)?.expose_secret(), "whsec_1");
/// assert!(sealed.open(&key, other).is_err());
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, DieselNewType)]
pub struct SealedSecret(Vec<u8>);

impl SealedSecret {
    /// Seals the secret for `workspace` under a new random nonce.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the text is too long for the cipher, which accepts under 256 GiB.
    pub fn seal(key: &SecretKey, workspace: WorkspaceId, secret: &SecretString) -> Result<Self> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: workspace.as_uuid().as_bytes() };
        let ciphertext =
            key.cipher().encrypt(&nonce, payload).map_err(|_| Error::invalid("the secret is too long to seal"))?;
        let mut bytes = Vec::with_capacity(HEADER_LEN + ciphertext.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&key.id);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&ciphertext);
        Ok(Self(bytes))
    }

    /// Returns the secret in plain text.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if another key sealed it, if it was sealed for another workspace, or if
    /// a byte was changed since.
    pub fn open(&self, key: &SecretKey, workspace: WorkspaceId) -> Result<SecretString> {
        let (nonce, ciphertext) = self.parts(key)?;
        let payload = Payload { msg: ciphertext, aad: workspace.as_uuid().as_bytes() };
        let clear = key.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| {
            Error::invalid("the sealed secret belongs to another workspace, or was changed since it was sealed")
        })?;
        let text = String::from_utf8(clear)
            .map_err(|error| Error::invalid("the text of the sealed secret is not UTF-8").caused_by(error))?;
        Ok(SecretString::from(text))
    }

    /// Returns the sealed secret from its bytes in this or another database. [`open`](Self::open) verifies that they
    /// were sealed.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the bytes don't have the form of a sealed secret, for example
    /// because they are plain text.
    ///
    /// ```
    /// use workspace_db::sql_types::SealedSecret;
    ///
    /// assert!(SealedSecret::from_bytes(b"whsec_a-secret-in-plain-text-of-more-than-49-bytes").is_err());
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.first() != Some(&VERSION) || bytes.len() < HEADER_LEN + TAG_LEN {
            return Err(Error::invalid("the bytes are not a sealed secret of version 1"));
        }
        Ok(Self(bytes.to_vec()))
    }

    /// Returns the sealed bytes, as the database stores them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn parts(&self, key: &SecretKey) -> Result<([u8; NONCE_LEN], &[u8])> {
        let Some((&[VERSION], rest)) = self.0.split_first_chunk::<1>() else {
            return Err(Error::invalid("the bytes are not a sealed secret of version 1"));
        };
        let (key_id, rest) =
            rest.split_first_chunk::<KEY_ID_LEN>().ok_or_else(|| Error::invalid("the sealed secret is truncated"))?;
        if *key_id != key.id {
            return Err(Error::invalid(format!("the secret was sealed with key {}, not {}", hex(key_id), key.id()))
                .remedy("use the key that sealed it"));
        }
        let (nonce, ciphertext) =
            rest.split_first_chunk::<NONCE_LEN>().ok_or_else(|| Error::invalid("the sealed secret is truncated"))?;
        Ok((*nonce, ciphertext))
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(..)")
    }
}
