//! Tokens that clients present, and their hashes for the database.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::sql_types::TokenHash;

/// Number of random bytes in a token.
const SECRET_LEN: usize = 32;
const WORKSPACE_LEN: usize = 16;
/// Maximum number of days for which an API token is valid.
const MAX_TOKEN_DAYS: u32 = 366;

/// Token of 256 random bits: a session, an API token, a service's token, an invitation or a password secret.
///
/// It begins with its kind, as in `wdb_session_...`, so that a scanner for leaked secrets finds it. The database stores
/// only its SHA-256, so the token is shown once, when it is created. Its Debug output contains only the kind.
///
/// ```
/// use workspace_db::auth::Token;
///
/// assert!("wdb_session_tooshort".parse::<Token>().unwrap_err().is_unauthenticated());
/// ```
#[derive(Clone)]
pub struct Token {
    kind: TokenKind,
    text: SecretString,
}

/// Purpose of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Login of an administrator.
    Session,
    /// Program that acts as an administrator.
    Api,
    /// Secret that sets a password once.
    Password,
    /// Service in one workspace.
    Service,
    /// Invitation that joins a workspace once.
    Invitation,
}

impl TokenKind {
    const ALL: [Self; 5] = [Self::Session, Self::Api, Self::Password, Self::Service, Self::Invitation];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "wdb_session_",
            Self::Api => "wdb_api_",
            Self::Password => "wdb_password_",
            Self::Service => "wdb_service_",
            Self::Invitation => "wdb_invitation_",
        }
    }

    /// Returns true if the token contains its workspace. The key of its row begins with the workspace.
    const fn names_workspace(self) -> bool {
        matches!(self, Self::Service | Self::Invitation)
    }
}

impl Token {
    /// Generates a token.
    pub(super) fn generate(kind: TokenKind, workspace: Option<WorkspaceId>) -> Result<Self> {
        let mut secret = [0; SECRET_LEN];
        getrandom::fill(&mut secret).map_err(|error| {
            Error::new(ErrorKind::Io, "the operating system provides no random bytes").caused_by(error)
        })?;
        let mut bytes = workspace.map(|workspace| workspace.as_uuid().as_bytes().to_vec()).unwrap_or_default();
        bytes.extend(secret);
        Ok(Self { kind, text: format!("{}{}", kind.prefix(), BASE64.encode(bytes)).into() })
    }

    /// Returns the text of the token. Any program that has this text can use the token.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Returns the purpose of the token.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    pub(super) fn hash(&self) -> TokenHash {
        TokenHash::from_token(self.expose().as_bytes())
    }

    /// Returns the workspace that a service's token or an invitation contains.
    pub(super) fn workspace(&self) -> Result<WorkspaceId> {
        let named = self.bytes().filter(|_| self.kind.names_workspace());
        let uuid = named.and_then(|bytes| Uuid::from_slice(bytes.get(..WORKSPACE_LEN)?).ok());
        uuid.map(WorkspaceId::from).ok_or_else(invalid_token)
    }

    /// Rejects a token of another kind.
    pub(super) fn require_kind(&self, kinds: &[TokenKind]) -> Result<()> {
        if kinds.contains(&self.kind) { Ok(()) } else { Err(invalid_token()) }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.expose().strip_prefix(self.kind.prefix())?).ok()
    }
}

impl FromStr for Token {
    type Err = Error;

    /// Parses the token of a request. A malformed token gets the same error as an unknown one.
    fn from_str(text: &str) -> Result<Self> {
        let kind = TokenKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix())).ok_or_else(invalid_token)?;
        let token = Self { kind, text: text.into() };
        let len = SECRET_LEN + if kind.names_workspace() { WORKSPACE_LEN } else { 0 };
        if token.bytes().is_some_and(|bytes| bytes.len() == len) { Ok(token) } else { Err(invalid_token()) }
    }
}

/// Returns the error for a token that does not exist, has expired, was revoked or is of another kind.
pub(super) fn invalid_token() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the token is not valid").remedy("log in again, or request a new token")
}

pub(super) fn days_from_now(days: i64) -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(days)
}

/// Returns the time at which a token of `days` days expires.
pub(super) fn valid_for(days: u32) -> Result<DateTime<Utc>> {
    if (1..=MAX_TOKEN_DAYS).contains(&days) {
        return Ok(days_from_now(days.into()));
    }
    Err(Error::invalid(format!("a token is valid for 1 to {MAX_TOKEN_DAYS} days, not {days}")).of_field("expires_at"))
}

/// Returns true if a use of a token must be recorded. This is at most once a minute, since a request that reads should not write.
pub(super) fn is_due(last_used_at: Option<DateTime<Utc>>) -> bool {
    last_used_at.is_none_or(|at| at < Utc::now() - TimeDelta::minutes(1))
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?}, ..)", self.kind)
    }
}
