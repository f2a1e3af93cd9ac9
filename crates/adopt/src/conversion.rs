//! The conversion of a value from the type in the source to the type in the target.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::conversion_options::ConversionOptions;
use super::mapping::{ColumnMapping, NullValue, ValueKind};
use super::source_schema::SourceTable;

/// Number of dimensions of the target's vectors.
const DIMENSIONS: u32 = 1536;
/// Model whose vectors keep their meaning if only their first dimensions are kept. Source: OpenAI, "New embedding models
/// and API updates", 2024-01-25, which describes the parameter `dimensions` of `text-embedding-3-large`.
const SHORTENABLE_MODEL: &str = "text-embedding-3-large";
/// Number of dimensions of that model.
const LONG_DIMENSIONS: u32 = 3072;

/// A column on its way: read from `o`, the old row, staged in `s`, and written.
pub(super) struct Conversion {
    /// Expression on `o`.
    pub(super) read: String,
    /// Type of the staged value.
    pub(super) staged: &'static str,
    /// Expression on `s`, of the target's type. It is NULL for a value that does not fit.
    pub(super) write: String,
    /// Expression on `o` that has the value of the target, for the checksum.
    pub(super) expected: String,
    /// Condition on `s` that the value does not fit.
    pub(super) misfit: Option<String>,
    /// Condition on `s` that the value is written in another form.
    pub(super) altered: Option<(String, String)>,
}

impl Conversion {
    pub(super) fn new(column: &ColumnMapping, source: &SourceTable, options: ConversionOptions) -> Self {
        let (o, s) = (format!("o.{}", escape_identifier(column.name)), staged(column));
        let source_type = source.types.get(column.name).map_or("", String::as_str);
        let whole = |read: String, staged| Self {
            expected: read.clone(),
            read,
            staged,
            write: s.clone(),
            misfit: None,
            altered: None,
        };
        let mut conversion = match (column.old, column.kind) {
            (Some(old), ValueKind::Label) => whole(format!("({old})"), "text"),
            (Some(old), _) => whole(format!("({old})::{}", column.target_type), column.target_type),
            (None, ValueKind::Json) if source_type.is_empty() => whole("'{}'::jsonb".to_owned(), "jsonb"),
            (None, ValueKind::Uuid) => whole(o.clone(), "uuid"),
            (None, ValueKind::Text | ValueKind::Label) => whole(format!("{o}::text"), "text"),
            (None, ValueKind::Bool) => whole(o.clone(), "boolean"),
            (None, ValueKind::Integer) => match (source_type, column.target_type) {
                ("int2", "smallint") | ("int4", "integer") => whole(o.clone(), column.target_type),
                _ => whole(format!("trim_scale({o}::numeric)"), "numeric"),
            },
            (None, ValueKind::Float) => whole(format!("{o}::float8"), "double precision"),
            (None, ValueKind::Time) => whole(time(column.name, source), "timestamptz"),
            (None, ValueKind::Json) if source_type == "jsonb" => whole(o.clone(), "jsonb"),
            (None, ValueKind::Json) => {
                let text = format!("nullif(btrim({o}::text), '')");
                Self { expected: format!("{text}::jsonb"), ..whole(text, "text") }
            }
            (None, ValueKind::TextArray) => match source_type {
                "_text" | "_varchar" => whole(format!("{o}::text[]"), "text[]"),
                // Only empty ones are compared; the old values of the others are set aside.
                _ => Self { expected: "'{}'::text[]".to_owned(), ..whole(format!("{o}::text"), "text") },
            },
            (None, ValueKind::Vector) => whole(format!("{o}::vector"), "vector"),
        };
        conversion.fit(column, options);
        conversion.keep_unknown(column, source, options);
        conversion.fill(column, source);
        conversion
    }

    /// Adds the condition under which a value fits, and the cast.
    fn fit(&mut self, column: &ColumnMapping, options: ConversionOptions) {
        let (s, target) = (staged(column), column.target_type);
        match (column.kind, self.staged) {
            (ValueKind::Label, _) => self.fits_if(&format!("{s} = ANY (enum_range(NULL::{target})::text[])"), target),
            (ValueKind::Integer, "numeric") => {
                self.fits_if(&is_integer(&s, target), target);
            }
            (ValueKind::Json, "text") => self.fits_if(&format!("pg_input_is_valid({s}, 'jsonb')"), "jsonb"),
            (ValueKind::TextArray, "text[]") => {
                self.write = format!("ARRAY(SELECT one FROM unnest({s}) AS one WHERE one IS NOT NULL)");
                let reason =
                    format!("its {} have several dimensions or NULLs; the new row has a plain list", column.name);
                self.altered = Some((is_no_plain_list(&s, true), reason));
            }
            (ValueKind::TextArray, _) => {
                self.write = format!(
                    "CASE WHEN left(ltrim({s}), 1) = '[' AND pg_input_is_valid({s}, 'jsonb')
                            THEN ARRAY(SELECT one FROM jsonb_array_elements_text({s}::jsonb) AS one WHERE one IS NOT NULL)
                        WHEN left(ltrim({s}), 1) = '{{' AND pg_input_is_valid({s}, 'text[]')
                            THEN ARRAY(SELECT one FROM unnest({s}::text[]) AS one WHERE one IS NOT NULL)
                        ELSE ARRAY(SELECT btrim(one) FROM unnest(string_to_array({s}, ',')) AS one WHERE btrim(one) <> '') END"
                );
                let reason = format!("its {} were a text; the new row has a list", column.name);
                self.altered = Some((is_no_plain_list(&s, false), reason));
            }
            (ValueKind::Vector, _) => {
                if options.can_shorten {
                    self.read = format!(
                        "CASE WHEN {} THEN l2_normalize(subvector({1}, 1, {DIMENSIONS})) ELSE {1} END",
                        is_shortenable("o"),
                        self.read
                    );
                    self.expected.clone_from(&self.read);
                }
                self.misfit = Some(format!("{s} IS NULL OR vector_dims({s}) <> {DIMENSIONS}"));
            }
            _ => {}
        }
    }

    fn fits_if(&mut self, condition: &str, target: &str) {
        self.write = format!("CASE WHEN {condition} THEN {}::{target} END", self.write);
        self.misfit = Some(format!("({condition}) IS FALSE"));
    }

    /// Adds the values of unknown columns to metadata that is an object. Its own keys take precedence.
    fn keep_unknown(&mut self, column: &ColumnMapping, source: &SourceTable, options: ConversionOptions) {
        if column.name != "metadata" || !source.has_room(options) {
            return;
        }
        let others = source.unknown.iter().map(|name| {
            let value = format!("o.{}", escape_identifier(name));
            format!(
                "CASE WHEN {value} IS NULL THEN '{{}}' ELSE jsonb_build_object({}, {value}) END",
                escape_literal(name)
            )
        });
        let others = others.collect::<Vec<_>>().join(" || ");
        let own = format!("coalesce({}, '{{}}')", self.expected);
        self.read = format!("CASE jsonb_typeof({own}) WHEN 'object' THEN {others} || {own} ELSE {own} END");
        self.expected.clone_from(&self.read);
    }

    /// Replaces NULL where the target has none.
    fn fill(&mut self, column: &ColumnMapping, source: &SourceTable) {
        let value = match column.null {
            NullValue::Becomes(value) => escape_literal(value),
            NullValue::Earlier => {
                let known = ["created_at", "updated_at"].into_iter().filter(|name| source.types.contains_key(*name));
                let known = known.map(|name| time(name, source));
                known.chain(["'epoch'::timestamptz".to_owned()]).collect::<Vec<_>>().join(", ")
            }
            NullValue::Kept | NullValue::Refused => return,
        };
        self.read = format!("coalesce({}, {value})", self.read);
        self.expected = format!("coalesce({}, {value})", self.expected);
    }
}

/// Returns the staged value of a column.
pub(super) fn staged(column: &ColumnMapping) -> String {
    format!("s.{}", escape_identifier(column.name))
}

/// Returns the condition that a number is a value of `smallint` or `integer`.
pub(super) fn is_integer(value: &str, target: &str) -> String {
    let (least, greatest) =
        if target == "smallint" { (i16::MIN.into(), i16::MAX.into()) } else { (i32::MIN, i32::MAX) };
    format!("{value} = trunc({value}) AND {value} BETWEEN {least} AND {greatest}")
}

/// Returns the time in a column of `o`. The old application wrote times without a zone in UTC.
fn time(name: &str, source: &SourceTable) -> String {
    let column = format!("o.{}", escape_identifier(name));
    match source.types.get(name).map(String::as_str) {
        Some("timestamptz") => column,
        _ => format!("({column}::timestamp AT TIME ZONE 'UTC')"),
    }
}

/// Returns the condition that a chunk of the old table, under this alias, has a vector that can be shortened.
pub(super) fn is_shortenable(alias: &str) -> String {
    format!(
        "vector_dims({alias}.vector) = {LONG_DIMENSIONS}
         AND coalesce({alias}.embedding_model::text, '{SHORTENABLE_MODEL}') = '{SHORTENABLE_MODEL}'"
    )
}

/// Returns the condition that a value is neither NULL nor a list of texts in one dimension without NULLs. A value that is
/// no array must be empty.
pub(super) fn is_no_plain_list(value: &str, is_array: bool) -> String {
    if !is_array {
        return format!("btrim({value}::text) NOT IN ('', '[]', '{{}}')");
    }
    format!(
        "array_ndims({value}) > 1 OR array_lower({value}, 1) <> 1
         OR EXISTS (SELECT FROM unnest({value}) AS one WHERE one IS NULL)"
    )
}
