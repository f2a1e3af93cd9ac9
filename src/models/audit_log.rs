//! Table `audit_log`: actions and their actors. Append-only: no role updates an entry, and only retention deletes entries.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::Result;
use crate::id::{AdminUserId, AuditEntryId, WorkspaceId};
use crate::schema::audit_log;
use crate::sql_types::AuditActor;
use crate::tenancy::Actor;

/// An audit entry.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = audit_log)]
pub struct AuditEntry {
    /// Identity within the workspace.
    pub id: AuditEntryId,
    /// The workspace, which may have been erased; the nil UUID for the platform as a whole.
    pub workspace_id: WorkspaceId,
    /// Action, such as workspace.publish.
    pub action: String,
    /// Kind of actor.
    pub actor: AuditActor,
    /// The administrator, who may have been deleted.
    pub admin_user_id: Option<AdminUserId>,
    /// Reason that an operator gave.
    pub reason: Option<String>,
    /// Network address of the client, if known.
    pub address: Option<String>,
    /// Table of the changed row.
    pub object_table: String,
    /// Id of the changed row.
    pub object_id: Option<Uuid>,
    /// Changed values before the action, without secrets.
    pub before: Option<Value>,
    /// Changed values after the action, without secrets.
    pub after: Option<Value>,
    /// Time of the transaction.
    pub occurred_at: DateTime<Utc>,
}

/// An audit entry to insert, in the transaction of its action.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = audit_log)]
pub(crate) struct NewAuditEntry {
    id: AuditEntryId,
    workspace_id: WorkspaceId,
    action: &'static str,
    actor: AuditActor,
    admin_user_id: Option<AdminUserId>,
    reason: Option<String>,
    address: Option<String>,
    object_table: String,
    object_id: Option<Uuid>,
    before: Option<Value>,
    after: Option<Value>,
}

impl NewAuditEntry {
    /// Returns an entry for an action of an actor on a row of a table.
    pub(crate) fn new(actor: Actor, action: &'static str, table: impl Into<String>, row: Option<Uuid>) -> Self {
        let mut entry = Self {
            id: AuditEntryId::generate(),
            workspace_id: WorkspaceId::PLATFORM,
            action,
            actor: AuditActor::Operator,
            admin_user_id: None,
            reason: None,
            address: None,
            object_table: table.into(),
            object_id: row,
            before: None,
            after: None,
        };
        match actor {
            Actor::Administrator { id, address } => {
                entry.actor = AuditActor::Administrator;
                entry.admin_user_id = Some(id);
                entry.address = address.map(|address| address.to_string());
            }
            Actor::Operator { reason } => entry.reason = Some(reason),
        }
        entry
    }

    /// Assigns the entry to a workspace, instead of the platform as a whole.
    pub(crate) fn for_workspace(self, workspace: WorkspaceId) -> Self {
        Self { workspace_id: workspace, ..self }
    }

    /// Records the changed values before and after the action, as the models serialize them: without secrets.
    pub(crate) fn change(self, before: &impl Serialize, after: &impl Serialize) -> Self {
        let (before, after) = difference(to_json(before), to_json(after));
        Self { before, after, ..self }
    }

    /// Records that a secret of the row changed too, without its value.
    pub(crate) fn and_changed(mut self, secret: &str) -> Self {
        if let Some(Value::Object(after)) = &mut self.after {
            after.insert(secret.to_owned(), Value::from("changed"));
        }
        self
    }

    /// Records the values after the action.
    pub(crate) fn made(self, after: &impl Serialize) -> Self {
        Self { after: Some(to_json(after)), ..self }
    }

    pub(crate) async fn insert(self, conn: &mut AsyncPgConnection) -> Result<()> {
        diesel::insert_into(audit_log::table).values(self).execute(conn).await?;
        Ok(())
    }
}

fn to_json(row: &impl Serialize) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

/// Returns the differing fields of two objects; other values are unchanged, and null becomes `None`.
fn difference(before: Value, after: Value) -> (Option<Value>, Option<Value>) {
    match (before, after) {
        (Value::Object(mut before), Value::Object(mut after)) => {
            let same: Vec<String> = before
                .iter()
                .filter(|(key, value)| after.get(*key) == Some(value))
                .map(|(key, _)| key.clone())
                .collect();
            for key in same {
                before.remove(&key);
                after.remove(&key);
            }
            (Some(Value::Object(before)), Some(Value::Object(after)))
        }
        (before, after) => {
            (Some(before).filter(|value| !value.is_null()), Some(after).filter(|value| !value.is_null()))
        }
    }
}
