//! The proof of an erasure that leaves the house.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, Kind, Result};
use crate::id::WorkspaceId;

/// What was erased, and that nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What was erased.
    pub erased: ErasureScope,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its slug when it was erased.
    pub slug: String,
    /// When it was begun; the rows were counted then.
    pub began_at: DateTime<Utc>,
    /// When nothing was left.
    pub ended_at: DateTime<Utc>,
    /// Version of the last migration of the database.
    pub schema: String,
    /// Every table with rows of workspaces.
    pub tables: BTreeMap<String, ErasedRowCounts>,
    /// Entries of the workspace's audit log that are kept, which retention deletes.
    pub audit_entries_kept: u64,
    /// Days that the platform keeps them; for ever where it says nothing.
    pub audit_entries_kept_days: Option<u32>,
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureScope {
    /// A workspace.
    Workspace,
    /// A person of a workspace.
    Person {
        /// SHA-256 of the id by which the embedding application knows them, in hexadecimal: a receipt that named them
        /// would be one more thing to erase.
        external_user_id_sha256: String,
    },
}

/// Rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRowCounts {
    /// How many there were.
    pub before: u64,
    /// How many are left, in all partitions.
    pub left: u64,
}

/// A key that signs receipts: Ed25519. Its Debug shows the public half alone.
pub struct ReceiptKey(Ed25519KeyPair);

impl ReceiptKey {
    /// The key whose seed is written as 44 characters of base64, such as `openssl rand -base64 32` prints.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where the text is not the base64 of 32 bytes.
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
            Error::invalid("the receipt key is not the base64 of 32 bytes").remedy("make one: openssl rand -base64 32")
        };
        let seed = BASE64.decode(text.trim()).map_err(|error| wrong().caused_by(error))?;
        Ed25519KeyPair::from_seed_unchecked(&seed).map(Self).map_err(|_| wrong())
    }

    /// The half that verifies, in base64: for whoever gets receipts.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64.encode(self.0.public_key().as_ref())
    }

    /// The receipt with its signature.
    ///
    /// # Errors
    ///
    /// [`is_io_failure`](Error::is_io_failure) where it can't be written as JSON.
    pub fn sign(&self, receipt: &Receipt) -> Result<SignedReceipt> {
        let unwritable = |error| Error::new(Kind::Io, "the receipt can't be written").caused_by(error);
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

/// A receipt as it is handed out, in JSON. What is signed is the text of its `receipt` to the byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedReceipt {
    receipt: Box<RawValue>,
    /// The public half of the key that signed it, in base64.
    pub key: String,
    /// The signature, Ed25519 in base64.
    pub signature: String,
}

impl SignedReceipt {
    /// What it says, if a key that is trusted signed just this.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where it was changed since, or another key signed it.
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
        let wrong = |why: &str| Error::invalid(format!("the receipt is not to be trusted: {why}"));
        let decoded = |text: &str| BASE64.decode(text.trim());
        let key = decoded(trusted).map_err(|error| wrong("the key is no base64").caused_by(error))?;
        let signature =
            decoded(&self.signature).map_err(|error| wrong("its signature is no base64").caused_by(error))?;
        UnparsedPublicKey::new(&ED25519, &key)
            .verify(self.receipt.get().as_bytes(), &signature)
            .map_err(|_| wrong("another key signed it, or it was changed since"))?;
        serde_json::from_str(self.receipt.get()).map_err(|error| wrong("it is of another version").caused_by(error))
    }
}
