//! pgvector's `vector` and its operators.

use diesel::expression::{AsExpression, Expression};
use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

use super::operators::vector_operator;

/// The SQL type `vector` of pgvector, with any number of dimensions.
///
/// Its Rust value is [`Embedding`](super::Embedding). `schema.rs` names the type; queries rarely need to.
#[derive(Clone, Copy, Debug, Default, QueryId, SqlType)]
#[diesel(postgres_type(name = "vector"))]
pub struct Vector;

vector_operator!(
    /// `(left <=> right)`, created by [`cosine_distance`](VectorExpressionMethods::cosine_distance).
    CosineDistance, "(", " <=> ", ")"
);
vector_operator!(
    /// `(1 - (left <=> right))`, created by [`cosine_similarity`](VectorExpressionMethods::cosine_similarity).
    CosineSimilarity, "(1 - (", " <=> ", "))"
);
vector_operator!(
    /// `(left <-> right)`, created by [`l2_distance`](VectorExpressionMethods::l2_distance).
    L2Distance, "(", " <-> ", ")"
);
vector_operator!(
    /// `(left <#> right)`, created by [`negative_inner_product`](VectorExpressionMethods::negative_inner_product).
    NegativeInnerProduct, "(", " <#> ", ")"
);

/// Distance operators of pgvector on every expression of type [`Vector`].
///
/// Ascending order puts the nearest first, for all three distances. The operators don't know workspaces: filter by one.
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
    /// Returns `self <=> other`, one minus the cosine of the angle: from 0 for the same direction to 2 for the opposite.
    fn cosine_distance<T: AsExpression<Vector>>(self, other: T) -> CosineDistance<Self, T::Expression> {
        CosineDistance::new(self, other.as_expression())
    }

    /// Returns the cosine of the angle, one minus the distance: from 1 for the same direction to -1 for the opposite.
    ///
    /// No index supports this order, so a query that is ordered by it (descending) reads every row that its filters
    /// leave, and is exact.
    fn cosine_similarity<T: AsExpression<Vector>>(self, other: T) -> CosineSimilarity<Self, T::Expression> {
        CosineSimilarity::new(self, other.as_expression())
    }

    /// Returns `self <-> other`, the length of the difference.
    fn l2_distance<T: AsExpression<Vector>>(self, other: T) -> L2Distance<Self, T::Expression> {
        L2Distance::new(self, other.as_expression())
    }

    /// Returns `self <#> other`, the inner product times minus one, so that ascending order puts the largest first.
    #[doc(alias = "max_inner_product")]
    fn negative_inner_product<T: AsExpression<Vector>>(self, other: T) -> NegativeInnerProduct<Self, T::Expression> {
        NegativeInnerProduct::new(self, other.as_expression())
    }
}

impl<E: Expression<SqlType = Vector>> VectorExpressionMethods for E {}
