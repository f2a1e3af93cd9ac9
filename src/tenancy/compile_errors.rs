//! Items that exist for their compile error: bounds with a message of their own, and the mark of this crate's macros.
//!
//! Without the bounds, code that leaves its workspace would not compile either, but the compiler would name a trait of
//! Diesel's that is missing. So a type of this crate implements what Diesel asks for, under a condition that is not
//! met. Then the compiler names the condition, and prints what to write instead.
//!
//! | bound | condition of | met by |
//! |---|---|---|
//! | [`RunsUnscopedQueries`] | `Deref` of a `WorkspaceConnection` to Diesel's connection | no type |
//! | [`TakesUnscopedSubqueries`] | `QuerySource` of `Within`, which Diesel's subqueries require | no type |
//! | [`ChangesRows`], [`ComesBeforeSet`], [`ComesAfterSet`] | methods that a query or a statement does not have | no type |
//! | [`LeavesTheScope`] | the method `Scoped::or_filter` | no type |
//! | [`LeavesTheWorkspace`] | a column among those that are `Settable` | every column except `workspace_id` |
//!
//! The mark is a required constant of traits that an implementation by hand could break.

use diesel::expression::{SelectableExpression, is_contained_in_group_by};
use diesel_async::AsyncPgConnection;

/// Bound that no connection meets. It exists for its compile error.
#[diagnostic::on_unimplemented(
    message = "only a query that is scoped runs on a `{Self}`",
    label = "this query is not scoped to a workspace",
    note = "begin it with its table and its workspace: `documents::table.in_workspace(&ws)`; then `find`, `filter`, `load`, \
            `insert`, `update` and `delete` are methods of the query",
    note = "raw SQL of one workspace: `ws.under_row_security(\"why\", async |conn| ...)`"
)]
pub trait RunsUnscopedQueries<'a> {
    /// Returns the connection that Diesel would use.
    #[doc(hidden)]
    fn connection(&self) -> &AsyncPgConnection;
    /// Returns the same connection, mutable.
    #[doc(hidden)]
    fn connection_mut(&mut self) -> &mut AsyncPgConnection;
}

/// Bound that no query meets. It exists for its compile error.
#[diagnostic::on_unimplemented(
    message = "a subquery that is not scoped can't stand in a scoped query: it would read every workspace",
    label = "a subquery without a scope",
    note = "scope it too: `documents::id.eq_any(document_chunks::table.in_workspace(&ws).select(document_chunks::document_id))`"
)]
pub trait TakesUnscopedSubqueries {
    /// Selection that Diesel would use for the tables.
    type Nothing: SelectableExpression<Self>;
    /// Returns that selection.
    #[doc(hidden)]
    fn nothing(&self) -> Self::Nothing;
}

/// Declares bounds of methods that do not compile.
macro_rules! unmet_bounds {
    ($($(#[$attribute:meta])* $name:ident;)+) => {$(
        $(#[$attribute])*
        pub trait $name {
            /// Result of the method, unknown so that later methods report nothing.
            type Output;

            #[doc(hidden)]
            fn output(self) -> Self::Output;
        }
    )+};
}

unmet_bounds! {
    /// Bound that no predicate meets. It exists for its compile error.
    #[doc(hidden)]
    #[diagnostic::on_unimplemented(
        message = "`or_filter` would let every workspace into this query",
        label = "an OR beside `workspace_id = $1`",
        note = "write `.filter(a.or(b))`, which stays within its parentheses"
    )]
    LeavesTheScope;

    /// Bound that no connection meets. It exists for its compile error.
    #[doc(hidden)]
    #[diagnostic::on_unimplemented(
        message = "a query changes no rows, so `execute` has nothing to count",
        label = "this is a query, not a statement",
        note = "change the rows: `.filter(..).update().set(..).execute(ws)` or `.filter(..).delete().execute(ws)`",
        note = "read the rows: `.load(ws)`, `.first(ws)`, or `.count().get_result::<i64>(ws)`"
    )]
    ChangesRows;

    /// Bound that no predicate meets. It exists for its compile error.
    #[doc(hidden)]
    #[diagnostic::on_unimplemented(
        message = "the rows of an update or a delete are filtered before it",
        label = "a filter after the statement",
        note = "write `documents::table.in_workspace(&ws).filter(..).update().set(..)` or `.filter(..).delete()`"
    )]
    ComesBeforeSet;

    /// Bound that no predicate meets. It exists for its compile error.
    #[doc(hidden)]
    #[diagnostic::on_unimplemented(
        message = "the rows that an upsert changes are filtered after its `set`",
        label = "a filter before the `set`",
        note = "write `.on_conflict(..).do_update().set(..).filter(..)`",
        note = "for the predicate of a partial unique index, write `.on_conflict(..).filter_target(..)`"
    )]
    ComesAfterSet;
}

/// Assignment that does not change `workspace_id`.
#[diagnostic::on_unimplemented(
    message = "a statement in a workspace can't set or read `workspace_id` in its values",
    label = "this sets `workspace_id`",
    note = "the scope supplies `workspace_id`; leave the column out"
)]
pub trait LeavesTheWorkspace {}
impl LeavesTheWorkspace for is_contained_in_group_by::No {}

/// Mark of an implementation that one of this crate's macros wrote.
///
/// A trait with a constant of this type makes a promise that the compiler can't check. For example, each row of a
/// table belongs to one workspace. [`tenant_tables!`](crate::tenant_tables), [`relations!`](crate::relations) and
/// [`tenant_rows!`](crate::tenant_rows) keep it. An implementation by hand is not part of the public API.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct MacroMarker(());

#[doc(hidden)]
#[must_use]
pub const fn macro_marker() -> MacroMarker {
    MacroMarker(())
}

/// Returns true if two names are equal, in a `const` context.
#[doc(hidden)]
#[must_use]
pub const fn is_same_name(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    while let ([first, rest @ ..], [first_other, rest_other @ ..]) = (one, other) {
        if *first != *first_other {
            return false;
        }
        (one, other) = (rest, rest_other);
    }
    one.is_empty() && other.is_empty()
}
