//! Operators of pgvector as expressions that can be part of a larger one.

/// Defines a binary operator that writes its own parentheses.
///
/// `diesel::infix_operator!` writes none, and PostgreSQL binds `-` tighter than `<=>`: one minus a distance would
/// subtract the vector. The parentheses cost nothing, because PostgreSQL still uses an index.
macro_rules! vector_operator {
    ($(#[$doc:meta])* $name:ident, $before:literal, $operator:literal, $after:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, diesel::query_builder::QueryId, diesel::expression::ValidGrouping)]
        pub struct $name<L, R> {
            left: L,
            right: R,
        }

        impl<L, R> $name<L, R> {
            pub(super) const fn new(left: L, right: R) -> Self {
                Self { left, right }
            }
        }

        impl<L: diesel::Expression, R: diesel::Expression> diesel::Expression for $name<L, R> {
            type SqlType = diesel::sql_types::Double;
        }

        impl<QS, L, R> diesel::expression::SelectableExpression<QS> for $name<L, R>
        where
            L: diesel::expression::SelectableExpression<QS>,
            R: diesel::expression::SelectableExpression<QS>,
        {
        }

        impl<QS, L, R> diesel::expression::AppearsOnTable<QS> for $name<L, R>
        where
            L: diesel::expression::AppearsOnTable<QS>,
            R: diesel::expression::AppearsOnTable<QS>,
        {
        }

        impl<L, R> diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name<L, R>
        where
            L: diesel::query_builder::QueryFragment<diesel::pg::Pg>,
            R: diesel::query_builder::QueryFragment<diesel::pg::Pg>,
        {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                out.push_sql($before);
                self.left.walk_ast(out.reborrow())?;
                out.push_sql($operator);
                self.right.walk_ast(out.reborrow())?;
                out.push_sql($after);
                Ok(())
            }
        }
    };
}

pub(super) use vector_operator;
