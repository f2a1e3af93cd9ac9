//! Conditions for the rows of one person, as the embedding application identifies the person.

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use tokio_postgres::Transaction;

use crate::error::{Error, Result};

/// Setting that contains the person of a transaction, so that no statement contains a text from outside.
pub(super) const PERSON: &str = "workspace_db.person";

/// Rejects an id that is no person's, and would match every empty text.
pub(super) fn check_person(external_user_id: &str) -> Result<()> {
    if external_user_id.is_empty() || external_user_id.contains('\0') {
        return Err(Error::invalid("the person's id is empty, or has a NUL character").about("external_user_id"));
    }
    Ok(())
}

/// Sets the person of a transaction, if it is about one.
pub(super) async fn set(transaction: &Transaction<'_>, person: Option<&str>) -> Result<()> {
    if let Some(person) = person {
        transaction.query("SELECT set_config($1, $2, true)", &[&PERSON, &person]).await?;
    }
    Ok(())
}

/// Sets a setting of a transaction of Diesel's.
pub(super) async fn set_for(conn: &mut AsyncPgConnection, setting: &str, value: &str) -> Result<()> {
    let set = diesel::sql_query("SELECT set_config($1, $2, true)").bind::<Text, _>(setting).bind::<Text, _>(value);
    set.execute(conn).await?;
    Ok(())
}

/// Placeholder for the workspace in a condition.
pub(super) const THE_WORKSPACE: &str = "{workspace}";

/// Returns the condition of the rows of the person that the transaction has set, in a table of this crate.
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
