//! Embeddings: vectors that the database accepts.

use bytes::BytesMut;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use std::fmt;
use std::io::Write as _;
use std::ops::RangeInclusive;
use tokio_postgres::types::{FromSql as _, ToSql as _, Type};

use super::{SignBits, Vector};
use crate::error::Error;

/// Number of dimensions of `document_chunks.vector`.
pub const DIMENSIONS: usize = 1536;

/// A vector of `D` finite components, with a length between 10⁻¹⁵ and 10¹⁵.
///
/// An array of another size does not compile; the size of a `Vec` is checked at run time. Both are rejected if a
/// component is NaN or infinite, or if all are zero, because such a vector has no direction. Vectors outside of these
/// lengths are rejected too. pgvector sums squares in single precision, and would compute their cosine to any vector as
/// 1 or 0.
///
/// ```
/// use workspace_db::sql_types::{Embedding, EmbeddingError};
///
/// let unit: Embedding<3> = Embedding::try_from([1.0, 0.0, 0.0])?;
/// assert_eq!(unit.as_slice(), [1.0, 0.0, 0.0]);
///
/// let short = Embedding::<3>::try_from(vec![1.0, 0.0]);
/// assert_eq!(short, Err(EmbeddingError::Dimensions { expected: 3, found: 2 }));
/// # Ok::<(), EmbeddingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Vector)]
pub struct Embedding<const D: usize = DIMENSIONS>(pgvector::Vector);

/// Reason why numbers are not an [`Embedding`], with the actual and the expected value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// The vector has too many components, or too few.
    Dimensions {
        /// Number of components that the type requires.
        expected: usize,
        /// Number of components found.
        found: usize,
    },
    /// A component is NaN or infinite.
    NotFinite {
        /// Index of the component, from 0.
        index: usize,
        /// Value of the component.
        value: f32,
    },
    /// All components are zero.
    ZeroLength {
        /// Number of components.
        dimensions: usize,
    },
    /// The vector is too short or too long for its cosine to be computed in single precision.
    Length {
        /// Length of the vector.
        length: f64,
    },
}

impl fmt::Display for EmbeddingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimensions { expected, found } => {
                write!(f, "expected an embedding of {expected} dimensions, got {found}")
            }
            Self::NotFinite { index, value } => {
                write!(f, "every component of an embedding must be finite, but component {index} is {value}")
            }
            Self::ZeroLength { dimensions } => {
                write!(f, "an embedding must not be the zero vector, but all {dimensions} components are zero")
            }
            Self::Length { length } => write!(
                f,
                "an embedding must have a length between 1e-15 and 1e15, but this one has {length:e}; divide it by its length"
            ),
        }
    }
}

impl std::error::Error for EmbeddingError {}

/// Range of lengths whose squares, and the sums of those, are far from both ends of the range of an `f32`.
const LENGTHS: RangeInclusive<f64> = 1e-15..=1e15;

impl From<EmbeddingError> for Error {
    fn from(error: EmbeddingError) -> Self {
        Self::invalid(error.to_string()).caused_by(error)
    }
}

impl<const D: usize> Embedding<D> {
    /// Returns the components.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        self.0.as_slice()
    }

    /// Returns the vector of the same direction and of length 1, for which cosine and inner product are equal.
    ///
    /// ```
    /// # use workspace_db::sql_types::{Embedding, EmbeddingError};
    /// let embedding = Embedding::<2>::try_from([3.0, 4.0])?;
    /// assert_eq!(embedding.normalized().as_slice(), [0.6, 0.8]);
    /// # Ok::<(), EmbeddingError>(())
    /// ```
    #[must_use]
    pub fn normalized(&self) -> Self {
        let length = length(self.as_slice());
        #[expect(clippy::cast_possible_truncation, reason = "the quotient is at most 1 and the column holds f32")]
        let components: Vec<f32> = self.as_slice().iter().map(|&x| (f64::from(x) / length) as f32).collect();
        Self(components.into())
    }

    /// Returns the sign bits of the components, equal to pgvector's `binary_quantize`: 1 if a component is above zero.
    #[must_use]
    pub fn sign_bits(&self) -> SignBits {
        SignBits::from_components(self.as_slice())
    }

    /// Returns the driver's value, for COPY.
    pub(crate) fn as_pgvector(&self) -> &pgvector::Vector {
        &self.0
    }

    fn checked(components: Vec<f32>) -> Result<Self, EmbeddingError> {
        if components.len() != D {
            return Err(EmbeddingError::Dimensions { expected: D, found: components.len() });
        }
        if let Some((index, &value)) = components.iter().enumerate().find(|(_, x)| !x.is_finite()) {
            return Err(EmbeddingError::NotFinite { index, value });
        }
        if components.iter().all(|&x| x == 0.0) {
            return Err(EmbeddingError::ZeroLength { dimensions: D });
        }
        let length = length(&components);
        if !LENGTHS.contains(&length) {
            return Err(EmbeddingError::Length { length });
        }
        Ok(Self(components.into()))
    }
}

fn length(components: &[f32]) -> f64 {
    components.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

impl<const D: usize> TryFrom<[f32; D]> for Embedding<D> {
    type Error = EmbeddingError;

    fn try_from(components: [f32; D]) -> Result<Self, EmbeddingError> {
        Self::checked(components.to_vec())
    }
}

impl<const D: usize> TryFrom<Vec<f32>> for Embedding<D> {
    type Error = EmbeddingError;

    fn try_from(components: Vec<f32>) -> Result<Self, EmbeddingError> {
        Self::checked(components)
    }
}

impl<const D: usize> ToSql<Vector, Pg> for Embedding<D> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let mut buffer = BytesMut::with_capacity(4 + 4 * D);
        self.0.to_sql(&Type::UNKNOWN, &mut buffer)?;
        out.write_all(&buffer)?;
        Ok(IsNull::No)
    }
}

impl<const D: usize> FromSql<Vector, Pg> for Embedding<D> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let vector = pgvector::Vector::from_sql(&Type::UNKNOWN, value.as_bytes())?;
        Ok(Self::checked(vector.to_vec())?)
    }
}
