//! A change of one row under row-level security. Its audit entry is committed first, and the change can be undone.

use diesel_async::SimpleAsyncConnection as _;
use postgres_protocol::escape::escape_identifier;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::catalog::{ColumnInfo, TableCatalog, TableInfo};
use crate::column_kind::ColumnKind;
use crate::display::cut;
use crate::row_change::{AppliedChange, RowChange, Values};
use crate::secrets;
use crate::state::AppState;
use crate::statement::{DynamicStatement, Row, begin};
use workspace_db::auth::{self, AuditedChange};
use workspace_db::id::WorkspaceId;
use workspace_db::noun::noun_for;
use workspace_db::tenancy::{PlatformScope, RawConnection, WorkspaceScope};
use workspace_db::{Error, ErrorKind, Result};

/// Maximum characters of a value in the audit log.
const TOLD: usize = 200;

/// The values of a row's stored columns, and its version.
struct StoredRow {
    values: Values,
    version: String,
}

impl StoredRow {
    fn key(&self, table: &TableInfo) -> Values {
        table.key.iter().map(|name| (name.clone(), value(&self.values, name))).collect()
    }
}

impl AppState {
    pub(crate) async fn change(
        &self,
        catalog: &TableCatalog,
        table: &TableInfo,
        workspace: WorkspaceId,
        change: RowChange,
        why: &str,
    ) -> Result<AppliedChange> {
        self.refuse_to_write()?;
        if !table.is_edited() {
            return Err(Error::new(
                ErrorKind::Forbidden,
                format!("rows of {} can't be changed in the studio", table.name),
            )
            .remedy("use the command of workspace-db for them"));
        }
        let scope = WorkspaceScope::unchecked(workspace, why);
        let mut ws = self.db.workspace(&scope).await?;
        let (action, why) = (change.action(), why.to_owned());
        ws.under_row_security(&why, async |conn| {
            begin(conn, "").await?;
            let changing = RowEditor { conn, table, workspace };
            let (before, after, back) = changing.run(catalog, change).await?;
            let is_update = before.is_some() && after.is_some();
            let key = before.as_ref().or(after.as_ref()).map(|row| row.key(table)).unwrap_or_default();
            let id = value(&key, "id").and_then(|id| id.parse::<Uuid>().ok());
            let change = AuditedChange {
                workspace,
                action,
                table: table.name.clone(),
                row: id,
                before: audit_value(table, before.as_ref(), is_update),
                after: audit_value(table, after.as_ref(), is_update),
            };
            // A deferred constraint would be checked at the commit, which runs outside of the workspace.
            conn.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await?;
            // The entry is committed before the change. A failed change may have an entry, and no change lacks one.
            auth::record_change(&self.db, &PlatformScope::unchecked(&why), change).await?;
            Ok::<_, Error>(AppliedChange { workspace, table: table.name.clone(), key, back })
        })
        .await
    }
}

fn value(values: &[(String, Option<String>)], name: &str) -> Option<String> {
    values.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone())
}

/// Returns a row for the audit log, which outlives the workspace. It contains no secrets. An update has the beginnings of
/// the values, an insert or a deletion only their lengths.
fn audit_value(table: &TableInfo, row: Option<&StoredRow>, is_update: bool) -> Value {
    let Some(row) = row else { return Value::Null };
    let length = |value: &str| {
        let characters = value.chars().count();
        Value::from(format!("{characters} {}", noun_for(characters, "character")))
    };
    let shown = |(name, value): &(String, Option<String>)| {
        let kind = table.column(name).map_or(ColumnKind::Other, |column| column.kind);
        let value = match (kind, value) {
            (_, None) => Value::Null,
            (ColumnKind::Secret, Some(_)) => Value::from("(hidden)"),
            (ColumnKind::Vector, Some(value)) => Value::from(format!("{} components", value.split(',').count())),
            (
                ColumnKind::Uuid | ColumnKind::Time | ColumnKind::Bool | ColumnKind::Number | ColumnKind::Enum,
                Some(value),
            ) => Value::from(value.as_str()),
            (ColumnKind::Json, Some(value)) if is_update && value.len() <= TOLD => secrets::safe(value),
            (ColumnKind::Text, Some(value)) if is_update => Value::from(cut(value, TOLD)),
            (_, Some(value)) => length(value),
        };
        (name.clone(), value)
    };
    Value::Object(row.values.iter().map(shown).collect::<Map<_, _>>())
}

struct RowEditor<'c> {
    conn: &'c mut RawConnection,
    table: &'c TableInfo,
    workspace: WorkspaceId,
}

impl RowEditor<'_> {
    /// Executes the change, and returns the row before and after, and the change that undoes it.
    async fn run(
        mut self,
        catalog: &TableCatalog,
        change: RowChange,
    ) -> Result<(Option<StoredRow>, Option<StoredRow>, RowChange)> {
        match change {
            RowChange::Insert(values) => {
                let after = self.insert(values).await?;
                let back = RowChange::Delete { key: after.key(self.table), version: after.version.clone() };
                Ok((None, Some(after), back))
            }
            RowChange::Update { key, version, to } => {
                let before = self.locked(&key, &version).await?;
                let after = self.update(&key, &to).await?;
                let was = to.iter().map(|(name, _)| (name.clone(), value(&before.values, name))).collect();
                let back = RowChange::Update { key, version: after.version.clone(), to: was };
                Ok((Some(before), Some(after), back))
            }
            RowChange::Delete { key, version } => {
                let before = self.locked(&key, &version).await?;
                self.refuse_if_referred_to(catalog, &before).await?;
                let mut statement = DynamicStatement::default();
                let which = self.which(&key, &mut statement);
                statement.push(&format!(
                    "DELETE FROM {} WHERE {which} RETURNING ARRAY['']::text[] AS cells",
                    escape_identifier(&self.table.name)
                ));
                self.rows(statement).await?;
                let back = RowChange::Insert(before.values.clone());
                Ok((Some(before), None, back))
            }
        }
    }

    fn stored_columns(&self) -> impl Iterator<Item = &ColumnInfo> {
        self.table.columns.iter().filter(|column| !column.generated)
    }

    /// Returns the SQL of the whole row, as `StoredRow` reads it.
    fn cells(&self) -> String {
        let cells: Vec<String> =
            self.stored_columns().map(|column| format!("{}::text", escape_identifier(&column.name))).collect();
        format!("ARRAY[xmin::text, {}]::text[] AS cells", cells.join(", "))
    }

    fn which(&self, key: &Values, statement: &mut DynamicStatement) -> String {
        let mut conditions: Vec<String> =
            key.iter().map(|(name, value)| self.table.equals(name, value.as_deref(), statement)).collect();
        if let Some(column) = self.table.workspace_column() {
            conditions.push(self.table.equals(column, Some(&self.workspace.to_string()), statement));
        }
        conditions.join(" AND ")
    }

    async fn rows(&mut self, statement: DynamicStatement) -> Result<Vec<Row>> {
        statement.rows(self.conn).await
    }

    async fn whole(&mut self, statement: DynamicStatement) -> Result<Option<StoredRow>> {
        let Some(mut row) = self.rows(statement).await?.into_iter().next() else { return Ok(None) };
        let version = if row.is_empty() { String::new() } else { row.remove(0).unwrap_or_default() };
        Ok(Some(StoredRow {
            values: self.stored_columns().map(|column| column.name.clone()).zip(row).collect(),
            version,
        }))
    }

    /// Locks the row until the transaction ends, and verifies its version.
    async fn locked(&mut self, key: &Values, version: &str) -> Result<StoredRow> {
        let mut statement = DynamicStatement::default();
        let which = self.which(key, &mut statement);
        statement.push(&format!(
            "SELECT {} FROM {} WHERE {which} FOR UPDATE",
            self.cells(),
            escape_identifier(&self.table.name)
        ));
        let found = self.whole(statement).await?;
        match found {
            Some(row) if row.version == version => Ok(row),
            Some(_) => Err(Error::new(ErrorKind::Conflict, "somebody else has changed the row in the meantime")
                .remedy("reload the row, and repeat your change")),
            None => Err(Error::new(ErrorKind::NotFound, format!("{} has no such row", self.table.name))),
        }
    }

    async fn update(&mut self, key: &Values, to: &Values) -> Result<StoredRow> {
        let mut statement = DynamicStatement::default();
        let mut set = Vec::new();
        for (name, value) in to {
            let column = self.writable(name)?;
            set.push(format!("{} = {}", escape_identifier(name), statement.bind(value.as_deref(), column.bound())));
        }
        if self.table.column("updated_at").is_some() && !to.iter().any(|(name, _)| name == "updated_at") {
            set.push("updated_at = now()".to_owned());
        }
        let which = self.which(key, &mut statement);
        statement.push(&format!(
            "UPDATE {} SET {} WHERE {which} RETURNING {}",
            escape_identifier(&self.table.name),
            set.join(", "),
            self.cells()
        ));
        self.whole(statement).await?.ok_or_else(|| Error::new(ErrorKind::NotFound, "the row no longer exists"))
    }

    async fn insert(&mut self, values: Values) -> Result<StoredRow> {
        let mut statement = DynamicStatement::default();
        let (mut names, mut texts) = (Vec::new(), Vec::new());
        let own = self.table.workspace_column().map(ToOwned::to_owned);
        let given = values.into_iter().filter(|(name, _)| Some(name) != own.as_ref());
        // The row belongs to the workspace of the view, whatever the form contains.
        let all = given.chain(own.clone().map(|name| (name, Some(self.workspace.to_string()))));
        for (name, value) in all {
            let column = self.writable(&name)?;
            names.push(escape_identifier(&name));
            texts.push(statement.bind(value.as_deref(), column.bound()));
        }
        statement.push(&format!(
            "INSERT INTO {} ({}) VALUES ({}) RETURNING {}",
            escape_identifier(&self.table.name),
            names.join(", "),
            texts.join(", "),
            self.cells()
        ));
        self.whole(statement).await?.ok_or_else(|| Error::new(ErrorKind::Database, "the insert returned no row"))
    }

    fn writable(&self, name: &str) -> Result<&ColumnInfo> {
        let column = self.stored_columns().find(|column| column.name == name);
        column.ok_or_else(|| Error::invalid(format!("{} has no writable column {name:?}", self.table.name)))
    }

    /// Rejects the deletion of a row that others refer to: they would be deleted too, and undo could not restore them.
    async fn refuse_if_referred_to(&mut self, catalog: &TableCatalog, row: &StoredRow) -> Result<()> {
        for (other, key) in catalog.references_to(&self.table.name).filter(|(other, _)| other.in_workspace) {
            let mut statement = DynamicStatement::default();
            let conditions: Vec<String> = key
                .columns
                .iter()
                .zip(&key.refers_to)
                .map(|(column, refers_to)| {
                    other.equals(column, value(&row.values, refers_to).as_deref(), &mut statement)
                })
                .collect();
            let name = escape_identifier(&other.name);
            statement.push(&format!(
                "SELECT ARRAY['']::text[] AS cells FROM {name} WHERE {} LIMIT 1",
                conditions.join(" AND ")
            ));
            if !self.rows(statement).await?.is_empty() {
                return Err(Error::new(ErrorKind::Conflict, format!("rows of {} refer to this row", other.name))
                    .remedy("delete those rows first: they would be deleted too, and undo could not restore them"));
            }
        }
        Ok(())
    }
}
