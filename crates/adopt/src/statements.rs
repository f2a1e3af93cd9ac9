//! The SQL that copies and compares a table of the old platform.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::conversion::{Conversion, staged};
use super::conversion_options::ConversionOptions;
use super::mapping::{ColumnMapping, NullValue, ReplayStrategy, TableMapping, ValueKind};
use super::source_schema::SourceTable;
use super::target_schema::TargetTable;

const KEY_TAKEN: &str = "another row has its unique key";

/// Statements of one table, from the mapping and the columns that source and target have.
pub(super) struct TableStatements {
    pub(super) mapping: &'static TableMapping,
    columns: Vec<(&'static ColumnMapping, Conversion)>,
    /// Rows that are written with another value: the condition on `o`, and the reason.
    altered: Vec<(String, String)>,
    target: TargetTable,
    /// All columns of the old table.
    source_columns: Vec<String>,
    is_utf8: bool,
}

impl TableStatements {
    pub(super) fn new(
        mapping: &'static TableMapping,
        source: &SourceTable,
        target: TargetTable,
        options: ConversionOptions,
        is_utf8: bool,
    ) -> Self {
        let columns = mapping.columns.iter().map(|column| (column, Conversion::new(column, source, options))).collect();
        let mut altered: Vec<(String, String)> =
            mapping.altered.iter().map(|(condition, reason)| ((*condition).to_owned(), (*reason).to_owned())).collect();
        if let Some(lost) = lost_values(mapping, source, options) {
            let reason = format!("the new table has no place for its {}", source.unknown.join(", "));
            altered.push((lost, reason));
        }
        let source_columns = source.columns().map(str::to_owned).collect();
        Self { mapping, columns, altered, target, source_columns, is_utf8 }
    }

    /// Returns the SQL that creates the temporary tables of a batch.
    pub(super) fn stage(&self) -> String {
        let columns =
            self.columns.iter().map(|(column, of)| format!("{} {}", escape_identifier(column.name), of.staged));
        let altered = (0..self.altered.len()).map(|number| format!("workspace_db_altered_{number} boolean"));
        format!(
            "CREATE TEMPORARY TABLE workspace_db_adopting ({}) ON COMMIT DROP;
             CREATE TEMPORARY TABLE workspace_db_adopting_aside
                (key uuid, reason text, is_kept boolean, is_relative boolean, cleared text) ON COMMIT DROP",
            columns.chain(altered).collect::<Vec<_>>().join(", ")
        )
    }

    /// Returns the columns to select from the source.
    pub(super) fn selected(&self) -> String {
        let columns = self.columns.iter().map(|(_, of)| of.read.clone());
        let altered = self.altered.iter().map(|(condition, _)| format!("coalesce(({condition}), false)"));
        columns.chain(altered).collect::<Vec<_>>().join(", ")
    }

    /// Returns the SQL that sets invalid rows aside and writes the others, over existing ones if the rows come again.
    pub(super) fn write(&self, comes_again: bool) -> String {
        let mut statements = self.refuse(comes_again);
        statements.extend(self.clear());
        statements.extend(self.check());
        statements.extend(self.note_altered());
        if comes_again {
            statements.extend(self.delete());
        }
        statements.push(self.insert(comes_again));
        statements.join(";\n")
    }

    /// Sets aside the rows that can't be written.
    fn refuse(&self, comes_again: bool) -> Vec<String> {
        let mut rules: Vec<(String, String, bool)> = Vec::new();
        for (column, of) in &self.columns {
            if column.null == NullValue::Refused && column.kind != ValueKind::Vector {
                rules.push((format!("{} IS NULL", staged(column)), format!("it has no {}", column.name), false));
            }
            if let (Some(misfit), false) = (&of.misfit, column.null == NullValue::Kept) {
                rules.push((misfit.clone(), misfit_reason(column), false));
            }
        }
        let own = self.mapping.refused.iter();
        rules.splice(0..0, own.map(|rule| (rule.condition.to_owned(), rule.reason.to_owned(), rule.is_relative)));
        if let (true, ReplayStrategy::Parked { is_taken, .. }) = (comes_again, self.mapping.again) {
            rules.push((is_taken.to_owned(), KEY_TAKEN.to_owned(), true));
        }
        let case = |of: &dyn Fn(&(String, String, bool)) -> String| {
            let branches = rules.iter().map(|rule| format!("WHEN {} THEN {}", rule.0, of(rule)));
            branches.collect::<Vec<_>>().join(" ")
        };
        let (reasons, relative) = (case(&|rule| escape_literal(&rule.1)), case(&|rule| rule.2.to_string()));
        if rules.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "INSERT INTO workspace_db_adopting_aside SELECT key, reason, false, is_relative, NULL FROM (
                SELECT s.{} AS key, CASE {reasons} END AS reason, CASE {relative} END AS is_relative
                FROM workspace_db_adopting s
             ) AS why WHERE reason IS NOT NULL",
            self.mapping.key
        )]
    }

    /// Sets aside the rows that lose a value, with the column that becomes NULL.
    fn clear(&self) -> Vec<String> {
        let misfits = self.columns.iter().filter(|(column, _)| column.null == NullValue::Kept);
        let misfits = misfits.filter_map(|(column, of)| {
            let condition = of.misfit.clone()?;
            Some(self.aside(
                &format!("{} IS NOT NULL AND {condition}", staged(column)),
                &misfit_reason(column),
                false,
                None,
            ))
        });
        let references = self.mapping.cleared.iter().map(|(column, rule)| {
            let condition = format!("s.{column} IS NOT NULL AND {}", rule.condition);
            self.aside(&condition, rule.reason, rule.is_relative, Some(column))
        });
        misfits.chain(references).collect()
    }

    /// Applies the CHECKs of the new table: a value that may be NULL is cleared, and any other row is set aside.
    fn check(&self) -> Vec<String> {
        let key = self.mapping.key;
        let mut values: Vec<String> = self.columns.iter().map(|(column, _)| self.value_as(column)).collect();
        values.extend(self.target.others.iter().map(|(name, value)| format!("{value} AS {}", escape_identifier(name))));
        let (clearing, refusing): (Vec<_>, Vec<_>) =
            self.target.checks.iter().partition(|check| check.clears.is_some());
        let mut statements = Vec::new();
        // A row that loses a value may satisfy the other constraints afterwards.
        for (checks, is_kept) in [(clearing, true), (refusing, false)] {
            if checks.is_empty() {
                continue;
            }
            let broken = checks.iter().map(|check| {
                let cleared = check.clears.as_deref().map_or("NULL".to_owned(), escape_literal);
                let what = check.clears.as_deref().map_or_else(|| "it".to_owned(), |column| format!("its {column}"));
                let reason = escape_literal(&format!("{what} does not satisfy {}: {}", check.name, check.condition));
                format!("({reason}, {cleared}, ({}) IS FALSE)", check.condition)
            });
            statements.push(format!(
                "INSERT INTO workspace_db_adopting_aside
                 SELECT n.workspace_db_key, b.reason, {is_kept}, false, b.cleared
                 FROM (SELECT s.{key} AS workspace_db_key, {} FROM workspace_db_adopting s WHERE {}) AS n
                 CROSS JOIN LATERAL (VALUES {}) AS b (reason, cleared, is_broken) WHERE b.is_broken",
                values.join(", "),
                self.is_written(),
                broken.collect::<Vec<_>>().join(", ")
            ));
        }
        statements
    }

    /// Sets aside the old values of rows that are written with other ones.
    fn note_altered(&self) -> Vec<String> {
        let unreadable = self.columns.iter().filter(|(column, _)| readable(column).is_some()).map(|(column, of)| {
            let condition = format!("NOT workspace_db_is_readable({})", of.write);
            let reason =
                format!("programs can't read its {}; the new row has a text or the nearest time instead", column.name);
            (condition, reason)
        });
        let rewritten = self.columns.iter().filter_map(|(_, of)| of.altered.clone());
        let altered = self.altered.iter().enumerate();
        let altered = altered.map(|(number, (_, reason))| (format!("s.workspace_db_altered_{number}"), reason.clone()));
        let all = unreadable.chain(rewritten).chain(altered);
        all.map(|(condition, reason)| self.aside(&condition, &reason, false, None)).collect()
    }

    fn aside(&self, condition: &str, reason: &str, is_relative: bool, cleared: Option<&str>) -> String {
        format!(
            "INSERT INTO workspace_db_adopting_aside SELECT s.{}, {}, true, {is_relative}, {}
             FROM workspace_db_adopting s WHERE ({condition}) AND {}",
            self.mapping.key,
            escape_literal(reason),
            cleared.map_or("NULL".to_owned(), escape_literal),
            self.is_written()
        )
    }

    /// Returns the condition that a row is not set aside as a whole.
    fn is_written(&self) -> String {
        format!(
            "NOT EXISTS (SELECT FROM workspace_db_adopting_aside a WHERE a.key = s.{} AND NOT a.is_kept)",
            self.mapping.key
        )
    }

    /// Deletes the earlier copies of rows that come again, if they are set aside now or written anew.
    fn delete(&self) -> Vec<String> {
        let TableMapping { table, key, again, .. } = self.mapping;
        let aside = "SELECT FROM workspace_db_adopting_aside a WHERE NOT a.is_kept AND a.key";
        let mut statements = vec![format!("DELETE FROM {table} n WHERE EXISTS ({aside} = n.{key})")];
        if let ReplayStrategy::Anew = again {
            statements.push(format!(
                "DELETE FROM {table} n WHERE EXISTS (SELECT FROM workspace_db_adopting s WHERE s.{key} = n.{key})"
            ));
        }
        statements
    }

    fn insert(&self, comes_again: bool) -> String {
        let TableMapping { table, key, again, .. } = self.mapping;
        let names: Vec<String> = self.columns.iter().map(|(column, _)| escape_identifier(column.name)).collect();
        let values: Vec<String> = self.columns.iter().map(|(column, of)| self.value(column, of)).collect();
        let on_conflict = if comes_again && !matches!(again, ReplayStrategy::Anew) {
            let primary = if *key == "id" && self.has_column("workspace_id") { "workspace_id, id" } else { key };
            let set = names.iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect::<Vec<_>>().join(", ");
            format!("ON CONFLICT ({primary}) DO UPDATE SET {set}")
        } else {
            "ON CONFLICT DO NOTHING".to_owned()
        };
        let is_written = self.is_written();
        format!(
            "WITH written AS (
                INSERT INTO {table} ({}) SELECT {} FROM workspace_db_adopting s WHERE {is_written} {on_conflict} RETURNING {key}
             )
             INSERT INTO workspace_db_adopting_aside
                SELECT s.{key}, '{KEY_TAKEN}', false, true, NULL FROM workspace_db_adopting s
                WHERE {is_written} AND NOT EXISTS (SELECT FROM written w WHERE w.{key} = s.{key})",
            names.join(", "),
            values.join(", ")
        )
    }

    /// Returns the value that is written into a column.
    fn value(&self, column: &ColumnMapping, of: &Conversion) -> String {
        let value = match readable(column) {
            Some(replacement) => {
                let replacement = replacement.replace("{value}", &of.write);
                format!("CASE WHEN workspace_db_is_readable({0}) IS FALSE THEN {replacement} ELSE {0} END", of.write)
            }
            None => of.write.clone(),
        };
        let is_cleared = self.mapping.cleared.iter().any(|(name, _)| *name == column.name)
            || self.target.checks.iter().any(|check| check.clears.as_deref() == Some(column.name));
        if !is_cleared {
            return value;
        }
        format!(
            "CASE WHEN NOT EXISTS (SELECT FROM workspace_db_adopting_aside a WHERE a.key = s.{} AND a.cleared = '{}')
             THEN {value} END",
            self.mapping.key, column.name
        )
    }

    fn value_as(&self, column: &'static ColumnMapping) -> String {
        let of = self.columns.iter().find(|(other, _)| other.name == column.name);
        let value = of.map(|(column, of)| self.value(column, of)).unwrap_or_default();
        format!("({value})::{} AS {}", column.target_type, escape_identifier(column.name))
    }

    pub(super) fn has_column(&self, name: &str) -> bool {
        self.mapping.columns.iter().any(|column| column.name == name)
    }

    /// Returns the SQL that frees the unique keys of rows that come again, so that they don't conflict with one another.
    pub(super) fn park(&self) -> Option<String> {
        let TableMapping { table, key, again, .. } = self.mapping;
        match again {
            ReplayStrategy::Over => None,
            ReplayStrategy::Anew => Some(format!("DELETE FROM {table} WHERE {key} = ANY ($1)")),
            ReplayStrategy::Parked { assignment, .. } => {
                Some(format!("UPDATE {table} SET {assignment} WHERE {key} = ANY ($1)"))
            }
        }
    }

    /// Returns an expression on `o` for the old row as JSON, without secrets and passwords in plain text.
    pub(super) fn old_row(&self) -> String {
        let columns = self.source_columns.iter().filter(|name| !self.mapping.sealed.contains(&name.as_str()));
        let columns = columns.map(|name| {
            let column = format!("o.{}", escape_identifier(name));
            if self.mapping.table == "admin_users" && name == "password_hash" {
                return format!(
                    r"CASE WHEN {column} ~ '^\$(2[abxy]\$|argon2)' THEN {column} ELSE 'left out, because it is not a hash' END AS password_hash"
                );
            }
            column
        });
        format!("(SELECT row_to_json(whole)::text FROM (SELECT {}) AS whole)", columns.collect::<Vec<_>>().join(", "))
    }

    /// Returns the query for the number of rows and a checksum of every column in the source.
    pub(super) fn source_checksums(&self, old: &str) -> String {
        self.checksums(&self.source_hashes(), &format!("{old}.{} o", self.mapping.table), "o")
    }

    /// Returns the same query for the target.
    pub(super) fn target_checksums(&self) -> String {
        self.checksums(&self.target_hashes(), &format!("{} n", self.mapping.table), "n")
    }

    /// Returns the query for the key of each row and a hash of all of its values in the source.
    pub(super) fn source_rows(&self, old: &str) -> String {
        self.rows(&self.source_hashes(), &format!("{old}.{} o", self.mapping.table), "o")
    }

    /// Returns the same query for the target.
    pub(super) fn target_rows(&self) -> String {
        self.rows(&self.target_hashes(), &format!("{} n", self.mapping.table), "n")
    }

    fn source_hashes(&self) -> Vec<String> {
        let key = format!("o.{}", self.mapping.key);
        self.columns.iter().map(|(column, of)| self.hash(column, &key, &format!("({})", of.expected))).collect()
    }

    fn target_hashes(&self) -> Vec<String> {
        let key = format!("n.{}", self.mapping.key);
        let of = |column: &ColumnMapping| self.hash(column, &key, &format!("n.{}", escape_identifier(column.name)));
        self.columns.iter().map(|(column, _)| of(column)).collect()
    }

    fn checksums(&self, hashes: &[String], from: &str, row: &str) -> String {
        let sums = hashes.iter().map(|hash| format!("coalesce(sum(({hash})::numeric), 0)::text"));
        format!(
            "SELECT count(*), ARRAY[{}]::text[] FROM {from} WHERE {row}.{} <> ALL ($1)",
            sums.collect::<Vec<_>>().join(", "),
            self.mapping.key
        )
    }

    fn rows(&self, hashes: &[String], from: &str, row: &str) -> String {
        let sum = hashes.iter().map(|hash| format!("coalesce(({hash})::numeric, 0)")).collect::<Vec<_>>().join(" + ");
        format!("SELECT {row}.{} AS key, ({sum})::text AS hash FROM {from}", self.mapping.key)
    }

    /// Returns a hash of a row's key and a value, which is the same in both databases, whatever their encodings and
    /// collations. It is NULL for NULL.
    fn hash(&self, column: &ColumnMapping, key: &str, value: &str) -> String {
        let of_bytes = |bytes: String| format!("('x' || left(encode(sha256({bytes}), 'hex'), 16))::bit(64)::bigint");
        match column.kind {
            // Writing a vector as text takes a millisecond.
            ValueKind::Vector => of_bytes(format!("uuid_send({key}) || vector_send({value})")),
            _ if self.is_utf8 => {
                format!("hashtextextended(({key}::text || {value}::text) COLLATE \"C\", {})", self.seed(column))
            }
            _ => of_bytes(format!("convert_to('{} ' || {key}::text || {value}::text, 'UTF8')", self.seed(column))),
        }
    }

    /// Returns the number of a column, by which equal values in two columns have different hashes.
    fn seed(&self, column: &ColumnMapping) -> usize {
        self.columns.iter().position(|(other, _)| other.name == column.name).unwrap_or_default()
    }
}

/// Returns the replacement for a value that programs can't read; `{value}` is the value. The migrations write the same one.
fn readable(column: &ColumnMapping) -> Option<&'static str> {
    match column.kind {
        ValueKind::Json => Some("jsonb_build_object('unreadable', ({value})::text)"),
        ValueKind::Time => Some("greatest(least({value}, '9999-12-31 23:59:59.999999+00'), '0001-01-01 00:00:00+00')"),
        _ => None,
    }
}

fn misfit_reason(column: &ColumnMapping) -> String {
    match column.kind {
        ValueKind::Vector => "its vector does not have 1536 dimensions".to_owned(),
        ValueKind::Label => format!("its {} is unknown", column.name),
        _ => format!("its {} does not fit into {}", column.name, column.target_type),
    }
}

/// Returns the condition on `o` that the row has a value in an unknown column, which the new row loses.
fn lost_values(mapping: &TableMapping, source: &SourceTable, options: ConversionOptions) -> Option<String> {
    if source.unknown.is_empty() {
        return None;
    }
    let has_value = source.unknown.iter().map(|name| format!("o.{} IS NOT NULL", escape_identifier(name)));
    let has_value = format!("({})", has_value.collect::<Vec<_>>().join(" OR "));
    let has_metadata = mapping.columns.iter().any(|column| column.name == "metadata");
    if !has_metadata || !source.has_room(options) {
        return Some(has_value);
    }
    source.types.get("metadata")?;
    let names: Vec<String> = source.unknown.iter().map(|name| escape_literal(name)).collect();
    let names = names.join(", ");
    Some(format!("{has_value} AND (jsonb_typeof(o.metadata) <> 'object' OR o.metadata ?| ARRAY[{names}])"))
}
