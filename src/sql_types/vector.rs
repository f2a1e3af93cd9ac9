//! pgvector's `vector`, and its operators.

use diesel::expression::{AsExpression, Expression};
use diesel::pg::Pg;
use diesel::query_builder::QueryId;
use diesel::sql_types::{Double, SqlType};

/// The SQL type `vector` of pgvector, of any number of dimensions.
///
/// Its value in Rust is [`Embedding`](super::Embedding). `schema.rs` names it; queries rarely have to.
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(name = "vector"))]
pub struct Vector;

diesel::infix_operator!(CosineDistance, " <=> ", Double, backend: Pg);
diesel::infix_operator!(L2Distance, " <-> ", Double, backend: Pg);
diesel::infix_operator!(NegativeInnerProduct, " <#> ", Double, backend: Pg);

/// The distances of pgvector, on every expression of type [`Vector`].
///
/// Ascending order puts the nearest first, for all three. None of them knows a workspace: filter by it as well.
///
/// ```
/// use diesel::prelude::*;
/// use workspace_db::id::WorkspaceId;
/// use workspace_db::schema::document_chunks;
/// use workspace_db::sql_types::{Embedding, VectorExpressionMethods};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let question = Embedding::try_from([0.5; 1536])?;
/// let nearest = document_chunks::table
///     .filter(document_chunks::workspace_id.eq(WorkspaceId::generate()))
///     .order(document_chunks::vector.cosine_distance(&question))
///     .select(document_chunks::content)
///     .limit(10);
/// assert!(diesel::debug_query::<diesel::pg::Pg, _>(&nearest).to_string().contains("<=>"));
/// # Ok(())
/// # }
/// ```
pub trait VectorExpressionMethods: Expression<SqlType = Vector> + Sized {
    /// `self <=> other`: one minus the cosine of the angle, 0 for the same direction to 2 for the opposite.
    fn cosine_distance<T: AsExpression<Vector>>(self, other: T) -> CosineDistance<Self, T::Expression> {
        CosineDistance::new(self, other.as_expression())
    }

    /// `self <-> other`: the length of the difference.
    fn l2_distance<T: AsExpression<Vector>>(self, other: T) -> L2Distance<Self, T::Expression> {
        L2Distance::new(self, other.as_expression())
    }

    /// `self <#> other`: the inner product times minus one, so that ascending order puts the largest first.
    #[doc(alias = "max_inner_product")]
    fn negative_inner_product<T: AsExpression<Vector>>(self, other: T) -> NegativeInnerProduct<Self, T::Expression> {
        NegativeInnerProduct::new(self, other.as_expression())
    }
}

impl<E: Expression<SqlType = Vector>> VectorExpressionMethods for E {}
