//! The time of a change, for `updated_at`.

use diesel::dsl::now;
use diesel::expression::AsExpression;
use diesel::sql_types::Timestamptz;

/// `CURRENT_TIMESTAMP`, the start of the statement's transaction, as a field of a changeset: every change sets `updated_at`.
///
/// The database's clock sets it, not the caller's. You don't fill it in: `..Default::default()` supplies it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementTime;

impl AsExpression<Timestamptz> for StatementTime {
    type Expression = <now as AsExpression<Timestamptz>>::Expression;

    fn as_expression(self) -> Self::Expression {
        AsExpression::<Timestamptz>::as_expression(now)
    }
}

impl AsExpression<Timestamptz> for &StatementTime {
    type Expression = <now as AsExpression<Timestamptz>>::Expression;

    fn as_expression(self) -> Self::Expression {
        AsExpression::<Timestamptz>::as_expression(now)
    }
}
