//! The SQL that copies a table of the old platform.

use super::mapping::{ColumnMapping, ReplayStrategy, TableMapping};
use postgres_protocol::escape::escape_literal;

const KEY_TAKEN: &str = "another row has its unique key";

impl ColumnMapping {
    fn old(&self) -> String {
        match self.old {
            Some(old) => old.to_owned(),
            None if self.comes_as == "text" && self.is_written_as != "text" => format!("o.\"{}\"::text", self.name),
            None => format!("o.\"{}\"", self.name),
        }
    }

    fn hash(&self, value: &str) -> String {
        match self.is_written_as {
            // Writing a vector as text takes a millisecond.
            "vector" => format!("('x' || left(encode(sha256(vector_send({value})), 'hex'), 16))::bit(64)::bigint"),
            _ => format!("hashtextextended({value}::text, 0)"),
        }
    }
}

impl ColumnMapping {
    /// Returns the replacement for a value that programs can't read. The migration writes the same replacement.
    fn when_unreadable(&self) -> Option<String> {
        match self.comes_as {
            "jsonb" => Some(format!("jsonb_build_object('unreadable', s.\"{}\"::text)", self.name)),
            "timestamptz" => Some(format!(
                "greatest(least(s.\"{}\", '9999-12-31 23:59:59.999999+00'), '0001-01-01 00:00:00+00')",
                self.name
            )),
            _ => None,
        }
    }
}

impl TableMapping {
    /// Returns the SQL that creates the temporary tables of a batch.
    pub(super) fn stage(&self) -> String {
        let columns = self.columns.iter().map(|column| format!("\"{}\" {}", column.name, column.comes_as));
        format!(
            "CREATE TEMPORARY TABLE workspace_db_adopting ({}) ON COMMIT DROP;
             CREATE TEMPORARY TABLE workspace_db_adopting_aside (key uuid, reason text, is_kept boolean) ON COMMIT DROP",
            columns.collect::<Vec<_>>().join(", ")
        )
    }

    /// Returns the columns to select from the source.
    pub(super) fn selected(&self) -> String {
        self.columns.iter().map(ColumnMapping::old).collect::<Vec<_>>().join(", ")
    }

    /// Returns the SQL that sets invalid rows aside and writes the others, over existing ones if the rows come again.
    pub(super) fn write(&self, comes_again: bool) -> String {
        let (table, key) = (self.table, self.key);
        let mut statements = Vec::new();
        let mut refused: Vec<(&str, &str)> = self.refused.to_vec();
        if let (true, ReplayStrategy::Parked { is_taken, .. }) = (comes_again, self.again) {
            refused.push((is_taken, KEY_TAKEN));
        }
        if !refused.is_empty() {
            let cases =
                refused.iter().map(|(condition, reason)| format!("WHEN {condition} THEN {}", escape_literal(reason)));
            statements.push(format!(
                "INSERT INTO workspace_db_adopting_aside SELECT key, reason, false FROM (
                    SELECT s.{key} AS key, CASE {} END AS reason FROM workspace_db_adopting s
                 ) AS why WHERE reason IS NOT NULL",
                cases.collect::<Vec<_>>().join(" ")
            ));
        }
        let is_taken =
            format!("NOT EXISTS (SELECT FROM workspace_db_adopting_aside a WHERE a.key = s.{key} AND NOT a.is_kept)");
        for (column, condition, reason) in self.cleared {
            statements.push(format!(
                "INSERT INTO workspace_db_adopting_aside SELECT s.{key}, {}, true FROM workspace_db_adopting s
                 WHERE s.{column} IS NOT NULL AND {condition} AND {is_taken}",
                escape_literal(reason)
            ));
        }
        for column in self.columns.iter().filter(|column| column.when_unreadable().is_some()) {
            let reason =
                format!("programs can't read its {}; the new row has a text or the nearest time instead", column.name);
            statements.push(format!(
                "INSERT INTO workspace_db_adopting_aside SELECT s.{key}, {}, true FROM workspace_db_adopting s
                 WHERE NOT workspace_db_is_readable(s.\"{}\") AND {is_taken}",
                escape_literal(&reason),
                column.name
            ));
        }
        if comes_again {
            let was = "SELECT FROM workspace_db_adopting_aside a WHERE NOT a.is_kept AND a.key";
            statements.push(format!("DELETE FROM {table} n WHERE EXISTS ({was} = n.{key})"));
            if let ReplayStrategy::Anew = self.again {
                statements.push(format!(
                    "DELETE FROM {table} n WHERE EXISTS (SELECT FROM workspace_db_adopting s WHERE s.{key} = n.{key})"
                ));
            }
        }
        let names = self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>();
        let values = self.columns.iter().map(|column| {
            let value = if column.comes_as == column.is_written_as {
                format!("s.\"{}\"", column.name)
            } else {
                format!("s.\"{}\"::{}", column.name, column.is_written_as)
            };
            match self.cleared.iter().find(|(name, ..)| *name == column.name) {
                Some((_, condition, _)) => format!("CASE WHEN NOT ({condition}) THEN {value} END"),
                None => match column.when_unreadable() {
                    Some(other) => {
                        format!("CASE WHEN workspace_db_is_readable({value}) IS FALSE THEN {other} ELSE {value} END")
                    }
                    None => value,
                },
            }
        });
        let on_conflict = if comes_again && !matches!(self.again, ReplayStrategy::Anew) {
            let primary = if key == "id" && self.columns.iter().any(|column| column.name == "workspace_id") {
                "workspace_id, id"
            } else {
                key
            };
            let set = names.iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect::<Vec<_>>().join(", ");
            format!("ON CONFLICT ({primary}) DO UPDATE SET {set}")
        } else {
            "ON CONFLICT DO NOTHING".to_owned()
        };
        statements.push(format!(
            "WITH written AS (
                INSERT INTO {table} ({}) SELECT {} FROM workspace_db_adopting s WHERE {is_taken} {on_conflict} RETURNING {key}
             )
             INSERT INTO workspace_db_adopting_aside
                SELECT s.{key}, '{KEY_TAKEN}', false FROM workspace_db_adopting s
                WHERE {is_taken} AND NOT EXISTS (SELECT FROM written w WHERE w.{key} = s.{key})",
            names.join(", "),
            values.collect::<Vec<_>>().join(", ")
        ));
        statements.join(";\n")
    }

    /// Returns the SQL that gives repeated rows a temporary unique key, so that they don't conflict with one another.
    pub(super) fn park(&self) -> Option<String> {
        let ReplayStrategy::Parked { assignment, .. } = self.again else { return None };
        Some(format!("UPDATE {} SET {assignment} WHERE {} = ANY ($1)", self.table, self.key))
    }

    /// Returns the query for the number of rows and a checksum of every column in the source.
    pub(super) fn source_checksums(&self, old: &str) -> String {
        let sums = self.columns.iter().map(|column| sum(&column.hash(&format!("({})", column.old()))));
        summed(sums, &format!("{old}.{} o", self.table), &format!("o.{}", self.key))
    }

    /// Returns the same query for the target.
    pub(super) fn target_checksums(&self) -> String {
        let sums = self.columns.iter().map(|column| sum(&column.hash(&format!("n.\"{}\"", column.name))));
        summed(sums, &format!("{} n", self.table), &format!("n.{}", self.key))
    }
}

fn sum(hash: &str) -> String {
    format!("coalesce(sum(({hash})::numeric), 0)::text")
}

fn summed(sums: impl Iterator<Item = String>, from: &str, key: &str) -> String {
    let sums: Vec<String> = sums.collect();
    format!("SELECT count(*), ARRAY[{}]::text[] FROM {from} WHERE {key} <> ALL ($1)", sums.join(", "))
}
