//! The kind of a column's content, which determines how a value is selected and shown.

use super::secrets::is_secret;
use postgres_protocol::escape::escape_identifier;

/// Columns that hold a secret or its hash, whatever their type, by table.
const SECRETS: &[(&str, &str)] = &[
    ("admin_tokens", "token_hash"),
    ("admin_users", "password_hash"),
    ("jobs", "lease_token"),
    ("login_throttles", "key"),
    ("service_tokens", "token_hash"),
    ("webhook_subscriptions", "secret"),
    ("workspace_admins", "invitation_hash"),
    ("workspace_settings", "webhook_secret"),
];
/// Maximum characters of a value in a list.
pub(super) const SHORT: usize = 160;
/// Maximum characters of a value on a page of its own.
pub(super) const LONG: usize = 60_000;
/// Number of a vector's components that a list selects.
const STRIP: usize = 32;

/// Kind of a column's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// Secret, never shown.
    Secret,
    Text,
    Json,
    Vector,
    Bits,
    Words,
    Time,
    Bool,
    Number,
    Uuid,
    Bytes,
    Enum,
    Other,
}

impl ColumnKind {
    pub(super) fn new(table: &str, column: &str, of_type: &str, is_enum: bool) -> Self {
        let base = of_type.split('(').next().unwrap_or(of_type).trim();
        match base {
            _ if SECRETS.contains(&(table, column)) => Self::Secret,
            _ if is_enum => Self::Enum,
            "timestamp with time zone" | "timestamp without time zone" | "timestamp" | "date" => Self::Time,
            "boolean" => Self::Bool,
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => Self::Number,
            // Flags, times and numbers only describe a secret. Any other column with the name of a secret is one.
            _ if is_secret(column) => Self::Secret,
            "text" | "character varying" | "character" | "citext" => Self::Text,
            "json" | "jsonb" => Self::Json,
            "vector" => Self::Vector,
            "bit" | "bit varying" => Self::Bits,
            "tsvector" => Self::Words,
            "uuid" => Self::Uuid,
            "bytea" => Self::Bytes,
            _ => Self::Other,
        }
    }

    /// Returns true if rows can be sorted by the column.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Self::Text | Self::Time | Self::Bool | Self::Number | Self::Uuid | Self::Enum)
    }

    /// Returns true if a list shows the column by default.
    pub(super) fn is_shown_at_first(self) -> bool {
        !matches!(self, Self::Bits | Self::Words | Self::Bytes | Self::Secret)
    }

    /// Returns the SQL of a value for a list, without more than the list shows.
    pub(super) fn short(self, column: &str) -> String {
        let name = escape_identifier(column);
        match self {
            Self::Secret => hidden(&name),
            // The size is that of the compressed value, so that a megabyte is not fetched only to be truncated.
            Self::Json => format!(
                "CASE WHEN pg_column_size({name}) <= 2000 THEN {name}::text \
                 ELSE to_json(pg_size_pretty(pg_column_size({name})::bigint) || ' of JSON')::text END"
            ),
            Self::Vector => format!(
                "round(vector_norm({name})::numeric, 4) || ' ' || vector_dims({name}) || ' ' \
                 || subvector({name}, 1, least({STRIP}, vector_dims({name})))::text"
            ),
            Self::Bytes => size(&name),
            Self::Time | Self::Bool | Self::Number | Self::Uuid | Self::Enum => format!("{name}::text"),
            Self::Text | Self::Bits | Self::Words | Self::Other => format!("left({name}::text, {})", SHORT + 1),
        }
    }

    /// Returns the SQL of a whole value, for a copy.
    pub(super) fn whole(self, column: &str) -> String {
        let name = escape_identifier(column);
        if self == Self::Secret { hidden(&name) } else { format!("{name}::text") }
    }

    /// Returns the SQL of a value for a page of its own.
    pub(super) fn long(self, column: &str) -> String {
        let name = escape_identifier(column);
        match self {
            Self::Secret => hidden(&name),
            Self::Bytes => size(&name),
            Self::Text | Self::Words | Self::Other => format!("left({name}::text, {})", LONG + 1),
            _ => format!("{name}::text"),
        }
    }
}

fn hidden(name: &str) -> String {
    format!("CASE WHEN {name} IS NOT NULL THEN '' END")
}

fn size(name: &str) -> String {
    format!("octet_length({name}) || ' bytes'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_asked_for() {
        let hash = ColumnKind::new("admin_users", "password_hash", "text", false);
        assert_eq!(hash, ColumnKind::Secret);
        assert_eq!(hash.long("password_hash"), "CASE WHEN \"password_hash\" IS NOT NULL THEN '' END");
        assert_eq!(ColumnKind::new("admin_users", "must_change_password", "boolean", false), ColumnKind::Bool);
        assert_eq!(ColumnKind::new("my_table", "resetToken", "uuid", false), ColumnKind::Secret);
        assert_eq!(ColumnKind::new("document_chunks", "token_count", "integer", false), ColumnKind::Number);
        assert_eq!(ColumnKind::new("my_table", "stripe_api_key", "text", false), ColumnKind::Secret);
        assert_eq!(ColumnKind::new("documents", "content_hash", "text", false), ColumnKind::Text);
    }

    #[test]
    fn a_type_is_known_with_its_modifier() {
        assert_eq!(ColumnKind::new("document_chunks", "vector", "vector(1536)", false), ColumnKind::Vector);
        assert_eq!(ColumnKind::new("t", "c", "character varying(20)", false), ColumnKind::Text);
    }
}
