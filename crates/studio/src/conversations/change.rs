//! Forms of a conversation's page: they change who answers, and append a person's answer.

use axum::response::Response;
use serde_json::{Value, json};

use super::one::CHANGES;
use crate::access_control::PostedForm;
use crate::params::see;
use crate::problem::Problem;
use crate::request::StudioRequest;
use workspace_db::auth::{self, AuditedChange};
use workspace_db::conversations::{MessageInput, append, change_status};
use workspace_db::id::{ConversationId, WorkspaceId};
use workspace_db::tenancy::{PlatformScope, WorkspaceScope};
use workspace_db::{Error, Result};

const REASON: &str = "a person in the studio";

/// Handles `POST /{view}/conversations/{conversation}/status`.
pub(crate) async fn status(visit: StudioRequest, PostedForm(form): PostedForm) -> Result<Response, Problem> {
    visit.shared.refuse_to_write()?;
    let workspace = visit.the_workspace("conversations")?;
    let id: ConversationId = visit.id("conversation")?;
    let name = form.value("change").unwrap_or_default();
    let change = CHANGES.iter().find(|(known, ..)| *known == name).map(|(_, _, change)| *change);
    let change = change.ok_or_else(|| Error::invalid(format!("{name:?} is no change of a conversation")))?;
    let mut ws = visit.shared.db.workspace(&WorkspaceScope::unchecked(workspace, REASON)).await?;
    ws.transaction(async |ws| {
        let after = change_status(ws, id, change).await?;
        let after = json!({ "status": after.status, "speaker": after.speaker });
        record(&visit, workspace, "conversation.status", id, after).await
    })
    .await?;
    see(&visit.view.path(&format!("conversations/{id}")))
}

/// Handles `POST /{view}/conversations/{conversation}/reply`.
pub(crate) async fn reply(visit: StudioRequest, PostedForm(form): PostedForm) -> Result<Response, Problem> {
    visit.shared.refuse_to_write()?;
    let workspace = visit.the_workspace("conversations")?;
    let id: ConversationId = visit.id("conversation")?;
    // A browser sends the lines of a text area with CR and LF.
    let text = form.value("reply").unwrap_or_default().replace("\r\n", "\n");
    let mut answer = MessageInput::human(text);
    if let Some(client_id) = form.value("client_id") {
        answer = answer.client_id(client_id);
    }
    let mut ws = visit.shared.db.workspace(&WorkspaceScope::unchecked(workspace, REASON)).await?;
    ws.transaction(async |ws| {
        let stored = append(ws, id, &answer).await?;
        if !stored.is_new {
            return Ok(());
        }
        // The entry names the message, whose text stays in one place.
        record(&visit, workspace, "conversation.reply", id, json!({ "message_id": stored.message })).await
    })
    .await?;
    see(&visit.view.path(&format!("conversations/{id}")))
}

async fn record(
    visit: &StudioRequest,
    workspace: WorkspaceId,
    action: &'static str,
    id: ConversationId,
    after: Value,
) -> Result<()> {
    let (table, row) = ("conversations".to_owned(), Some(*id.as_uuid()));
    let change = AuditedChange { workspace, action, table, row, before: Value::Null, after };
    // The entry is committed before the change, as for rows.
    auth::record_change(&visit.shared.db, &PlatformScope::unchecked(REASON), change).await
}
