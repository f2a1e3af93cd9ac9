//! The languages of a workspace.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt as _;

use crate::error::Result;
use crate::schema::{workspace_settings, workspaces};
use crate::sql_types::{LanguageTag, LanguageTags};
use crate::tenancy::{Access, WorkspaceConnection};

/// Languages in which a workspace's texts may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceLanguages {
    /// The workspace's `default_language`.
    pub default: LanguageTag,
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
        let query = workspaces::table
            .find(ws.workspace())
            .left_join(workspace_settings::table)
            .select((workspaces::default_language, workspace_settings::languages.nullable()));
        let (default, offered): (LanguageTag, Option<LanguageTags>) =
            ws.internal(move |mut conn| async move { query.first(&mut conn).await }.boxed()).await?;
        Ok(Self { default, offered: offered.map(Vec::from).unwrap_or_default() })
    }
}
