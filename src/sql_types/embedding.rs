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

use super::placement::{rotated, rotated_back};
use super::{SignBits, Vector};
use crate::error::Error;

/// Number of dimensions of `document_chunks.vector`.
pub const DIMENSIONS: usize = 1536;

/// Fewest dimensions of a model's vector. A shorter vector is an endpoint's mistake: the smallest models have 64, or 32 where
/// they can be shortened.
pub const MIN_DIMENSIONS: usize = 32;

/// Single precision leaves this much, in parts of the length, where a placed vector has no dimension.
const ROUNDING: f64 = 1e-5;
/// A vector is read for its last component that is not zero, and that one can be zero by chance. So numbers of dimensions are
/// compared in these steps.
const STEP: usize = 8;

/// A vector of `D` finite components, with a length between 10⁻¹⁵ and 10¹⁵.
///
/// A model whose vectors have fewer dimensions than the column, or more, is stored by [`placed`](Self::placed) and
/// [`shortened`](Self::shortened).
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
#[derive(Clone, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Vector)]
pub struct Embedding<const D: usize = DIMENSIONS> {
    vector: pgvector::Vector,
    /// Number of the model's dimensions, if they were placed in this process.
    placed: Option<usize>,
}

impl<const D: usize> PartialEq for Embedding<D> {
    fn eq(&self, other: &Self) -> bool {
        self.vector == other.vector
    }
}

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
    /// A model's vector does not fit into the column, or is too short to be one.
    Model {
        /// Number of dimensions of the model's vector.
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
            Self::Model { found } if *found < MIN_DIMENSIONS => {
                write!(f, "a model's vector has {MIN_DIMENSIONS} to {DIMENSIONS} dimensions, and this one has {found}")
            }
            Self::Model { found } => write!(
                f,
                "a model's vector has {MIN_DIMENSIONS} to {DIMENSIONS} dimensions, and this one has {found}; request fewer of \
                 the model, or shorten the vector if the model allows it (Matryoshka)"
            ),
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
        self.vector.as_slice()
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
        Self { vector: components.into(), placed: self.placed }
    }

    /// Returns the sign bits of the components, equal to pgvector's `binary_quantize`: 1 if a component is above zero.
    #[must_use]
    pub fn sign_bits(&self) -> SignBits {
        SignBits::from_components(self.as_slice())
    }

    /// Returns the driver's value, for COPY.
    pub(crate) fn as_pgvector(&self) -> &pgvector::Vector {
        &self.vector
    }

    fn checked(components: Vec<f32>) -> Result<Self, EmbeddingError> {
        if components.len() != D {
            return Err(EmbeddingError::Dimensions { expected: D, found: components.len() });
        }
        refuse_useless(&components)?;
        Ok(Self { vector: components.into(), placed: None })
    }
}

impl Embedding {
    /// Returns the embedding of a model's vector that has any number of dimensions from [`MIN_DIMENSIONS`] to [`DIMENSIONS`].
    ///
    /// Zeros fill up the missing dimensions, and one fixed rotation spreads the vector over all of them. Lengths, cosines, inner
    /// products and distances between such vectors stay as they are, to the last digits of single precision, and each of the
    /// 1536 signs depends on the whole vector. A vector that has all 1536 dimensions is not changed.
    ///
    /// # Errors
    ///
    /// [`EmbeddingError::Model`] if the vector has fewer dimensions, or more; otherwise those of `try_from`.
    ///
    /// ```
    /// use workspace_db::sql_types::{Embedding, EmbeddingError};
    ///
    /// let small = Embedding::placed(vec![0.5; 384])?;
    /// assert_eq!(small.as_slice().len(), 1536);
    /// assert_eq!(small.dimensions(), Some(384));
    /// # Ok::<(), EmbeddingError>(())
    /// ```
    pub fn placed(components: Vec<f32>) -> Result<Self, EmbeddingError> {
        let found = components.len();
        if !(MIN_DIMENSIONS..=DIMENSIONS).contains(&found) {
            return Err(EmbeddingError::Model { found });
        }
        if found == DIMENSIONS {
            return Self::checked(components);
        }
        // The rotation would spread one NaN over all components, and the error would name another one.
        refuse_useless(&components)?;
        Ok(Self { placed: Some(found), ..Self::checked(rotated(&components))? })
    }

    /// Returns the embedding of the first components of a vector, of length 1. A vector with this number of dimensions or fewer
    /// is [placed](Self::placed).
    ///
    /// It keeps the meaning only for models that are trained for it (Kusupati et al., "Matryoshka Representation Learning", 2022).
    ///
    /// # Errors
    ///
    /// Those of [`placed`](Self::placed).
    ///
    /// ```
    /// use workspace_db::sql_types::{Embedding, EmbeddingError};
    ///
    /// let short = Embedding::shortened(vec![0.5; 3072], 1536)?;
    /// assert_eq!(short.dimensions(), Some(1536));
    /// # Ok::<(), EmbeddingError>(())
    /// ```
    pub fn shortened(mut components: Vec<f32>, dimensions: usize) -> Result<Self, EmbeddingError> {
        if components.len() <= dimensions {
            return Self::placed(components);
        }
        refuse_useless(&components)?;
        components.truncate(dimensions);
        Ok(Self::placed(components)?.normalized())
    }

    /// Returns the number of dimensions that the model's vector had before it was [placed](Self::placed).
    ///
    /// The number of a vector from the database is read off the vector: rotated back, it ends with zeros. It is too small if the
    /// model's last component happened to be zero. `None` means that too many components are zero to tell.
    #[must_use]
    pub fn dimensions(&self) -> Option<usize> {
        if self.placed.is_some() {
            return self.placed;
        }
        let components = rotated_back(self.as_slice());
        let rounding = ROUNDING * length(&components);
        let is_zero = |component: &f32| f64::from(component.abs()) <= rounding;
        let dimensions = components.iter().rposition(|component| !is_zero(component))? + 1;
        let zeros = components.iter().take(dimensions).filter(|component| is_zero(component)).count();
        (dimensions >= MIN_DIMENSIONS && 2 * zeros < dimensions).then_some(dimensions)
    }

    /// Returns false if the model's vector had another number of dimensions, to eight.
    ///
    /// A vector that was not placed in this process is taken for one of 1536 dimensions if that is the number. To read the
    /// number off each vector would cost a load of many.
    pub(crate) fn may_have_dimensions(&self, dimensions: usize) -> bool {
        let steps = dimensions.div_ceil(STEP);
        let is_presumed = self.placed.is_none() && steps == DIMENSIONS / STEP;
        is_presumed || self.dimensions().is_none_or(|dimensions| dimensions.div_ceil(STEP) == steps)
    }
}

fn refuse_useless(components: &[f32]) -> Result<(), EmbeddingError> {
    if let Some((index, &value)) = components.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        return Err(EmbeddingError::NotFinite { index, value });
    }
    if components.iter().all(|&x| x == 0.0) {
        return Err(EmbeddingError::ZeroLength { dimensions: components.len() });
    }
    let length = length(components);
    if !LENGTHS.contains(&length) {
        return Err(EmbeddingError::Length { length });
    }
    Ok(())
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
        self.vector.to_sql(&Type::UNKNOWN, &mut buffer)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns vectors of a model with this number of dimensions, the same on every machine.
    fn model(dimensions: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..20).map(|_| (0..dimensions).map(|_| random.f32() - 0.5).collect()).collect()
    }

    #[test]
    fn the_dimensions_of_a_stored_vector_are_read_off_it() {
        for dimensions in [64, 300, 384, 768] {
            for vector in model(dimensions, 4) {
                let placed = Embedding::placed(vector).unwrap().normalized();
                let stored = Embedding::<DIMENSIONS>::try_from(placed.as_slice().to_vec()).unwrap();
                assert!(stored.may_have_dimensions(dimensions), "{:?}", stored.dimensions());
                assert!(!stored.may_have_dimensions(dimensions + 8) && !stored.may_have_dimensions(dimensions - 8));
            }
        }
        for vector in model(DIMENSIONS, 5) {
            let stored = Embedding::<DIMENSIONS>::try_from(vector).unwrap();
            assert_eq!(stored.dimensions(), Some(DIMENSIONS));
            assert!(stored.may_have_dimensions(DIMENSIONS) && !stored.may_have_dimensions(768));
        }
    }

    /// Vectors for tests often are.
    #[test]
    fn nothing_is_read_off_a_vector_of_zeros_but_for_a_few() {
        for index in [0, 3, 31, 32, 200, 383] {
            let mut components = vec![0.0; 384];
            components[index] = 1.0;
            let placed = Embedding::placed(components).unwrap();
            let stored = Embedding::<DIMENSIONS>::try_from(placed.as_slice().to_vec()).unwrap();
            assert_eq!((placed.dimensions(), stored.dimensions()), (Some(384), None), "{index}");
            assert!(stored.may_have_dimensions(384) && stored.may_have_dimensions(512));
        }
    }

    #[test]
    fn a_useless_vector_is_refused_before_it_is_rotated() {
        let with = |value: f32| {
            let mut vector = vec![0.5; 384];
            vector[7] = value;
            vector
        };
        assert!(matches!(Embedding::placed(with(f32::NAN)), Err(EmbeddingError::NotFinite { index: 7, .. })));
        assert!(matches!(Embedding::placed(with(f32::INFINITY)), Err(EmbeddingError::NotFinite { index: 7, .. })));
        assert!(matches!(Embedding::placed(vec![0.0; 384]), Err(EmbeddingError::ZeroLength { dimensions: 384 })));
        assert!(matches!(Embedding::placed(vec![1e-30; 384]), Err(EmbeddingError::Length { .. })));
        for found in [0, 3, 31, 1537, 3072] {
            assert_eq!(Embedding::placed(vec![0.5; found]), Err(EmbeddingError::Model { found }));
        }
        let mut long = vec![0.5; 3072];
        long[3000] = f32::NAN;
        assert!(matches!(Embedding::shortened(long, 1536), Err(EmbeddingError::NotFinite { index: 3000, .. })));
    }
}
