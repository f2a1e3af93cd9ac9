//! The selection of a workspace's rows for a transfer.

use super::content::{PEOPLE, WORKSPACES};
use super::layout::TableLayout;
use super::person::{THE_WORKSPACE, of_person};
use crate::id::WorkspaceId;

/// All rows of the workspace, or those of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    Workspace,
    Person,
}

impl Selection {
    /// Returns the condition of the table's selected rows, or none if no rows are selected.
    pub(super) fn condition(self, table: &TableLayout, workspace: WorkspaceId) -> Option<String> {
        let scoped = format!("{} = '{workspace}'::uuid", table.scope());
        match (self, table.name.as_str()) {
            // `Layout::people_of` selects administrators, by the rows that name them.
            (_, PEOPLE) | (Self::Person, WORKSPACES) => None,
            (Self::Workspace, _) => Some(scoped),
            (Self::Person, name) => {
                let of_person = of_person(name).or_else(|| table.of_person.clone());
                of_person.map(|condition| {
                    format!("{scoped} AND ({})", condition.replace(THE_WORKSPACE, &workspace.to_string()))
                })
            }
        }
    }
}
