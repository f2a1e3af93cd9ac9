//! Which rows are one person's, as the embedding application knows them.

use tokio_postgres::Transaction;

use crate::error::Result;

/// The setting that the person of a transaction is in, so that no statement has a text in it that came from outside.
pub(super) const PERSON: &str = "workspace_db.person";

/// Sets the person of a transaction, where it is about one.
pub(super) async fn set(transaction: &Transaction<'_>, person: Option<&str>) -> Result<()> {
    if let Some(person) = person {
        transaction.query("SELECT set_config($1, $2, true)", &[&PERSON, &person]).await?;
    }
    Ok(())
}

/// Where a condition names the workspace.
pub(super) const THE_WORKSPACE: &str = "{workspace}";

/// What makes a row of a table of this crate one of the person whom the transaction has set.
pub(super) fn of_person(table: &str) -> Option<String> {
    let (person, workspace) = (format!("current_setting('{PERSON}')"), THE_WORKSPACE);
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
