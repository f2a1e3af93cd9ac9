//! The languages of a workspace.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt as _;

use crate::error::Result;
use crate::schema::{workspace_settings, workspaces};
use crate::sql_types::{LanguageTag, LanguageTags};
use crate::tenancy::{Access, WorkspaceConnection};

/// Languages in which a workspace's texts and questions may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceLanguages {
    /// The workspace's `default_language`.
    pub default: LanguageTag,
    /// The `fallback_language` of its settings.
    pub fallback: Option<LanguageTag>,
    /// The `languages` of its settings; empty if they name none.
    pub offered: Vec<LanguageTag>,
}

impl WorkspaceLanguages {
    /// Returns the languages of the connection's workspace.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](crate::Error::is_not_found) if the workspace was deleted;
    /// [`is_unreachable`](crate::Error::is_unreachable).
    ///
    /// ```no_run
    /// use workspace_db::models::WorkspaceLanguages;
    /// use workspace_db::tenancy::WorkspaceConnection;
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let languages = WorkspaceLanguages::load(ws).await?;
    /// println!("answer in {} unless the user asks in another language", languages.default);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load(ws: &mut WorkspaceConnection<impl Access>) -> Result<Self> {
        let workspace = ws.workspace();
        let default = workspaces::table.find(workspace).select(workspaces::default_language);
        let default: LanguageTag =
            ws.internal(move |mut conn| async move { default.first(&mut conn).await }.boxed()).await?;
        let settings = workspace_settings::table
            .find(workspace)
            .select((workspace_settings::fallback_language, workspace_settings::languages));
        let settings: Option<(Option<LanguageTag>, LanguageTags)> =
            ws.internal(move |mut conn| async move { settings.first(&mut conn).await.optional() }.boxed()).await?;
        let (fallback, offered) =
            settings.map_or((None, Vec::new()), |(fallback, tags)| (fallback, tags.as_slice().to_vec()));
        Ok(Self { default, fallback, offered })
    }
}
