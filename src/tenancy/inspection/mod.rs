//! Inspection of a query's SQL before it is sent, for faults that the types can't detect.
//!
//! Values are bound, so the text comes from the program. Diesel's bounds accept some expressions without checking
//! their content: the filter, order and window of an aggregate, a boxed subquery, an SQL literal, the fields of a
//! declared row. So this module rejects each SELECT, FROM and JOIN that no node of this crate accounts for. It also
//! rejects each parenthesis that closes one outside of its expression. If a query's type has only one text, the query
//! is inspected once, otherwise each time.

mod sql_lexer;

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::{LazyLock, PoisonError, RwLock};

use diesel::QueryResult;
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::{QueryBuilder as _, QueryFragment, QueryId};
use diesel::result::Error::QueryBuilderError;

use self::sql_lexer::UnsafeSql;
use crate::error::Error;
use crate::id::WorkspaceId;

pub(super) use self::sql_lexer::{ReadKeywords, SqlLexer, SqlToken};

/// State while the SQL of a query is written.
#[derive(Clone, Copy)]
struct RenderContext {
    workspace: WorkspaceId,
    /// Keywords that nodes of this crate account for; `None` outside of an inspection.
    accounted: Option<ReadKeywords>,
}

thread_local! {
    static RENDERING: Cell<Option<RenderContext>> = const { Cell::new(None) };
    /// Addresses and types of the subqueries that the inspection has accounted for. Diesel walks the elements of a tuple
    /// twice: to see if they are empty, and to write them.
    static ACCOUNTED: RefCell<Vec<(usize, &'static str)>> = const { RefCell::new(Vec::new()) };
}

/// Guard that restores the earlier state, even after a panic.
struct RestoreGuard(Option<RenderContext>);

impl Drop for RestoreGuard {
    fn drop(&mut self) {
        RENDERING.set(self.0);
    }
}

/// Writes the SQL of a query of this workspace by `write`. A subquery of another workspace fails.
pub(super) fn within<R>(workspace: WorkspaceId, write: impl FnOnce() -> R) -> R {
    let _restored = RestoreGuard(RENDERING.replace(Some(RenderContext { workspace, accounted: None })));
    write()
}

/// Accounts for keywords that a node of this crate writes.
pub(super) fn account(reads: ReadKeywords) {
    if let Some(RenderContext { workspace, accounted: Some(mut accounted) }) = RENDERING.get() {
        accounted.add(reads);
        RENDERING.set(Some(RenderContext { workspace, accounted: Some(accounted) }));
    }
}

/// Accounts once for a scoped query within another one, which must be of the same workspace. `node` is its expression.
pub(super) fn account_for_subquery<N>(node: &N, workspace: WorkspaceId, joins: u32) -> QueryResult<()> {
    if let Some(outer) = RENDERING.get().map(|rendering| rendering.workspace)
        && outer != workspace
    {
        let error = Error::misuse(format!("a subquery is scoped to workspace {workspace}, but the query to {outer}"));
        return Err(QueryBuilderError(error.remedy("use the same scope for both").into()));
    }
    if RENDERING.get().is_none_or(|rendering| rendering.accounted.is_none()) {
        return Ok(());
    }
    // Two nodes of one type have different addresses, and one can begin with another of another type.
    let node = (std::ptr::from_ref(node).addr(), std::any::type_name::<N>());
    let is_new = ACCOUNTED.with_borrow_mut(|accounted| {
        let is_new = !accounted.contains(&node);
        accounted.push(node);
        is_new
    });
    if is_new {
        account(ReadKeywords::query(joins));
    }
    Ok(())
}

/// Rejects the content of parentheses that closes them or leaves something open, during an inspection.
pub(super) fn check_enclosed(content: &impl QueryFragment<Pg>) -> QueryResult<()> {
    let Some(RenderContext { workspace, accounted: Some(_) }) = RENDERING.get() else { return Ok(()) };
    // The inspection accounts for the content when it writes the whole query.
    let text = within(workspace, || render(content))?;
    SqlLexer::new(&text).reads().map(drop).map_err(|fault| QueryBuilderError(unsafe_sql_error(&fault, &text).into()))
}

/// Rejects a query whose SQL reads rows that no scope binds. `joins` is the number of joined tables of a query, or
/// `None` for a statement that changes rows.
pub(super) fn check<Q: QueryFragment<Pg> + QueryId>(
    query: &Q,
    workspace: WorkspaceId,
    joins: Option<u32>,
) -> QueryResult<()> {
    static LOOKED_AT: LazyLock<RwLock<HashSet<TypeId>>> = LazyLock::new(RwLock::default);
    let id = Q::query_id();
    if id.is_some_and(|id| LOOKED_AT.read().unwrap_or_else(PoisonError::into_inner).contains(&id)) {
        return Ok(());
    }
    check_text(query, workspace, joins.map(ReadKeywords::query).unwrap_or_default())?;
    if let Some(id) = id {
        LOOKED_AT.write().unwrap_or_else(PoisonError::into_inner).insert(id);
    }
    Ok(())
}

fn check_text(query: &impl QueryFragment<Pg>, workspace: WorkspaceId, own: ReadKeywords) -> QueryResult<()> {
    let _restored = RestoreGuard(RENDERING.replace(Some(RenderContext { workspace, accounted: Some(own) })));
    ACCOUNTED.with_borrow_mut(Vec::clear);
    let text = render(query)?;
    if sql_lexer::names_workspace_twice(&text) {
        return refuse(
            Error::misuse(format!("the row to insert sets workspace_id: {text}"))
                .remedy("remove the field `workspace_id` of its struct; the scope supplies it"),
        );
    }
    let accounted = RENDERING.get().and_then(|rendering| rendering.accounted).unwrap_or_default();
    let fault = match SqlLexer::new(&text).reads() {
        Ok(reads) if reads == accounted => return Ok(()),
        Ok(_) => UnsafeSql::Unscoped,
        Err(fault) => fault,
    };
    refuse(unsafe_sql_error(&fault, &text))
}

/// Rejects a mistake in the program. It occurs each time, so tests of the program must show it.
#[cfg_attr(
    debug_assertions,
    expect(clippy::needless_pass_by_value, reason = "a build for production returns the error")
)]
fn refuse(error: Error) -> QueryResult<()> {
    #[cfg(debug_assertions)]
    #[expect(clippy::panic, reason = "in a build for development alone")]
    {
        panic!("{error}");
    }
    #[cfg(not(debug_assertions))]
    Err(QueryBuilderError(error.into()))
}

fn render(fragment: &impl QueryFragment<Pg>) -> QueryResult<String> {
    let mut text = PgQueryBuilder::default();
    fragment.to_sql(&mut text, &Pg)?;
    Ok(text.finish())
}

fn unsafe_sql_error(fault: &UnsafeSql, text: &str) -> Error {
    Error::misuse(format!("this query {fault}: {text}")).remedy(
        "begin each subquery with its table and its workspace, `document_chunks::table.in_workspace(&ws)`; \
         run raw SQL in one workspace with `ws.under_row_security(\"why\", ...)`",
    )
}
