//! The time of the change, for `updated_at`.

use diesel::dsl::now;
use diesel::expression::AsExpression;
use diesel::sql_types::Timestamptz;

/// `CURRENT_TIMESTAMP`, the beginning of the statement's transaction, as a field of a changeset: whatever else changes, `updated_at` changes with it.
///
/// The database's clock sets it, not the caller's. There is nothing to fill in: `..Default::default()` brings it.
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
