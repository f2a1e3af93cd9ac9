//! `workspace-db workspace`, and the workspace that other commands name.

mod lookup;
mod transfer;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;
use workspace_db::auth;
use workspace_db::models::{self, NewWorkspace, NewWorkspaceSettings};
use workspace_db::noun::noun_for;
use workspace_db::sql_types::{AdminRole, Email, LanguageTag, Name, Slug};
use workspace_db::tenancy::{Database, PlatformScope, WorkspaceScope};
use workspace_db_ingest::{MissingLanguages, detect_missing_languages};

pub(super) use self::lookup::{enter, enter_or_create, find};
use super::context::{Context, OPERATOR};
use super::{database, output};

/// Create, list, publish, archive, export, import, erase and move workspaces
#[derive(Args, Debug)]
pub(super) struct Workspace {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a workspace with its settings and invite its first administrator
    Create {
        slug: Slug,
        /// Display name; default: the slug
        #[arg(long)]
        name: Option<Name>,
        /// Language of the content
        #[arg(long, value_name = "TAG")]
        language: Option<LanguageTag>,
        /// Email of the first administrator; the invitation is printed only once
        #[arg(long, value_name = "EMAIL")]
        admin: Option<Email>,
    },
    /// Invite an administrator to a workspace and print the invitation
    ///
    /// The invitation is printed only this once.
    Invite {
        slug: String,
        email: Email,
        /// Role in the workspace
        #[arg(default_value = "admin")]
        role: AdminRole,
    },
    /// List the workspaces
    List,
    /// Show a workspace and its effective settings
    Show { slug: String },
    /// Open the public side of a workspace
    Publish { slug: String },
    /// Close the public side of a workspace
    Unpublish { slug: String },
    /// Archive a workspace and keep its rows
    Archive { slug: String },
    /// Restore an archived workspace
    Restore { slug: String },
    /// Detect the language of passages that have none, such as adopted ones, so that their words are stemmed
    DetectLanguages { slug: String },
    #[command(flatten)]
    Transfer(transfer::Transfer),
}

impl Workspace {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let action = match self.action {
            Action::Transfer(transfer) => return transfer.run(context).await,
            action => action,
        };
        let db = database::DatabaseTarget::from_context(context)?.open().await?;
        let platform = PlatformScope::unchecked(OPERATOR);
        match action {
            Action::Create { slug, name, language, admin } => {
                let name = match name {
                    Some(name) => name,
                    None => slug.as_str().parse()?,
                };
                let new = NewWorkspace { default_language: language, ..NewWorkspace::new(slug, name) };
                let settings = NewWorkspaceSettings::default();
                let made = auth::create_workspace(&db, &platform, &new, &settings, admin.as_ref()).await?;
                let invitation = made.first_admin.as_ref().map(|invited| invited.token.expose());
                if context.json {
                    return output::print_json(&json!({ "workspace": made.workspace, "invitation": invitation }));
                }
                let invitation = invitation.map(|token| format!("invitation  {token}"));
                output::print_lines(std::iter::once(line(&made.workspace)).chain(invitation))
            }
            Action::Invite { slug, email, role } => {
                let scope = administer(&db, &slug).await?;
                let invited = auth::invite(&db, &scope, &email, role).await?;
                let token = invited.token.expose();
                if context.json {
                    return output::print_json(&json!({ "membership": invited.membership, "invitation": token }));
                }
                output::print_lines([format!("invitation  {token}")])
            }
            Action::List => {
                let all = auth::workspaces(&db, &platform).await?;
                if context.json {
                    return output::print_json(&all);
                }
                output::print_lines(all.iter().map(line))
            }
            Action::Show { slug } => {
                let workspace = find(&db, &slug).await?;
                let settings = auth::settings(&db, &WorkspaceScope::unchecked(workspace.id, OPERATOR)).await?;
                if context.json {
                    return output::print_json(&json!({ "workspace": workspace, "settings": settings }));
                }
                let settings = serde_json::to_value(settings)?;
                let fields = settings.as_object().into_iter().flatten();
                let settings =
                    fields.filter(|(_, value)| !value.is_null()).map(|(name, value)| format!("  {name:<22}{value}"));
                output::print_lines(std::iter::once(line(&workspace)).chain(settings))
            }
            Action::Publish { slug } => {
                let scope = administer(&db, &slug).await?;
                print(context, &auth::publish(&db, &scope).await?)
            }
            Action::Unpublish { slug } => {
                let scope = administer(&db, &slug).await?;
                print(context, &auth::unpublish(&db, &scope).await?)
            }
            Action::Archive { slug } => {
                let scope = administer(&db, &slug).await?;
                print(context, &auth::archive(&db, &scope).await?)
            }
            Action::Restore { slug } => {
                let workspace = find(&db, &slug).await?;
                print(context, &auth::restore(&db, &platform, workspace.id).await?)
            }
            Action::DetectLanguages { slug } => {
                let scope = enter(&db, &slug, false).await?;
                let spinner = output::spinner();
                let tell = |done: &MissingLanguages| {
                    output::tell(&spinner, &format!("{} {}", done.chunks, noun_for(done.chunks, "chunk")));
                };
                let done = detect_missing_languages(&db, &scope, &tell).await?;
                spinner.finish_and_clear();
                if context.json {
                    return output::print_json(&done);
                }
                let (chunks, documents) = (done.chunks, done.documents);
                let (of_chunks, of_documents) = (noun_for(chunks, "chunk"), noun_for(documents, "document"));
                output::print_lines([format!("languages  {chunks} {of_chunks} of {documents} {of_documents}")])
            }
            Action::Transfer(_) => Ok(()),
        }
    }
}

fn line(workspace: &models::Workspace) -> String {
    let status = match (workspace.is_active, workspace.is_published) {
        (false, _) => "archived",
        (true, true) => "published",
        (true, false) => "private",
    };
    format!("{status:<9}  {}  {}  {}", workspace.id, workspace.slug, workspace.name)
}

fn print(context: &Context, workspace: &models::Workspace) -> Result<()> {
    if context.json {
        return output::print_json(workspace);
    }
    output::print_lines([line(workspace)])
}

async fn administer(db: &Database, slug: &str) -> Result<WorkspaceScope<workspace_db::tenancy::Administer>> {
    Ok(WorkspaceScope::unchecked_administer(find(db, slug).await?.id, OPERATOR))
}
