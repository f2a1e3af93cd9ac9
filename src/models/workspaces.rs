//! Table `workspaces`: the tenants. Every other table but admin_users belongs to one of them.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::id::WorkspaceId;
use crate::schema::workspaces;
use crate::sql_types::{LanguageTag, Name, Prose, Slug, StatementTime};

/// A workspace, the tenant.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = workspaces)]
pub struct Workspace {
    /// The workspace_id of every tenant table.
    pub id: WorkspaceId,
    /// Name in addresses and on the command line, unique on the platform.
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// What the workspace is for.
    pub description: Option<String>,
    /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
    pub default_language: LanguageTag,
    /// Whether the workspace is in use.
    pub is_active: bool,
    /// Whether the public side may be entered by slug.
    pub is_published: bool,
    /// Least confidence, 0 to 1, at which an answer is given.
    pub confidence_threshold: f64,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

impl Workspace {
    /// The workspace of that slug.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) where there is none.
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
        // No text of PostgreSQL holds U+0000, so nothing has that name.
        let found = if slug.contains('\0') {
            None
        } else {
            Self::query().filter(workspaces::slug.eq(slug)).first(conn).await.optional()?
        };
        found.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no workspace {slug:?}")))
    }
}

/// A row of `workspaces` to insert.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = workspaces)]
pub struct NewWorkspace {
    /// The workspace_id of every tenant table.
    pub id: WorkspaceId,
    /// Name in addresses and on the command line, unique on the platform.
    pub slug: Slug,
    /// Name for people.
    pub name: Name,
    /// What the workspace is for.
    pub description: Option<Prose>,
    /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
    pub default_language: Option<LanguageTag>,
    /// Whether the workspace is in use.
    pub is_active: Option<bool>,
    /// Whether the public side may be entered by slug.
    pub is_published: Option<bool>,
    /// Least confidence, 0 to 1, at which an answer is given.
    pub confidence_threshold: Option<f64>,
}

impl NewWorkspace {
    /// What is needed; everything else has its default, and the id is fresh.
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

/// What may change in a row of `workspaces`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// Whether it is in use and published is not among it: [`auth`](crate::auth) publishes and archives.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = workspaces)]
pub struct WorkspaceChanges {
    /// Name in addresses and on the command line, unique on the platform.
    pub slug: Option<Slug>,
    /// Name for people.
    pub name: Option<Name>,
    /// What the workspace is for.
    pub description: Option<Option<Prose>>,
    /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
    pub default_language: Option<LanguageTag>,
    /// Least confidence, 0 to 1, at which an answer is given.
    pub confidence_threshold: Option<f64>,
    /// Time of the last change: the statement's own, always.
    pub updated_at: StatementTime,
}
