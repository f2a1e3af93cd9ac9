//! The schema that the database has before the migration.

use anyhow::Result;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl as _;
use workspace_db::config::DatabaseUrl;
use workspace_db::db;

/// Tables and enums that the database already has.
pub(super) struct ExistingSchema {
    pub(super) tables: Vec<String>,
    pub(super) enums: Vec<String>,
    /// Tables with a `workspace_id`.
    pub(super) tenants: Vec<String>,
}

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

impl ExistingSchema {
    pub(super) async fn read(owner: &DatabaseUrl) -> Result<Self> {
        let mut conn = db::connect(owner).await?;
        let mut names = async |query: &str| -> Result<Vec<String>> {
            let rows: Vec<Name> = diesel::sql_query(query).load(&mut conn).await?;
            Ok(rows.into_iter().map(|row| row.name).collect())
        };
        Ok(Self {
            tables: names(
                "SELECT relname::text AS name FROM pg_class
                WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace",
            )
            .await?,
            enums: names("SELECT typname::text AS name FROM pg_type WHERE typtype = 'e'").await?,
            tenants: names("SELECT c.relname::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id'
                WHERE c.relkind IN ('r', 'p') AND EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = c.oid AND i.attname = 'id') ORDER BY 1").await?,
        })
    }
}
