//! Insertion of rows into tables under row-level security, for which PostgreSQL rejects COPY. Rows are copied into a
//! temporary table, and one INSERT from there supplies the workspace.

use bytes::Bytes;
use futures_util::{SinkExt as _, pin_mut};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::Transaction;

use super::layout::{ColumnKind, ColumnLayout, TableLayout};
use super::row::Row;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Rows in the format of binary COPY.
pub(super) struct Tuples {
    bytes: Vec<u8>,
    pub(super) rows: u64,
}

impl Tuples {
    pub(super) fn new() -> Self {
        Self { bytes: HEADER.to_vec(), rows: 0 }
    }

    /// Creates a COPY of rows that are tuples already.
    pub(super) fn from_bytes(tuples: &[u8], rows: u64) -> Self {
        Self { bytes: [HEADER, tuples].concat(), rows }
    }

    pub(super) fn push(&mut self, row: &Row) -> Result<()> {
        self.rows += 1;
        row.write_tuple(&mut self.bytes)
    }

    fn finish(mut self) -> Bytes {
        self.bytes.extend_from_slice(&TRAILER);
        self.bytes.into()
    }
}

/// Statements that write rows of one table.
pub(super) struct Stage {
    create: String,
    copy: String,
    insert: String,
    /// Table, if it has triggers that must not change the archive's values.
    disables: Option<String>,
    /// Query for the number of rows that exist with the expected values, for a table whose rows can't be deleted.
    count_same: Option<String>,
    /// Queries about rows of another system.
    external: ExternalQueries,
}

/// Queries about staged rows of another system, which have the number of their line.
#[derive(Default)]
struct ExternalQueries {
    /// Query for the lines whose rows exist with other values, in rows of the transactions from `$1` on. It is empty for a
    /// table whose triggers may change the values.
    differing: String,
    /// Query for the column of a row whose text is no value of the column's type.
    invalid_column: String,
}

impl Stage {
    /// Creates the statements for rows of an archive. A missing value becomes NULL.
    pub(super) fn of(table: &TableLayout, workspace: WorkspaceId) -> Self {
        Self::numbered(table, workspace, 0)
    }

    /// Creates the same statements with a numbered temporary table, so that one transaction can use several.
    pub(super) fn numbered(table: &TableLayout, workspace: WorkspaceId, number: usize) -> Self {
        let on_conflict = if table.is_deletable { "" } else { " ON CONFLICT DO NOTHING" };
        let disables = table.has_triggers.then(|| escape_identifier(&table.name));
        Self { disables, ..Self::new(table, workspace, number, on_conflict, |value, _| value) }
    }

    /// Creates the statements for rows of another system, each followed by the number of its line. A missing value becomes
    /// its default, and an existing row stays.
    pub(super) fn for_external_rows(table: &TableLayout, workspace: WorkspaceId, number: usize) -> Self {
        let on_conflict = format!(" ON CONFLICT ({}) DO NOTHING", table.key());
        let stage = Self::new(table, workspace, number, &on_conflict, |value, column| match &column.default {
            Some(default) => format!("coalesce({value}, {default})"),
            None => value,
        });
        let name = stage_name(number);
        // A check creates it once for each part of a batch, in one transaction.
        let create = format!(
            "DROP TABLE IF EXISTS pg_temp.{name}; {}; ALTER TABLE {name} ADD COLUMN workspace_db_line bigint",
            stage.create
        );
        Self { create, external: ExternalQueries::new(table, workspace, number), ..stage }
    }

    fn new(
        table: &TableLayout,
        workspace: WorkspaceId,
        number: usize,
        on_conflict: &str,
        completed: impl Fn(String, &ColumnLayout) -> String,
    ) -> Self {
        let stage = stage_name(number);
        // Values are stored as they arrive, because they are read only once.
        let column = |column: &ColumnLayout| {
            let type_name = if column.kind == ColumnKind::Other { "text" } else { &column.type_name };
            format!("{} {type_name}", escape_identifier(&column.name))
        };
        let columns = table.columns.iter().map(column).collect::<Vec<_>>().join(", ");
        let is_long = |column: &&ColumnLayout| match column.kind {
            ColumnKind::Jsonb | ColumnKind::Vector => true,
            ColumnKind::Text => column.type_name == "text",
            _ => false,
        };
        let plain = table.columns.iter().filter(is_long);
        let plain = plain.map(|column| format!("ALTER {} SET STORAGE EXTERNAL", escape_identifier(&column.name)));
        let plain = plain.collect::<Vec<_>>().join(", ");
        let set_plain = if plain.is_empty() { String::new() } else { format!("; ALTER TABLE {stage} {plain}") };
        let create = format!("CREATE TEMPORARY TABLE {stage} ({columns}) ON COMMIT DROP{set_plain}");
        let name = escape_identifier(&table.name);
        let names = table.columns.iter().map(|column| escape_identifier(&column.name)).collect::<Vec<_>>().join(", ");
        let values = table.columns.iter().map(|column| {
            let value = match column.kind {
                ColumnKind::Other => format!("{}::{}", escape_identifier(&column.name), column.type_name),
                _ => escape_identifier(&column.name),
            };
            completed(value, column)
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let insert = format!(
            "INSERT INTO {name} ({}, {names}) OVERRIDING SYSTEM VALUE SELECT '{workspace}'::uuid, {values} FROM {stage}{on_conflict}",
            escape_identifier(table.scope()),
        );
        // Excludes `after`, because an entry that existed before is not marked as imported.
        let same = || table.columns.iter().filter(|column| column.name != "after");
        let count_same = (!table.is_deletable).then(|| {
            format!(
                "SELECT count(*) FROM {stage} s JOIN {name} t ON t.{} = '{workspace}' AND t.id = s.id
                 AND (SELECT row({}) IS NOT DISTINCT FROM row({}))",
                escape_identifier(table.scope()),
                same().map(|c| format!("t.{}", escape_identifier(&c.name))).collect::<Vec<_>>().join(", "),
                same()
                    .map(|c| format!("s.{}::{}", escape_identifier(&c.name), c.type_name))
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        });
        let copy = format!("COPY {stage} FROM STDIN (FORMAT BINARY)");
        Self { create, copy, insert, disables: None, count_same, external: ExternalQueries::default() }
    }

    async fn collect(&self, transaction: &Transaction<'_>, tuples: Tuples) -> Result<(), tokio_postgres::Error> {
        let sink = transaction.copy_in(&self.copy).await?;
        pin_mut!(sink);
        sink.send(tuples.finish()).await?;
        sink.finish().await.map(drop)
    }

    /// Writes the rows within the transaction, and returns the number of new rows.
    pub(super) async fn write(&self, transaction: &Transaction<'_>, tuples: Tuples) -> Result<u64> {
        let rows = tuples.rows;
        let written = async {
            transaction.batch_execute(&self.create).await?;
            self.collect(transaction, tuples).await?;
            let disabled = disable_triggers(transaction, self.disables.as_deref()).await?;
            let written = transaction.execute(&self.insert, &[]).await?;
            enable_triggers(transaction, disabled).await?;
            Ok(written)
        };
        let written = written.await.map_err(refused)?;
        let Some(count_same) = &self.count_same else { return Ok(written) };
        let same: i64 = transaction.query_one(count_same, &[]).await?.get(0);
        if same.unsigned_abs() == rows {
            return Ok(written);
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "rows with the same ids already exist and differ from the rows of the archive",
        ))
    }
}

impl Stage {
    /// Returns the lines of the rows written last that existed with other values, in rows of the transactions from `first`
    /// on.
    pub(super) async fn differing(&self, transaction: &Transaction<'_>, first: i64) -> Result<Vec<u64>> {
        if self.external.differing.is_empty() {
            return Ok(Vec::new());
        }
        let lines = transaction.query(&self.external.differing, &[&first]).await?;
        Ok(lines.iter().map(|row| row.get::<_, i64>(0).unsigned_abs()).collect())
    }

    /// Returns the column of a row whose text is no value of the column's type. It is unknown for a type of which a COPY
    /// already rejects the value; the transaction has failed then.
    pub(super) async fn invalid_column(&self, transaction: &Transaction<'_>, row: Tuples) -> Option<String> {
        transaction.batch_execute(&self.create).await.ok()?;
        self.collect(transaction, row).await.ok()?;
        transaction.query_opt(&self.external.invalid_column, &[]).await.ok()?.and_then(|row| row.get(0))
    }
}

impl ExternalQueries {
    fn new(table: &TableLayout, workspace: WorkspaceId, number: usize) -> Self {
        let (stage, name, scope) =
            (stage_name(number), escape_identifier(&table.name), escape_identifier(table.scope()));
        let staged = |column: &ColumnLayout| format!("s.{}", escape_identifier(&column.name));
        // Types such as json have no equality.
        let differs = table.columns.iter().map(|column| {
            let (new, old) = (staged(column), format!("t.{}", escape_identifier(&column.name)));
            format!("{new} IS NOT NULL AND {old}::text IS DISTINCT FROM ({new}::{})::text", column.type_name)
        });
        let is_key = |column: &&ColumnLayout| table.is_key(&column.name);
        let same_key = table.columns.iter().filter(is_key).map(|column| {
            format!(" AND t.{} = {}::{}", escape_identifier(&column.name), staged(column), column.type_name)
        });
        let differing = format!(
            "SELECT s.workspace_db_line FROM {stage} s JOIN {name} t ON t.{scope} = '{workspace}'{}
             WHERE ((t.xmin::text::bigint - $1) & 4294967295) < 2147483648 AND ({}) ORDER BY 1 LIMIT 100",
            same_key.collect::<String>(),
            differs.collect::<Vec<_>>().join(" OR "),
        );
        let differing = if table.has_triggers { String::new() } else { differing };
        let others = table.columns.iter().filter(|column| column.kind == ColumnKind::Other);
        let invalid = others.map(|column| {
            let (value, of_type) = (staged(column), escape_literal(&column.type_name));
            format!("WHEN NOT pg_input_is_valid({value}, {of_type}) THEN {}", escape_literal(&column.name))
        });
        let invalid_column =
            format!("SELECT CASE {} WHEN false THEN NULL END FROM {stage} s", invalid.collect::<Vec<_>>().join(" "));
        Self { differing, invalid_column }
    }
}

fn stage_name(number: usize) -> String {
    format!("workspace_db_transfer_{number}")
}

/// Insertion into tables that refer to each other, in one statement, because foreign keys are checked at its end.
pub(super) struct CyclicInsert<'s> {
    stages: Vec<(usize, &'s Stage)>,
}

impl<'s> CyclicInsert<'s> {
    pub(super) fn new() -> Self {
        Self { stages: Vec::new() }
    }

    /// Adds rows of one of the tables, which `number` identifies.
    pub(super) async fn add(
        &mut self,
        transaction: &Transaction<'_>,
        number: usize,
        stage: &'s Stage,
        tuples: Tuples,
    ) -> Result<()> {
        let collected = async {
            if self.stages.iter().all(|(known, _)| *known != number) {
                transaction.batch_execute(&stage.create).await?;
                self.stages.push((number, stage));
            }
            stage.collect(transaction, tuples).await
        };
        collected.await.map_err(refused)
    }

    pub(super) async fn write(self, transaction: &Transaction<'_>) -> Result<()> {
        let written = async {
            let mut disabled = Vec::new();
            for (_, stage) in &self.stages {
                disabled.push(disable_triggers(transaction, stage.disables.as_deref()).await?);
            }
            let inserts: Vec<String> =
                self.stages.iter().map(|(number, stage)| format!("i{number} AS ({})", stage.insert)).collect();
            transaction.batch_execute(&format!("WITH {} SELECT", inserts.join(", "))).await?;
            for disabled in disabled {
                enable_triggers(transaction, disabled).await?;
            }
            Ok(())
        };
        written.await.map_err(refused)
    }
}

/// Table whose triggers are disabled, with their names.
type Disabled = Option<(String, Vec<String>)>;

/// Disables the triggers of a table until the transaction [enables](enable_triggers) them or ends.
pub(super) async fn disable_triggers(
    transaction: &Transaction<'_>,
    table: Option<&str>,
) -> Result<Disabled, tokio_postgres::Error> {
    let Some(table) = table else { return Ok(None) };
    let disable = "SELECT workspace_db_disable_triggers($1::text::regclass)";
    let names = transaction.query_one(disable, &[&table]).await?.get(0);
    Ok(Some((table.to_owned(), names)))
}

pub(super) async fn enable_triggers(
    transaction: &Transaction<'_>,
    disabled: Disabled,
) -> Result<(), tokio_postgres::Error> {
    let Some((table, names)) = disabled else { return Ok(()) };
    // PostgreSQL can't alter a table that has pending trigger events, such as deferred checks.
    transaction.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await?;
    let enable = "SELECT workspace_db_enable_triggers($1::text::regclass, $2)";
    transaction.query_one(enable, &[&table, &names]).await.map(drop)
}

/// Converts an error, and adds PostgreSQL's detail about the row.
fn refused(error: tokio_postgres::Error) -> Error {
    let detail = error.as_db_error().and_then(|said| said.detail()).map(|detail| format!(" ({detail})"));
    let error = Error::from(error);
    match detail {
        Some(detail) => Error::new(error.kind(), format!("{error}{detail}")).caused_by(error),
        None => error,
    }
}
