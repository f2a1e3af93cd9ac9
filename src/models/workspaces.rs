//! Table `workspaces`: the tenants. Every tenant table refers to one of them.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::schema::workspaces;
use crate::sql_types::{LanguageTag, Name, Prose, Slug, StatementTime};

/// A workspace, the tenant.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = workspaces)]
pub struct Workspace {
    /// The workspace_id of every tenant table.
    pub id: WorkspaceId,
    /// Name in URLs and on the command line, unique on the platform.
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// Purpose of the workspace.
    pub description: Option<String>,
    /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
    pub default_language: LanguageTag,
    /// False if the workspace is archived.
    pub is_active: bool,
    /// True if the public may read the workspace by its slug.
    pub is_published: bool,
    /// Minimum confidence of an answer, 0 to 1.
    pub confidence_threshold: f64,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

impl Workspace {
    /// Returns the workspace with that slug.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if there is none.
    ///
    /// ```no_run
    /// use workspace_db::models::Workspace;
    ///
    /// # async fn example(conn: &mut diesel_async::AsyncPgConnection) -> workspace_db::Result<()> {
    /// let acme = Workspace::find_by_slug(conn, "acme").await?;
    /// println!("{}", acme.name);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn find_by_slug(conn: &mut impl AsyncConnectionCore<Backend = Pg>, slug: &str) -> Result<Self> {
        // PostgreSQL can't store U+0000 in a text, so no workspace has such a slug.
        let found = if slug.contains('\0') {
            None
        } else {
            Self::query().filter(workspaces::slug.eq(slug)).first(conn).await.optional()?
        };
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no workspace {slug:?}")))
    }
}

/// A row of `workspaces` to insert.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = workspaces)]
pub struct NewWorkspace {
    /// The workspace_id of every tenant table.
    pub id: WorkspaceId,
    /// Name in URLs and on the command line, unique on the platform.
    pub slug: Slug,
    /// Name for people.
    pub name: Name,
    /// Purpose of the workspace.
    pub description: Option<Prose>,
    /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
    pub default_language: Option<LanguageTag>,
    /// False if the workspace is archived.
    pub is_active: Option<bool>,
    /// True if the public may read the workspace by its slug.
    pub is_published: Option<bool>,
    /// Minimum confidence of an answer, 0 to 1.
    pub confidence_threshold: Option<f64>,
}

impl NewWorkspace {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
    #[must_use]
    pub fn new(slug: Slug, name: Name) -> Self {
        Self {
            id: WorkspaceId::generate(),
            slug,
            name,
            description: None,
            default_language: None,
            is_active: None,
            is_published: None,
            confidence_threshold: None,
        }
    }
}

/// Changes to a row of `workspaces`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// It has no `is_active` or `is_published`: [`auth`](crate::auth) publishes and archives workspaces.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = workspaces)]
pub struct WorkspaceChanges {
    /// Name in URLs and on the command line, unique on the platform.
    pub slug: Option<Slug>,
    /// Name for people.
    pub name: Option<Name>,
    /// Purpose of the workspace.
    pub description: Option<Option<Prose>>,
    /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
    pub default_language: Option<LanguageTag>,
    /// Minimum confidence of an answer, 0 to 1.
    pub confidence_threshold: Option<f64>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}
