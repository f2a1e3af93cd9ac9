//! Orders of pages: their columns, and the SQL that starts at a place in an order.

use diesel::QueryResult;
use diesel::expression::expression_types::NotSelectable;
use diesel::expression::{
    AppearsOnTable, AsExpression, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::{AstPass, QueryBuilder as _, QueryFragment, QueryId};
use diesel::sql_types::{Bool, SqlType, is_nullable};
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::dynamic_query_id::impl_dynamic_query_id;
use crate::error::{Error, Result};

/// Column of an order, whose direction is `DESCENDING`.
#[derive(Clone, Copy, Debug)]
pub struct OrderColumn<C, const DESCENDING: bool>(C);

/// Orders a page by a column, the smallest first and NULL last.
pub fn ascending<C: Expression>(column: C) -> OrderColumn<C, false> {
    OrderColumn(column)
}

/// Orders a page by a column, NULL first and then the largest.
pub fn descending<C: Expression>(column: C) -> OrderColumn<C, true> {
    OrderColumn(column)
}

/// Direction and type of a column of an order.
#[derive(Clone, Copy, Debug)]
pub struct ColumnTraits {
    pub(super) is_descending: bool,
    pub(super) is_nullable: bool,
}

/// Tuple of one to four [`ascending`] and [`descending`] columns.
pub trait PageOrder: Copy {
    /// Traits of each column.
    #[doc(hidden)]
    const COLUMNS: &'static [ColumnTraits];

    /// Writes the column at `place`.
    #[doc(hidden)]
    fn walk_column<'b>(&'b self, place: usize, out: AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

/// Tuple with the value of each column of the order `O` in a row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of this order",
    label = "the key does not fit the order",
    note = "the key is a tuple with the value of each column: `|row: &Document| (row.title.clone(), row.id)`"
)]
pub trait KeyOf<O>: Serialize + DeserializeOwned {
    /// The values as expressions.
    type Values: KeyValues;

    /// Returns the values as expressions.
    #[doc(hidden)]
    fn into_values(self) -> Self::Values;
}

/// Values of a key as expressions.
pub trait KeyValues {
    /// Writes the value at `place`.
    #[doc(hidden)]
    fn walk_value<'b>(&'b self, place: usize, out: AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

macro_rules! page_orders {
    ($($($column:ident $value:ident $descending:ident $index:tt),+;)+) => {$(
        impl<$($column, const $descending: bool),+> PageOrder for ($(OrderColumn<$column, $descending>,)+)
        where
            $($column: Expression<SqlType: MayBeNull> + QueryFragment<Pg> + Copy,)+
        {
            const COLUMNS: &'static [ColumnTraits] = &[$(ColumnTraits {
                is_descending: $descending,
                is_nullable: <$column::SqlType as MayBeNull>::IS_NULLABLE,
            }),+];

            fn walk_column<'b>(&'b self, place: usize, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                match place {
                    $($index => self.$index.0.walk_ast(out),)+
                    _ => Ok(()),
                }
            }
        }

        impl<$($column, $value, const $descending: bool),+> KeyOf<($(OrderColumn<$column, $descending>,)+)>
            for ($($value,)+)
        where
            Self: Serialize + DeserializeOwned,
            $(
                $column: Expression<SqlType: SqlType + TypedExpressionType>,
                $value: AsExpression<$column::SqlType, Expression: QueryFragment<Pg>>,
            )+
        {
            type Values = ($($value::Expression,)+);

            fn into_values(self) -> Self::Values {
                ($(self.$index.as_expression(),)+)
            }
        }

        impl<QS, $($column: AppearsOnTable<QS>, const $descending: bool),+> ColumnsOf<QS>
            for ($(OrderColumn<$column, $descending>,)+)
        {
        }

        impl<QS, $($column: SelectableExpression<QS>, const $descending: bool),+> SelectableColumnsOf<QS>
            for ($(OrderColumn<$column, $descending>,)+)
        {
        }

        impl<$($value: QueryFragment<Pg>),+> KeyValues for ($($value,)+) {
            fn walk_value<'b>(&'b self, place: usize, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                match place {
                    $($index => self.$index.walk_ast(out),)+
                    _ => Ok(()),
                }
            }
        }
    )+};
}

page_orders! {
    A VA DA 0;
    A VA DA 0, B VB DB 1;
    A VA DA 0, B VB DB 1, C VC DC 2;
    A VA DA 0, B VB DB 1, C VC DC 2, D VD DD 3;
}

/// SQL type that says if its values can be NULL.
pub trait MayBeNull {
    /// True if a value can be NULL.
    const IS_NULLABLE: bool;
}

impl<ST: SqlType<IsNull: MayBeNullMark>> MayBeNull for ST {
    const IS_NULLABLE: bool = ST::IsNull::IS_NULLABLE;
}

/// Diesel's two marks of nullability.
pub trait MayBeNullMark {
    /// True for the mark of nullable types.
    const IS_NULLABLE: bool;
}

impl MayBeNullMark for is_nullable::NotNull {
    const IS_NULLABLE: bool = false;
}

impl MayBeNullMark for is_nullable::IsNullable {
    const IS_NULLABLE: bool = true;
}

/// Rows after a place in an order, or all rows without a place.
#[derive(Clone, Debug)]
pub struct AfterCursor<O, V> {
    pub(super) order: O,
    pub(super) place: Option<PagePlace<V>>,
}

/// Place in an order.
#[derive(Clone, Debug)]
pub struct PagePlace<V> {
    pub(super) values: V,
    /// True for each value that is NULL.
    pub(super) nulls: Vec<bool>,
    pub(super) is_backward: bool,
}

/// `ORDER BY` the columns of an order, or the reverse.
#[derive(Clone, Copy, Debug)]
pub struct InOrder<O> {
    pub(super) order: O,
    pub(super) is_backward: bool,
}

impl<O: PageOrder> InOrder<O> {
    /// Returns a hash of the columns and their directions, which does not depend on the direction of the page.
    pub(super) fn hash(&self) -> Result<u64> {
        let forward = Self { is_backward: false, ..*self };
        let mut text = PgQueryBuilder::default();
        forward.to_sql(&mut text, &Pg).map_err(Error::from)?;
        Ok(xxh3_64(text.finish().as_bytes()))
    }
}

impl<O: PageOrder> QueryFragment<Pg> for InOrder<O> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (place, column) in O::COLUMNS.iter().enumerate() {
            if place > 0 {
                out.push_sql(", ");
            }
            self.order.walk_column(place, out.reborrow())?;
            out.push_sql(if column.is_descending == self.is_backward { " ASC" } else { " DESC" });
        }
        Ok(())
    }
}

impl<O: PageOrder, V: KeyValues> QueryFragment<Pg> for AfterCursor<O, V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Some(place) = &self.place else {
            out.push_sql("true");
            return Ok(());
        };
        let [first, ..] = O::COLUMNS else { return Ok(()) };
        let is_like_first = |one: &ColumnTraits| !one.is_nullable && one.is_descending == first.is_descending;
        if O::COLUMNS.iter().all(is_like_first) {
            self.walk_row_comparison(first.is_descending == place.is_backward, place, out)
        } else {
            self.walk_from(0, place, out)
        }
    }
}

impl<O: PageOrder, V: KeyValues> AfterCursor<O, V> {
    /// Writes `(a, b) > (x, y)`, which an index on the columns answers.
    fn walk_row_comparison<'b>(
        &'b self,
        is_ascending: bool,
        place: &'b PagePlace<V>,
        mut out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        let list = |out: &mut AstPass<'_, 'b, Pg>, is_value: bool| {
            for at in 0..O::COLUMNS.len() {
                out.push_sql(if at == 0 { "(" } else { ", " });
                if is_value {
                    place.values.walk_value(at, out.reborrow())?;
                } else {
                    self.order.walk_column(at, out.reborrow())?;
                }
            }
            out.push_sql(")");
            Ok::<_, diesel::result::Error>(())
        };
        list(&mut out, false)?;
        out.push_sql(if is_ascending { " > " } else { " < " });
        list(&mut out, true)
    }

    /// Writes `(a > x OR (a = x AND (b > y OR ...)))`, with the order of NULL.
    fn walk_from<'b>(&'b self, at: usize, place: &'b PagePlace<V>, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Some(column) = O::COLUMNS.get(at) else { return Ok(()) };
        let is_null = place.nulls.get(at) == Some(&true);
        let is_ascending = column.is_descending == place.is_backward;
        out.push_sql("(");
        match (is_ascending, is_null) {
            // NULL is the last in ascending order, and the first in descending order.
            (true, true) => out.push_sql("false"),
            (false, true) => {
                self.order.walk_column(at, out.reborrow())?;
                out.push_sql(" IS NOT NULL");
            }
            (_, false) => {
                self.order.walk_column(at, out.reborrow())?;
                out.push_sql(if is_ascending { " > " } else { " < " });
                place.values.walk_value(at, out.reborrow())?;
                if is_ascending && column.is_nullable {
                    out.push_sql(" OR ");
                    self.order.walk_column(at, out.reborrow())?;
                    out.push_sql(" IS NULL");
                }
            }
        }
        if at + 1 < O::COLUMNS.len() {
            out.push_sql(" OR (");
            self.order.walk_column(at, out.reborrow())?;
            if is_null {
                out.push_sql(" IS NULL");
            } else {
                out.push_sql(" = ");
                place.values.walk_value(at, out.reborrow())?;
            }
            out.push_sql(" AND ");
            self.walk_from(at + 1, place, out.reborrow())?;
            out.push_sql(")");
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<O, V> Expression for AfterCursor<O, V> {
    type SqlType = Bool;
}

impl<O> Expression for InOrder<O> {
    type SqlType = NotSelectable;
}

/// Implements what Diesel asks of a part of a query.
macro_rules! impl_fragments {
    ($($fragment:ident<O $(, $parameter:ident)?>;)+) => {$(
        impl_dynamic_query_id!($fragment<O $(, $parameter)?>);

        impl<O: ColumnsOf<QS> $(, $parameter)?, QS> AppearsOnTable<QS> for $fragment<O $(, $parameter)?> {}
        impl<O: ColumnsOf<QS> + SelectableColumnsOf<QS> $(, $parameter)?, QS> SelectableExpression<QS>
            for $fragment<O $(, $parameter)?>
        {
        }

        impl<O $(, $parameter)?, GB> ValidGrouping<GB> for $fragment<O $(, $parameter)?> {
            type IsAggregate = is_aggregate::Never;
        }
    )+};
}

impl_fragments! {
    AfterCursor<O, V>;
    InOrder<O>;
}

/// Order whose columns are those of the query source `QS`.
pub trait ColumnsOf<QS> {}

/// Order whose columns can be selected from the query source `QS`: those of a left join only as `nullable()`.
pub trait SelectableColumnsOf<QS> {}
