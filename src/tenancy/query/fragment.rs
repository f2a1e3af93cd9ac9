//! SQL of the statements that change rows.
//!
//! These fragments belong to this crate. A statement can do what the types of `write` permit, and Diesel's builders
//! can't add anything to it.

use std::marker::PhantomData;

use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::{AstPass, InsertStatement, Query, QueryBuilder as _, QueryFragment, QueryId};
use diesel::result::Error::QueryBuilderError;
use diesel::{Expression, QueryResult, Table};

use super::dynamic_query_id::impl_dynamic_query_id;
use super::expression::Group;
use super::table::TenantTable;
use crate::error::Error;
use crate::tenancy::inspection::{self, ReadKeywords, SqlLexer, SqlToken};

/// `UPDATE table SET ... WHERE workspace_id = $1 AND ...`
#[derive(Clone, Copy, Debug)]
pub struct Update<W, V, T> {
    pub(super) target: W,
    pub(super) set: Set<V>,
    pub(super) table: PhantomData<T>,
}

/// `DELETE FROM table WHERE workspace_id = $1 AND ...`
#[derive(Clone, Copy, Debug)]
pub struct Delete<W, T> {
    pub(super) target: W,
    pub(super) table: PhantomData<T>,
}

/// `INSERT ... ON CONFLICT (workspace_id, ...) [WHERE ...] DO ...`
#[derive(Clone, Copy, Debug)]
pub struct OnConflict<I, P, A> {
    pub(super) insert: I,
    /// Columns of the conflict target; empty for any key.
    pub(super) columns: &'static [&'static str],
    pub(super) condition: P,
    pub(super) action: A,
}

/// Predicate of the partial unique index that is the target of an upsert.
#[derive(Clone, Copy, Debug)]
pub struct TargetCondition<E>(pub(super) E);

/// `DO NOTHING`
#[derive(Clone, Copy, Debug)]
pub struct DoNothing;

/// Assignments of an update or of an upsert.
#[derive(Clone, Copy, Debug)]
pub struct Set<V> {
    changes: V,
    refusal: Option<Refusal>,
}

/// Assignments of an upsert to the existing rows that match a predicate.
#[derive(Clone, Copy, Debug)]
pub struct FilteredSet<V, E> {
    pub(super) set: Set<V>,
    pub(super) predicate: Group<E>,
}

/// Reason why a changeset is not sent.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Empty,
    SetsTheWorkspace,
}

/// Statement with its `RETURNING` clause.
#[derive(Clone, Copy, Debug)]
pub struct Returning<F, E> {
    pub(super) statement: F,
    pub(super) expression: E,
}

impl<W: QueryFragment<Pg>, V: QueryFragment<Pg>, T: TenantTable> QueryFragment<Pg> for Update<W, V, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        out.push_identifier(T::NAME)?;
        out.push_sql(" SET ");
        self.set.walk_ast(out.reborrow())?;
        self.target.walk_ast(out)
    }
}

impl<W: QueryFragment<Pg>, T: TenantTable> QueryFragment<Pg> for Delete<W, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        inspection::account(ReadKeywords { froms: 1, ..ReadKeywords::default() });
        out.push_sql("DELETE FROM ");
        out.push_identifier(T::NAME)?;
        self.target.walk_ast(out)
    }
}

impl<I: QueryFragment<Pg>, P: QueryFragment<Pg>, A: ConflictAction> QueryFragment<Pg> for OnConflict<I, P, A> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.insert.walk_ast(out.reborrow())?;
        out.push_sql(" ON CONFLICT");
        for (at, column) in self.columns.iter().enumerate() {
            out.push_sql(if at == 0 { " (" } else { ", " });
            out.push_identifier(column)?;
        }
        if !self.columns.is_empty() {
            out.push_sql(")");
        }
        self.condition.walk_ast(out.reborrow())?;
        self.action.walk_action(out)
    }
}

impl<E: QueryFragment<Pg>> QueryFragment<Pg> for TargetCondition<E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" WHERE ");
        self.0.walk_ast(out)
    }
}

/// Action of an upsert on a row that already exists.
pub trait ConflictAction {
    /// Writes the SQL of the action.
    #[doc(hidden)]
    fn walk_action<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

impl ConflictAction for DoNothing {
    fn walk_action<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" DO NOTHING");
        Ok(())
    }
}

impl<V: QueryFragment<Pg>> ConflictAction for Set<V> {
    fn walk_action<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" DO UPDATE SET ");
        self.walk_ast(out)
    }
}

impl<V: QueryFragment<Pg>, E: QueryFragment<Pg>> ConflictAction for FilteredSet<V, E> {
    fn walk_action<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.set.walk_action(out.reborrow())?;
        out.push_sql(" WHERE ");
        self.predicate.walk_ast(out)
    }
}

impl<V: QueryFragment<Pg>> QueryFragment<Pg> for Set<V> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self.refusal {
            Some(refusal) => Err(QueryBuilderError(refusal.error().into())),
            None => self.changes.walk_ast(out),
        }
    }
}

impl<V: QueryFragment<Pg>> Set<V> {
    /// Creates the assignments and inspects their SQL for faults that the types can't detect. A derived changeset may
    /// set `workspace_id`, and a literal may add assignments. Each assignment must begin with one quoted column.
    pub(super) fn new(changes: V) -> Self {
        let mut text = PgQueryBuilder::default();
        let written = changes.to_sql(&mut text, &Pg);
        let text = text.finish();
        let refusal = match written {
            // The same error occurs again when the statement is sent, and the caller receives it then.
            Err(_) => None,
            Ok(()) if text.is_empty() => Some(Refusal::Empty),
            Ok(()) => assigned(&text)
                .any(|column| column.is_none_or(|column| column == "\"workspace_id\""))
                .then_some(Refusal::SetsTheWorkspace),
        };
        Self { changes, refusal }
    }
}

/// Returns the column of each assignment in a list, or `None` for an assignment that does not begin with one.
fn assigned(text: &str) -> impl Iterator<Item = Option<&str>> {
    let (mut depth, mut begins, mut ended) = (0_i32, true, Ok(()));
    let tokens: Vec<SqlToken<'_>> = SqlLexer::new(text).tokens(&mut ended).collect();
    tokens.into_iter().filter_map(move |token| {
        let is_first = std::mem::replace(&mut begins, false);
        match token {
            SqlToken::Other(b'(') => depth += 1,
            SqlToken::Other(b')') => depth -= 1,
            SqlToken::Other(b',') => begins = depth == 0,
            _ => {}
        }
        is_first.then_some(match token {
            SqlToken::Name(column) => Some(column),
            _ => None,
        })
    })
}

impl Refusal {
    fn error(self) -> Error {
        match self {
            Self::Empty => Error::invalid("the changeset changes nothing").remedy("set at least one field"),
            Self::SetsTheWorkspace => {
                Error::invalid("the changeset sets workspace_id or a list of columns, but a row stays in its workspace")
                    .remedy("omit workspace_id, and assign one column at a time")
            }
        }
    }
}

impl<F: QueryFragment<Pg>, E: QueryFragment<Pg>> QueryFragment<Pg> for Returning<F, E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.statement.walk_ast(out.reborrow())?;
        out.push_sql(" RETURNING ");
        self.expression.walk_ast(out)
    }
}

impl<F, E: Expression> Query for Returning<F, E> {
    type SqlType = E::SqlType;
}

/// Statement that a connection may keep prepared, although Diesel would prepare a part of it each time.
///
/// Diesel prepares inserts and updates each time, because their text depends on which fields are `None`. An insert of
/// one row then takes 2.4 times as long (docs/figures.md). A connection keeps this statement by its text, if there are
/// few such texts.
#[derive(Clone, Copy, Debug)]
pub struct Prepared<F> {
    pub(super) statement: F,
    pub(super) is_kept: bool,
}

impl<F: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<F> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.statement.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(self.is_kept)
    }
}

impl<F: Query> Query for Prepared<F> {
    type SqlType = F::SqlType;
}

impl_dynamic_query_id!(Update<W, V, T>, Delete<W, T>, OnConflict<I, P, A>, Returning<F, E>, Prepared<F>);

/// Statement that inserts rows and has no clause after them.
pub trait InsertsRows {}

impl<V, T: Table> InsertsRows for InsertStatement<T, V> {}

/// Statement without a `RETURNING` clause.
pub trait ReturnsNothing {
    /// Table whose columns it would return.
    type Table: Table;
}

impl<W, V, T: Table> ReturnsNothing for Update<W, V, T> {
    type Table = T;
}

impl<W, T: Table> ReturnsNothing for Delete<W, T> {
    type Table = T;
}

impl<V, T: Table> ReturnsNothing for InsertStatement<T, V> {
    type Table = T;
}

impl<I: ReturnsNothing, P, A> ReturnsNothing for OnConflict<I, P, A> {
    type Table = I::Table;
}

/// Statement that returns the columns of its `RETURNING` clause, or else all columns.
pub trait ReturnsRows {
    /// Statement with its `RETURNING` clause.
    type Query;

    /// Adds the clause if it is missing.
    #[doc(hidden)]
    fn returning_rows(self) -> Self::Query;
}

impl<F, E> ReturnsRows for Returning<F, E> {
    type Query = Self;

    fn returning_rows(self) -> Self {
        self
    }
}

impl<F: ReturnsNothing> ReturnsRows for F {
    type Query = Returning<F, <F::Table as Table>::AllColumns>;

    fn returning_rows(self) -> Self::Query {
        Returning { statement: self, expression: F::Table::all_columns() }
    }
}
