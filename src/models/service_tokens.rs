//! Table `service_tokens`: tokens of services, each bound to one workspace.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{ServiceTokenId, WorkspaceId};
use crate::schema::service_tokens;
use crate::sql_types::{ServiceAccess, TokenHash};

/// A token of a service, without the token itself, which only the service has.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = service_tokens)]
pub struct ServiceToken {
    /// Identity within the workspace.
    pub id: ServiceTokenId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Display name.
    pub name: String,
    /// Read, or read and write.
    pub access: ServiceAccess,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// End of its validity.
    pub expires_at: DateTime<Utc>,
    /// Time of revocation.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A row of `service_tokens` to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = service_tokens)]
pub(crate) struct NewServiceToken {
    pub(crate) id: ServiceTokenId,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) name: String,
    pub(crate) access: ServiceAccess,
    pub(crate) token_hash: TokenHash,
    pub(crate) expires_at: DateTime<Utc>,
}
