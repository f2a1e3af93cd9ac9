//! `text[]` without null elements.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Array, Nullable, Text};
use serde::{Deserialize, Serialize};

/// A list of texts for a column of type `text[]`.
///
/// A type of PostgreSQL can't state that no element is null, so `schema.rs` has `Array<Nullable<Text>>`. A CHECK on
/// each such column rejects nulls, and so does this type when it reads one.
///
/// ```
/// use workspace_db::sql_types::TextArray;
///
/// let events = TextArray::from_iter(["message.created"]);
/// assert_eq!(events.0, ["message.created"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = Array<Nullable<Text>>)]
#[serde(transparent)]
pub struct TextArray(pub Vec<String>);

impl<T: Into<String>> FromIterator<T> for TextArray {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        Self(texts.into_iter().map(Into::into).collect())
    }
}

impl ToSql<Array<Nullable<Text>>, Pg> for TextArray {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let elements: Vec<Option<&str>> = self.0.iter().map(|text| Some(text.as_str())).collect();
        ToSql::<Array<Nullable<Text>>, Pg>::to_sql(&elements, &mut out.reborrow())
    }
}

impl FromSql<Array<Nullable<Text>>, Pg> for TextArray {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let elements: Vec<Option<String>> = FromSql::<Array<Nullable<Text>>, Pg>::from_sql(value)?;
        let texts = elements.into_iter().collect::<Option<Vec<_>>>();
        Ok(Self(texts.ok_or("an element of the array is NULL, which its CHECK constraint forbids")?))
    }
}
