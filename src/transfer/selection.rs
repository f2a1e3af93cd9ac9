//! Which of a workspace's rows are meant.

use super::layout::{PEOPLE, Table, WORKSPACES};
use crate::id::WorkspaceId;

/// The setting that the person of a transaction is in, so that no statement has a text in it that came from outside.
pub(super) const PERSON: &str = "workspace_db.person";

/// All of them, or those of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    Workspace,
    Person,
}

impl Selection {
    /// The condition of the table's rows, where any are meant.
    pub(super) fn condition(self, table: &Table, workspace: WorkspaceId) -> Option<String> {
        let scoped = format!("{} = '{workspace}'::uuid", table.scope());
        match (self, table.name.as_str()) {
            // Those whom the workspace's rows name are found by who knows these.
            (_, PEOPLE) | (Self::Person, WORKSPACES) => None,
            (Self::Workspace, _) => Some(scoped),
            (Self::Person, name) => of_person(name, workspace).map(|condition| format!("{scoped} AND ({condition})")),
        }
    }
}

/// What makes a row one of the person whom the transaction has set.
fn of_person(table: &str, workspace: WorkspaceId) -> Option<String> {
    let person = format!("current_setting('{PERSON}')");
    let conversations =
        format!("SELECT id FROM conversations WHERE workspace_id = '{workspace}' AND external_user_id = {person}");
    let messages =
        format!("SELECT id FROM messages WHERE workspace_id = '{workspace}' AND conversation_id IN ({conversations})");
    Some(match table {
        "conversations" => format!("external_user_id = {person}"),
        "messages" => format!("conversation_id IN ({conversations})"),
        "feedback" => format!("message_id IN ({messages})"),
        "analytics_events" => {
            format!("user_identifier = {person} OR conversation_id IN ({conversations}) OR message_id IN ({messages})")
        }
        _ => return None,
    })
}
