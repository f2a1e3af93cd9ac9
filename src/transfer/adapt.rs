//! Adaptation of an archive's rows to the target.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::content::{Content, WORKSPACES};
use super::layout::{ColumnKind, Layout, TableLayout};
use super::people::People;
use super::row::Row;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::sql_types::{SealedSecret, SecretKey};

/// Numbers of rows that an import omits or changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OmittedRows {
    /// Tokens of services, which are omitted because they grant access.
    pub service_tokens: u64,
    /// Open invitations, which are omitted; the invited members are kept.
    pub invitations: u64,
    /// Webhook secrets that are omitted because no key was given. A secret is sealed for one workspace.
    pub secrets: u64,
    /// Unfinished jobs, which are cancelled.
    pub jobs: u64,
    /// Active schedules, which are stopped until they are scheduled again.
    pub schedules: u64,
    /// Memberships that were not accepted in this database. They are open, without an invitation.
    pub memberships: u64,
    /// Rows of your own tables that no workspace may write, which are omitted.
    pub others: u64,
}

/// Conversion of rows for the workspace that they are written into.
pub(super) struct RowAdapter {
    pub(super) from: WorkspaceId,
    pub(super) to: WorkspaceId,
    pub(super) people: People,
    pub(super) key: Option<SecretKey>,
    /// Names of the tables with rows of workspaces.
    pub(super) tables: Vec<String>,
    /// True if the operator vouches for the archive.
    pub(super) with_jobs: bool,
    /// Time from which jobs and schedules are suspended: the time of the archive, in microseconds of PostgreSQL.
    pub(super) suspended_at: i64,
    /// True if this database wrote the archive, so that memberships accepted before stay accepted.
    pub(super) is_own: bool,
    pub(super) left_out: OmittedRows,
    /// Emails of members that must be invited again.
    pub(super) to_invite: BTreeSet<String>,
}

/// Returns the names of the tables with rows of workspaces, which an audit entry may be about.
pub(super) fn tables_of_workspaces(layout: &Layout) -> Vec<String> {
    let tables = layout.tables.iter().filter(|table| table.scope() == "workspace_id");
    tables.map(|table| table.name.clone()).collect()
}

impl RowAdapter {
    /// Changes the values that must differ in this database. Returns true if the row is to be written.
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

    /// Replaces the ids in a copy's row, and seals its secrets again.
    fn rename(&mut self, table: &TableLayout, row: &mut Row) -> Result<()> {
        for (at, column) in table.columns.iter().enumerate() {
            if column.names.is_some()
                && let Some(id) = row.uuid(at)
            {
                row.set(at, Some(self.id(id).as_bytes()));
            }
            if column.kind == ColumnKind::Bytes
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

    /// Removes the invitation, and the acceptance unless this database wrote the archive. Members must accept here.
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

    /// Replaces the id of the row that an audit entry is about, because no foreign key shows it.
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

    /// Returns the id in a copy. The same id and workspace always give the same result, so that an interrupted import
    /// resumes and references stay valid. The first 48 bits are kept, which are the time in version 7, and so the order.
    fn id(&self, id: Uuid) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.to.as_uuid().as_bytes());
        hash.update(id.as_bytes());
        let hash = hash.finalize();
        let mut bytes = *id.as_bytes();
        for (at, (byte, drawn)) in bytes.iter_mut().zip(&hash).enumerate() {
            // The bits of the version and the variant are kept.
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
        let clear = SealedSecret::from_bytes(sealed)?.open(key, self.from)?;
        SealedSecret::seal(key, self.to, &clear).map(Some)
    }
}

/// Cancels an unfinished job, and stops an active schedule. Returns true if it changed one.
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

/// Marks an audit entry as imported. The mark is added to the text, so that no digit of a number is lost. It is at the end,
/// because `jsonb` keeps the last of two equal keys.
fn mark_as_imported(table: &TableLayout, row: &mut Row) {
    let Some(at) = table.position("after") else { return };
    // The text follows the version byte of jsonb.
    let told = row.get(at).and_then(|json| std::str::from_utf8(json.get(1..)?).ok()).unwrap_or("null").trim();
    let marked = match told.strip_suffix('}') {
        Some(fields) if fields.trim_end() == "{" => r#"{"imported":true}"#.to_owned(),
        Some(fields) => format!(r#"{fields},"imported":true}}"#),
        None if told == "null" => r#"{"imported":true}"#.to_owned(),
        None => format!(r#"{{"after":{told},"imported":true}}"#),
    };
    row.set(at, Some(&[b"\x01", marked.as_bytes()].concat()));
}
