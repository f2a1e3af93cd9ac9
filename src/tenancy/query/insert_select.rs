//! `INSERT ... SELECT` from one query of a workspace into a table of the same workspace.

use std::marker::PhantomData;

use diesel::expression::{Expression, IsContainedInGroupBy};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Uuid as SqlUuid;
use diesel::{Column, QueryResult};

use super::dynamic_query_id::impl_dynamic_query_id;
use super::expression::Settable;
use super::fragment::{InsertsRows, ReturnsNothing};
use super::scoped::Scoped;
use super::subquery::InnerQuery;
use super::table::{TenantTable, WritableTable};
use super::write::ScopedStatement;
use crate::id::WorkspaceId;
use crate::tenancy::compile_errors::{MacroMarker, macro_marker};
use crate::tenancy::inspection::{self, ReadKeywords};

/// Tuple of columns of `T` that an insert may fill: all except `workspace_id`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tuple of columns that an insert into this table may fill",
    label = "not a tuple of at most 16 columns of this table, or it contains `workspace_id`",
    note = "name the columns in the order of the query's selection: `(documents::title, documents::status)`",
    note = "the scope supplies `workspace_id`; leave the column out"
)]
pub trait InsertColumns<T: TenantTable> {
    /// SQL type of a query whose rows fit the columns.
    type SqlType;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;
    /// Names of the columns.
    #[doc(hidden)]
    const NAMES: &'static [&'static str];
}

impl<T: TenantTable, A: Column<Table = T>> InsertColumns<T> for (A,)
where
    Settable<T>: IsContainedInGroupBy<A>,
{
    type SqlType = A::SqlType;

    const DECLARED: MacroMarker = macro_marker();
    const NAMES: &'static [&'static str] = &[A::NAME];
}

macro_rules! insert_columns {
    ($($($column:ident)+;)+) => {$(
        impl<T: TenantTable, $($column: Column<Table = T>),+> InsertColumns<T> for ($($column,)+)
        where
            $(Settable<T>: IsContainedInGroupBy<$column>),+
        {
            type SqlType = ($(<$column as Expression>::SqlType,)+);

            const DECLARED: MacroMarker = macro_marker();
            const NAMES: &'static [&'static str] = &[$($column::NAME),+];
        }
    )+};
}

insert_columns! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O P;
}

/// `INSERT INTO table (workspace_id, ...) SELECT $1, ... FROM (...)`
#[derive(Clone, Copy, Debug)]
pub struct InsertSelect<Q, T> {
    query: InnerQuery<Q>,
    workspace: WorkspaceId,
    columns: &'static [&'static str],
    table: PhantomData<T>,
}

impl<T: TenantTable> Scoped<T::InWorkspace, (T, ())> {
    /// Inserts the rows of a query of the same workspace. The scope supplies the workspace of each row.
    ///
    /// `columns` is a tuple, in the order of the query's selection. The database fills the other columns by their defaults.
    /// [`on_conflict`](ScopedStatement::on_conflict) and [`returning`](ScopedStatement::returning) work as after
    /// [`insert`](Self::insert).
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::schema::{conversations, messages};
    /// use workspace_db::sql_types::MessageRole;
    /// use workspace_db::id::ConversationId;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection, copy: ConversationId) -> workspace_db::Result<()> {
    /// let questions = messages::table
    ///     .in_workspace(&ws)
    ///     .filter(messages::role.eq(MessageRole::User))
    ///     .select((copy.into_sql::<diesel::sql_types::Uuid>(), messages::role, messages::content));
    /// let inserted = messages::table
    ///     .in_workspace(&ws)
    ///     .insert_select((messages::conversation_id, messages::role, messages::content), questions)
    ///     .execute(ws)
    ///     .await?;
    /// # drop(inserted);
    /// # Ok(())
    /// # }
    /// ```
    pub fn insert_select<C, Q, S>(self, _columns: C, rows: Scoped<Q, S>) -> ScopedStatement<InsertSelect<Q, T>, T>
    where
        C: InsertColumns<T>,
        Q: Query<SqlType = C::SqlType>,
        T: WritableTable,
    {
        let workspace = self.workspace;
        let query = rows.into_inner(|query| query);
        let statement = InsertSelect { query, workspace, columns: C::NAMES, table: PhantomData };
        ScopedStatement::new(workspace, Some(statement))
    }
}

impl<Q: QueryFragment<Pg>, T: TenantTable> QueryFragment<Pg> for InsertSelect<Q, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        inspection::account(ReadKeywords { selects: 1, froms: 1, ..ReadKeywords::default() });
        out.push_sql("INSERT INTO ");
        out.push_identifier(T::NAME)?;
        out.push_sql(" (workspace_id");
        for column in self.columns {
            out.push_sql(", ");
            out.push_identifier(column)?;
        }
        out.push_sql(") SELECT ");
        out.push_bind_param::<SqlUuid, _>(&self.workspace)?;
        out.push_sql(", inserted.* FROM (");
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(") AS inserted");
        Ok(())
    }
}

impl_dynamic_query_id!(InsertSelect<Q, T>);

impl<Q, T: TenantTable> ReturnsNothing for InsertSelect<Q, T> {
    type Table = T;
}

impl<Q, T> InsertsRows for InsertSelect<Q, T> {}
