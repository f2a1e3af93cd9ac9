//! A row of an archive as it is written here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::content::Content;
use super::layout::{Kind, Layout, TableLayout, WORKSPACES};
use super::people::People;
use super::row::Row;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::sql_types::{SealedSecret, SecretKey};

/// Rows that an import does not take over, or not as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OmittedRows {
    /// Tokens of services, which let somebody in.
    pub service_tokens: u64,
    /// Invitations that nobody has accepted; who was invited is kept.
    pub invitations: u64,
    /// Webhook secrets, which are sealed for one workspace: those for which no key was given.
    pub secrets: u64,
    /// Jobs that were not finished: they are cancelled here.
    pub jobs: u64,
    /// Schedules that would have fired: they are stopped here, until somebody schedules them again.
    pub schedules: u64,
    /// Memberships that were not accepted here: they are open, without an invitation.
    pub memberships: u64,
    /// Rows of tables of your own that no workspace may write.
    pub others: u64,
}

/// How rows become those of the workspace that they are written for.
pub(super) struct RowAdapter {
    pub(super) from: WorkspaceId,
    pub(super) to: WorkspaceId,
    pub(super) people: People,
    pub(super) key: Option<SecretKey>,
    /// Names of the tables of workspaces.
    pub(super) tables: Vec<String>,
    /// Whether the operator vouches for the archive.
    pub(super) with_jobs: bool,
    /// Since when what would run is at rest: the time of the archive, in microseconds of PostgreSQL.
    pub(super) suspended_at: i64,
    /// Whether this database wrote the archive, so that whoever had joined has joined here.
    pub(super) is_own: bool,
    pub(super) left_out: OmittedRows,
    /// Emails of those who have to be invited again.
    pub(super) to_invite: BTreeSet<String>,
}

/// Names of the tables of workspaces, which an entry of the audit log may be about.
pub(super) fn tables_of_workspaces(layout: &Layout) -> Vec<String> {
    let tables = layout.tables.iter().filter(|table| table.scope() == "workspace_id");
    tables.map(|table| table.name.clone()).collect()
}

impl RowAdapter {
    /// Changes what must be another here, and tells whether the row is written at all.
    pub(super) fn row(&mut self, table: &TableLayout, row: &mut Row) -> Result<bool> {
        for (at, column) in table.columns.iter().enumerate() {
            if column.is_person
                && let Some(person) = row.uuid(at)
            {
                let here = self.people.here.get(&person);
                let here = here.ok_or_else(|| {
                    Error::invalid(format!(
                        "{} names the administrator {person}, who is not in the archive",
                        column.name
                    ))
                })?;
                row.set(at, Some(here.as_bytes()));
            }
        }
        match table.content {
            Content::Credential => {
                self.left_out.service_tokens += 1;
                return Ok(false);
            }
            Content::Vouched if !self.with_jobs => {
                self.left_out.others += 1;
                return Ok(false);
            }
            Content::AtRest if !self.with_jobs && suspend(table, row, self.suspended_at) => match table.name.as_str() {
                "jobs" => self.left_out.jobs += 1,
                _ => self.left_out.schedules += 1,
            },
            _ => {}
        }
        if self.from != self.to {
            self.rename(table, row)?;
        }
        match table.name.as_str() {
            "workspace_admins" => self.open_membership(table, row),
            "audit_log" => mark_as_imported(table, row),
            _ => {}
        }
        Ok(true)
    }

    /// Gives a copy's row the ids of the copy.
    fn rename(&mut self, table: &TableLayout, row: &mut Row) -> Result<()> {
        for (at, column) in table.columns.iter().enumerate() {
            if column.names.is_some()
                && let Some(id) = row.uuid(at)
            {
                row.set(at, Some(self.id(id).as_bytes()));
            }
            if column.kind == Kind::Bytes
                && column.name.ends_with("secret")
                && let Some(sealed) = row.get(at)
            {
                let sealed = self.sealed_again(sealed)?;
                row.set(at, sealed.as_ref().map(SealedSecret::as_bytes));
            }
        }
        if table.name == "audit_log" {
            self.object_of_audit(table, row);
        }
        Ok(())
    }

    /// A membership counts once it was accepted here, and no invitation of elsewhere accepts it.
    fn open_membership(&mut self, table: &TableLayout, row: &mut Row) {
        let columns = ["invitation_hash", "invitation_expires_at", "joined_at"].map(|name| table.position(name));
        let [Some(hash), Some(expires_at), Some(joined_at)] = columns else { return };
        self.left_out.invitations += u64::from(row.get(hash).is_some());
        row.set(hash, None);
        row.set(expires_at, None);
        if row.get(joined_at).is_some() && !self.is_own {
            row.set(joined_at, None);
            self.left_out.memberships += 1;
            let here = table.position("admin_user_id").and_then(|at| row.uuid(at));
            let email = here.and_then(|here| self.people.emails.get(&here)).cloned();
            self.to_invite.extend(email);
        }
    }

    /// The row that an entry of the audit log is about, which no foreign key tells.
    fn object_of_audit(&self, table: &TableLayout, row: &mut Row) {
        let (Some(of), Some(at)) = (table.position("object_table"), table.position("object_id")) else { return };
        let Some(id) = row.uuid(at) else { return };
        let here = match row.text(of) {
            Some(WORKSPACES) => *self.to.as_uuid(),
            Some(name) if self.tables.iter().any(|table| table == name) => self.id(id),
            _ => return,
        };
        row.set(at, Some(here.as_bytes()));
    }

    /// The id of a copy: the same for the same id and workspace, so that an import can be gone on with and references
    /// stay what they are. The leading 48 bits, the time of version 7, are kept, and with them the order.
    fn id(&self, id: Uuid) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.to.as_uuid().as_bytes());
        hash.update(id.as_bytes());
        let hash = hash.finalize();
        let mut bytes = *id.as_bytes();
        for (at, (byte, drawn)) in bytes.iter_mut().zip(&hash).enumerate() {
            // What says the version and the variant stays.
            let kept = match at {
                0..6 => 0xFF,
                6 => 0xF0,
                8 => 0xC0,
                _ => 0,
            };
            *byte = (*byte & kept) | (drawn & !kept);
        }
        Uuid::from_bytes(bytes)
    }

    fn sealed_again(&mut self, sealed: &[u8]) -> Result<Option<SealedSecret>> {
        let Some(key) = &self.key else {
            self.left_out.secrets += 1;
            return Ok(None);
        };
        let clear = SealedSecret::from_bytes(sealed).open(key, self.from)?;
        SealedSecret::seal(key, self.to, &clear).map(Some)
    }
}

/// Cancels a job that would run, and stops a schedule that would fire; tells whether there was one to.
pub(super) fn suspend(table: &TableLayout, row: &mut Row, at: i64) -> bool {
    match table.name.as_str() {
        "jobs" => {
            let status = table.position("status").and_then(|at| row.text(at));
            if matches!(status, Some("completed" | "failed" | "cancelled")) {
                return false;
            }
            let mut set = |name: &str, value: Option<&[u8]>| {
                table.position(name).into_iter().for_each(|column| row.set(column, value));
            };
            set("status", Some(b"cancelled"));
            set("cancelled_at", Some(&at.to_be_bytes()));
            for lease in ["lease_token", "lease_expires_at", "heartbeat_at", "leased_by"] {
                set(lease, None);
            }
            true
        }
        "job_schedules" => {
            let fires = table.position("next_at").is_some_and(|column| row.get(column).is_some());
            table.position("next_at").into_iter().for_each(|column| row.set(column, None));
            fires
        }
        _ => false,
    }
}

/// Says of an entry of the audit log that an archive brought it. As text, in which no digit of a number is lost; at the end,
/// since of two keys `jsonb` keeps the last.
fn mark_as_imported(table: &TableLayout, row: &mut Row) {
    let Some(at) = table.position("after") else { return };
    // Behind the version with which jsonb begins.
    let told = row.get(at).and_then(|json| std::str::from_utf8(json.get(1..)?).ok()).unwrap_or("null").trim();
    let marked = match told.strip_suffix('}') {
        Some(fields) if fields.trim_end() == "{" => r#"{"imported":true}"#.to_owned(),
        Some(fields) => format!(r#"{fields},"imported":true}}"#),
        None if told == "null" => r#"{"imported":true}"#.to_owned(),
        None => format!(r#"{{"after":{told},"imported":true}}"#),
    };
    row.set(at, Some(&[b"\x01", marked.as_bytes()].concat()));
}
