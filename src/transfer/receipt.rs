//! The receipt of an erasure, which others can verify.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;

/// Record of the rows that were erased, and of the rows that are left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Workspace or person that was erased.
    pub erased: ErasureScope,
    /// Workspace of the rows.
    pub workspace: WorkspaceId,
    /// Slug of the workspace when it was erased.
    pub slug: String,
    /// Time at which the erasure began and the rows were counted.
    pub began_at: DateTime<Utc>,
    /// Time at which nothing was left.
    pub ended_at: DateTime<Utc>,
    /// Version of the last migration of the database.
    pub schema: String,
    /// Row counts of every table with rows of workspaces.
    pub tables: BTreeMap<String, ErasedRowCounts>,
    /// Number of the workspace's audit entries that remain until retention deletes them.
    pub audit_entries_kept: u64,
    /// Number of days for which the platform keeps them; unlimited if it sets none.
    pub audit_entries_kept_days: Option<u32>,
}

/// Workspace or person that was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureScope {
    /// A workspace.
    Workspace,
    /// A person of a workspace.
    Person {
        /// SHA-256 of the person's id in the embedding application, in hexadecimal. A receipt with the id itself would be
        /// one more thing to erase.
        external_user_id_sha256: String,
    },
}

/// Row counts of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRowCounts {
    /// Number of rows before the erasure.
    pub before: u64,
    /// Number of rows that are left, in all partitions.
    pub left: u64,
}

/// Ed25519 key that signs receipts. Its Debug output shows only the public key.
pub struct ReceiptKey(Ed25519KeyPair);

impl ReceiptKey {
    /// Creates the key from a seed of 44 characters of base64, such as `openssl rand -base64 32` prints.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the text is not the base64 of 32 bytes.
    ///
    /// ```
    /// use workspace_db::transfer::ReceiptKey;
    ///
    /// let key = ReceiptKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=")?;
    /// assert_eq!(key.public().len(), 44);
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    pub fn from_base64(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid("the receipt key is not the base64 of 32 bytes")
                .remedy("create one: openssl rand -base64 32")
        };
        let seed = BASE64.decode(text.trim()).map_err(|error| wrong().caused_by(error))?;
        Ed25519KeyPair::from_seed_unchecked(&seed).map(Self).map_err(|_| wrong())
    }

    /// Returns the public key in base64, with which recipients verify receipts.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64.encode(self.0.public_key().as_ref())
    }

    /// Returns the receipt with its signature.
    ///
    /// # Errors
    ///
    /// [`is_io_failure`](Error::is_io_failure) if it can't be written as JSON.
    pub fn sign(&self, receipt: &Receipt) -> Result<SignedReceipt> {
        let unwritable = |error| Error::new(ErrorKind::Io, "the receipt can't be written").caused_by(error);
        let text = serde_json::to_string(receipt).map_err(unwritable)?;
        let signature = BASE64.encode(self.0.sign(text.as_bytes()));
        Ok(SignedReceipt { receipt: RawValue::from_string(text).map_err(unwritable)?, key: self.public(), signature })
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReceiptKey").field(&self.public()).finish()
    }
}

/// Receipt with its signature, in JSON. The signature covers the exact bytes of its `receipt`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedReceipt {
    receipt: Box<RawValue>,
    /// Public key of the signer, in base64.
    pub key: String,
    /// Ed25519 signature, in base64.
    pub signature: String,
}

impl SignedReceipt {
    /// Returns the receipt if the trusted key signed exactly this text.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the receipt was changed, or another key signed it.
    ///
    /// ```
    /// # use workspace_db::transfer::{ReceiptKey, SignedReceipt};
    /// # let text = r#"{"receipt":{"erased":"workspace"},"key":"","signature":""}"#;
    /// let receipt: SignedReceipt = serde_json::from_str(text).unwrap();
    /// let trusted = ReceiptKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=")?.public();
    /// assert!(receipt.verified(&trusted).is_err());
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    pub fn verified(&self, trusted: &str) -> Result<Receipt> {
        let wrong = |why: &str| Error::invalid(format!("the receipt can't be trusted: {why}"));
        let decoded = |text: &str| BASE64.decode(text.trim());
        let key = decoded(trusted).map_err(|error| wrong("the key is not base64").caused_by(error))?;
        let signature =
            decoded(&self.signature).map_err(|error| wrong("its signature is not base64").caused_by(error))?;
        UnparsedPublicKey::new(&ED25519, &key)
            .verify(self.receipt.get().as_bytes(), &signature)
            .map_err(|_| wrong("it was signed with another key, or changed after it was signed"))?;
        serde_json::from_str(self.receipt.get()).map_err(|error| wrong("it has another version").caused_by(error))
    }
}
