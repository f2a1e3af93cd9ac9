//! Which of a workspace's rows are meant.

use super::layout::{PEOPLE, TableLayout, WORKSPACES};
use super::person::{THE_WORKSPACE, of_person};
use crate::id::WorkspaceId;

/// All of them, or those of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    Workspace,
    Person,
}

impl Selection {
    /// The condition of the table's rows, where any are meant.
    pub(super) fn condition(self, table: &TableLayout, workspace: WorkspaceId) -> Option<String> {
        let scoped = format!("{} = '{workspace}'::uuid", table.scope());
        match (self, table.name.as_str()) {
            // Those whom the workspace's rows name are found by who knows these.
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
