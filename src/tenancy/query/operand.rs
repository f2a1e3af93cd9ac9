//! The operands of a distance to a column of vectors: an embedding of its length, or an expression.

use diesel::Expression;

use crate::sql_types::Embedding;

/// Kind of an operand that is an expression.
#[doc(hidden)]
#[derive(Debug)]
pub struct OfExpression;
/// Kind of an operand that is an embedding.
#[doc(hidden)]
#[derive(Debug)]
pub struct OfEmbedding;

/// Operand of a distance to a column whose vectors have `D` dimensions: an [`Embedding`] of that length, or an expression.
///
/// The compiler infers `Kind`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be compared with this column, whose vectors have {D} dimensions",
    label = "a vector of another length",
    note = "use an `Embedding<{D}>`, from a model with that number of dimensions"
)]
pub trait VectorOperand<const D: usize, Kind> {}

impl<E: Expression, const D: usize> VectorOperand<D, OfExpression> for E {}
impl<const D: usize> VectorOperand<D, OfEmbedding> for Embedding<D> {}
impl<const D: usize> VectorOperand<D, OfEmbedding> for &Embedding<D> {}
