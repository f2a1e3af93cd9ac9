//! Table `audit_log`: who did what. Append-only: nobody updates an entry, and only retention deletes some.

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

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = audit_log)]
pub struct AuditEntry {
    /// Identity within the workspace.
    pub id: AuditEntryId,
    /// The workspace, which may be gone; the nil UUID for the platform as a whole.
    pub workspace_id: WorkspaceId,
    /// What was done, such as workspace.publish.
    pub action: String,
    /// What kind of actor did it.
    pub actor: AuditActor,
    /// The administrator, who may be gone.
    pub admin_user_id: Option<AdminUserId>,
    /// What an operator gave as the reason.
    pub reason: Option<String>,
    /// Network address that it was done from, where it is known.
    pub address: Option<String>,
    /// Table of the row that it was done to.
    pub object_table: String,
    /// Id of that row.
    pub object_id: Option<Uuid>,
    /// What changed, as it was; secrets are left out.
    pub before: Option<Value>,
    /// What changed, as it is now; secrets are left out.
    pub after: Option<Value>,
    /// Time of the transaction that did it.
    pub occurred_at: DateTime<Utc>,
}

/// An entry to write, in the transaction of what it tells.
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
    /// What somebody does to a row of a table.
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

    /// It is of that workspace, and not of the platform as a whole.
    pub(crate) fn of(self, workspace: WorkspaceId) -> Self {
        Self { workspace_id: workspace, ..self }
    }

    /// What was there before and after, as the models serialise it: without secrets.
    pub(crate) fn change(self, before: &impl Serialize, after: &impl Serialize) -> Self {
        let (before, after) = difference(to_json(before), to_json(after));
        Self { before, after, ..self }
    }

    /// That a secret beside it was changed, and not to what.
    pub(crate) fn and_changed(mut self, secret: &str) -> Self {
        if let Some(Value::Object(after)) = &mut self.after {
            after.insert(secret.to_owned(), Value::from("changed"));
        }
        self
    }

    /// What is there now.
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

/// Of two objects the fields that differ; anything else as it is.
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
