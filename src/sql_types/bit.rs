//! PostgreSQL's `bit(n)` and the distance that pgvector defines on it.

use std::io::Write as _;

use bytes::BytesMut;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::{AsExpression, Expression};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::SqlType;
use tokio_postgres::types::{FromSql as _, ToSql as _, Type};

use super::operators::vector_operator;

/// The SQL type `bit(n)`.
///
/// It is not `diesel::sql_types::Bit`, which is another name for `bytea`; import this one by name.
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1560, array_oid = 1561))]
pub struct Bit;

vector_operator!(
    /// `(left <~> right)`, created by [`hamming_distance`](BitExpressionMethods::hamming_distance).
    HammingDistance, "(", " <~> ", ")"
);

vector_operator!(
    /// `(0 + (left <~> right))`, created by [`hamming_distance_scanned`](BitExpressionMethods::hamming_distance_scanned).
    ScannedHammingDistance, "(0 + (", " <~> ", "))"
);

/// Distance operator of pgvector on every expression of type [`Bit`].
pub trait BitExpressionMethods: Expression<SqlType = Bit> + Sized {
    /// Returns `self <~> other`, the number of bits that differ. Both sides must have the same length.
    ///
    /// ```
    /// use diesel::prelude::*;
    /// use workspace_db::schema::document_chunks::dsl::*;
    /// use workspace_db::sql_types::{BitExpressionMethods, Embedding};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let question = Embedding::try_from([0.5; 1536])?;
    /// let candidates = document_chunks.order(vector_bits.hamming_distance(question.sign_bits())).select(id);
    /// assert!(diesel::debug_query::<diesel::pg::Pg, _>(&candidates).to_string().contains("<~>"));
    /// # Ok(())
    /// # }
    /// ```
    fn hamming_distance<T: AsExpression<Bit>>(self, other: T) -> HammingDistance<Self, T::Expression> {
        HammingDistance::new(self, other.as_expression())
    }

    /// Returns the same number in a form that no index supports. A query that is ordered by it reads every row that its
    /// filters leave, and is exact.
    fn hamming_distance_scanned<T: AsExpression<Bit>>(self, other: T) -> ScannedHammingDistance<Self, T::Expression> {
        ScannedHammingDistance::new(self, other.as_expression())
    }
}

impl<E: Expression<SqlType = Bit>> BitExpressionMethods for E {}

/// Sign bits of an embedding's components, one bit each: 1 if the component is above zero.
///
/// [`Embedding::sign_bits`](super::Embedding::sign_bits) creates them.
#[derive(Clone, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Bit)]
pub struct SignBits(pgvector::Bit);

impl SignBits {
    pub(super) fn from_components(components: &[f32]) -> Self {
        let signs: Vec<bool> = components.iter().map(|&x| x > 0.0).collect();
        Self(pgvector::Bit::new(&signs))
    }

    /// Returns the number of bits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no bits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ToSql<Bit, Pg> for SignBits {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let mut buffer = BytesMut::new();
        self.0.to_sql(&Type::BIT, &mut buffer)?;
        out.write_all(&buffer)?;
        Ok(IsNull::No)
    }
}

impl FromSql<Bit, Pg> for SignBits {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(pgvector::Bit::from_sql(&Type::BIT, value.as_bytes())?))
    }
}
