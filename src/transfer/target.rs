//! The workspace that an import creates from an archive, and its earlier imports.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::import_options::ImportOptions;
use super::import_report::ImportReport;
use super::manifest::Manifest;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::sql_types::Slug;
use crate::tenancy::Database;

pub(super) const BEGIN: &str = "workspace.import_begin";
pub(super) const DONE: &str = "workspace.import";
pub(super) const DISCARD: &str = "workspace.import_discard";

/// Workspace that the archive's rows go into.
pub(super) struct Target {
    pub(super) workspace: WorkspaceId,
    pub(super) slug: String,
    pub(super) is_copy: bool,
    pub(super) is_there: bool,
    /// True if this database wrote the archive, and the import restores the workspace itself and not a copy.
    pub(super) is_own: bool,
}

/// Query of the audit log. `is_known` is true if the workspace has entries other than those of archives and imports.
/// `is_own` is true if this database wrote the archive.
const KNOWN: &str = "
SELECT count(*) FILTER (WHERE action NOT IN ('workspace.import_begin', 'workspace.import', 'workspace.import_discard')) > 0 AS is_known,
    count(*) FILTER (WHERE action = 'workspace.export' AND after->>'archive' = $2) > 0 AS is_own
FROM audit_log WHERE workspace_id = $1 AND NOT coalesce(after ? 'imported', false)";

#[derive(QueryableByName)]
struct AuditHistory {
    #[diesel(sql_type = Bool)]
    is_known: bool,
    #[diesel(sql_type = Bool)]
    is_own: bool,
}

#[derive(QueryableByName)]
struct ExistingWorkspace {
    #[diesel(sql_type = SqlUuid)]
    id: WorkspaceId,
    #[diesel(sql_type = Text)]
    slug: String,
}

/// Last audit entry about an import of a workspace.
#[derive(QueryableByName)]
pub(super) struct LastTransfer {
    #[diesel(sql_type = Text)]
    action: String,
    #[diesel(sql_type = Nullable<Text>)]
    archive: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    report: Option<Value>,
}

impl LastTransfer {
    pub(super) async fn of(conn: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Option<Self>> {
        let query = diesel::sql_query(
            "SELECT action, after->>'archive' AS archive, after->'report' AS report FROM audit_log WHERE workspace_id = $1
             AND action IN ($2, $3, $4) AND NOT coalesce(after ? 'imported', false) ORDER BY occurred_at DESC, id DESC LIMIT 1",
        );
        let query =
            query.bind::<SqlUuid, _>(workspace).bind::<Text, _>(BEGIN).bind::<Text, _>(DONE).bind::<Text, _>(DISCARD);
        Ok(query.get_result(conn).await.optional()?)
    }

    pub(super) fn is(&self, action: &str, archive: &str) -> bool {
        self.action == action && self.archive.as_deref() == Some(archive)
    }
}

/// Returns the report of the archive's import, if the workspace exists and this was its last import.
pub(super) async fn imported(db: &Database, workspace: WorkspaceId, archive: &str) -> Result<Option<ImportReport>> {
    let last = db
        .platform(async |conn| {
            let there =
                diesel::sql_query("SELECT id, slug FROM workspaces WHERE id = $1").bind::<SqlUuid, _>(workspace);
            let there: Option<ExistingWorkspace> = there.get_result(conn).await.optional()?;
            if there.is_some() { LastTransfer::of(conn, workspace).await } else { Ok(None) }
        })
        .await?;
    let report = last.filter(|last| last.is(DONE, archive)).and_then(|last| last.report);
    Ok(report.and_then(|report| serde_json::from_value(report).ok()))
}

impl Target {
    /// Finds the workspace that an archive's rows go into. Unless the import makes a copy, the workspace keeps the archive's
    /// id. If the audit log knows a deleted workspace with that id, this database must have written the archive, or the
    /// operator must request a restore.
    pub(super) async fn find(
        db: &Database,
        manifest: &Manifest,
        archive: &str,
        options: &ImportOptions,
    ) -> Result<Self> {
        let slug = match &options.beside_as {
            Some(slug) => slug.to_string(),
            None => manifest.slug.parse::<Slug>()?.to_string(),
        };
        let is_copy = options.beside_as.is_some();
        let (there, known): (Vec<ExistingWorkspace>, AuditHistory) = db
            .platform(async |conn| {
                let query = diesel::sql_query("SELECT id, slug FROM workspaces WHERE id = $1 OR slug = $2");
                let query = query.bind::<SqlUuid, _>(manifest.workspace).bind::<Text, _>(&slug);
                let there = query.load(conn).await?;
                let known = diesel::sql_query(KNOWN).bind::<SqlUuid, _>(manifest.workspace).bind::<Text, _>(archive);
                Ok::<_, Error>((there, known.get_result(conn).await?))
            })
            .await?;
        let of_slug = there.iter().find(|one| one.slug == slug);
        if is_copy {
            let workspace = of_slug.map_or_else(WorkspaceId::generate, |one| one.id);
            return Ok(Self { workspace, slug, is_copy, is_there: of_slug.is_some(), is_own: false });
        }
        if let Some(other) = of_slug.filter(|one| one.id != manifest.workspace) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("another workspace, {}, has the slug {slug:?}", other.id),
            )
            .of_field("slug")
            .remedy("import a copy under another slug"));
        }
        let is_there = there.iter().any(|one| one.id == manifest.workspace);
        if known.is_known && !known.is_own && !is_there && !options.restores {
            let what = format!("the audit log contains a workspace {}, but not this archive", manifest.workspace);
            return Err(Error::new(ErrorKind::Conflict, what)
                .remedy("import a copy under another slug, or set the option that restores the workspace"));
        }
        Ok(Self { workspace: manifest.workspace, slug, is_copy, is_there, is_own: known.is_own })
    }
}
