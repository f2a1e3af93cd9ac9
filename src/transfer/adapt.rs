//! A row of an archive as it is written here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::layout::{Kind, Layout, Table, WORKSPACES};
use super::people::People;
use super::row::Row;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::sql_types::{SealedSecret, SecretKey};

/// What an import beside the original does not take over, since it would be there twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Tokens of services: each is bound to one workspace.
    pub service_tokens: u64,
    /// Invitations that nobody has accepted; who was invited is kept.
    pub invitations: u64,
    /// Webhook secrets, which are sealed for one workspace: those for which no key was given.
    pub secrets: u64,
}

/// How rows become those of the workspace that they are written for.
pub(super) struct Adapting {
    from: WorkspaceId,
    to: WorkspaceId,
    people: People,
    key: Option<SecretKey>,
    tables: Vec<String>,
    pub(super) left_out: LeftOut,
}

impl Adapting {
    pub(super) fn new(
        from: WorkspaceId,
        to: WorkspaceId,
        people: People,
        key: Option<SecretKey>,
        layout: &Layout,
    ) -> Self {
        let tables = layout.tables.iter().filter(|table| table.scope() == "workspace_id");
        let tables = tables.map(|table| table.name.clone()).collect();
        Self { from, to, people, key, tables, left_out: LeftOut::default() }
    }

    /// Changes what must be another here, and tells whether the row is written at all.
    pub(super) fn row(&mut self, table: &Table, row: &mut Row) -> Result<bool> {
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
        if self.from == self.to {
            return Ok(true);
        }
        if table.name == "service_tokens" {
            self.left_out.service_tokens += 1;
            return Ok(false);
        }
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
        match table.name.as_str() {
            "workspace_admins" => {
                let columns: BTreeMap<_, _> =
                    table.columns.iter().enumerate().map(|(at, one)| (one.name.as_str(), at)).collect();
                let invitation = ["invitation_hash", "invitation_expires_at"].map(|name| columns.get(name).copied());
                if invitation.first().copied().flatten().is_some_and(|at| row.get(at).is_some()) {
                    self.left_out.invitations += 1;
                }
                invitation.into_iter().flatten().for_each(|at| row.set(at, None));
            }
            "audit_log" => self.object_of_audit(table, row),
            _ => {}
        }
        Ok(true)
    }

    /// The row that an entry of the audit log is about, which no foreign key tells.
    fn object_of_audit(&self, table: &Table, row: &mut Row) {
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
