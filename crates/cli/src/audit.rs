//! `workspace-db audit`

use anyhow::Result;
use clap::Args;
use workspace_db::auth::{self, AuditFilter};
use workspace_db::id::WorkspaceId;
use workspace_db::models::AuditEntry;
use workspace_db::tenancy::PlatformScope;

use super::context::Context;
use super::database::DatabaseTarget;
use super::{output, workspace};

/// Show audit entries, newest first
#[derive(Args, Debug)]
pub(super) struct Audit {
    /// Show only the entries of one workspace
    #[arg(long, value_name = "SLUG", conflicts_with = "platform")]
    workspace: Option<String>,
    /// Show only the entries of the platform as a whole
    #[arg(long)]
    platform: bool,
    /// Show only one action, such as workspace.publish
    #[arg(long)]
    action: Option<String>,
    /// Maximum number of entries
    #[arg(short = 'n', long, alias = "number", value_name = "N", default_value_t = 50)]
    limit: u32,
}

impl Audit {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let db = DatabaseTarget::from_context(context)?.open().await?;
        let of = match self.workspace {
            Some(slug) => Some(workspace::find(&db, &slug).await?.id),
            None => self.platform.then_some(WorkspaceId::PLATFORM),
        };
        let filter = AuditFilter { workspace: of, action: self.action, ..AuditFilter::default() };
        let platform = PlatformScope::unchecked("the operator reads the audit log at the shell");
        let entries = auth::audit_log(&db, &platform, &filter, self.limit).await?;
        if context.json {
            return output::print_json(&entries);
        }
        output::print_lines(entries.iter().map(line))
    }
}

fn line(entry: &AuditEntry) -> String {
    let who = match (&entry.admin_user_id, &entry.reason) {
        (Some(admin), _) => admin.to_string(),
        (None, reason) => reason.clone().unwrap_or_default(),
    };
    let row = entry.object_id.map(|id| id.to_string()).unwrap_or_default();
    let time = entry.occurred_at.format("%F %T UTC");
    format!("{time}  {:<22}  {} {row}  by {who}", entry.action, entry.object_table)
}
