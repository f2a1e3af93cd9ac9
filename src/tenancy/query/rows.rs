//! Values for the rows of a workspace: those that can be inserted or set, and those by which an upsert finds a row.

use diesel::Column;
use diesel::expression::{AppearsOnTable, ValidGrouping};
use diesel::query_builder::AsChangeset;

use super::expression::{Settable, Within};
use super::table::TenantTable;
use crate::id::WorkspaceId;
use crate::tenancy::compile_errors::{MacroMarker, macro_marker};

/// Row to insert into a tenant table (`New...`), without its workspace. [`tenant_rows!`](crate::tenant_rows)
/// implements it.
pub trait NewRow: Sized {
    /// The table.
    type Table: TenantTable;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;
}

/// Rows to insert: one [`NewRow`] or many, owned or borrowed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be inserted into a workspace",
    label = "not declared as a row to insert",
    note = "declare it beside the struct: `tenant_rows! {{ documents: NewDocument, DocumentChanges; }}`",
    note = "it must have no field `workspace_id`: the scope supplies it, for one row or a thousand"
)]
pub trait NewRows {
    /// The table.
    type Table: TenantTable;
    /// Rows, each with its workspace.
    type InWorkspace;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;

    /// Returns the number of rows.
    #[doc(hidden)]
    fn count(&self) -> usize;

    /// Adds the workspace to each row.
    #[doc(hidden)]
    fn in_workspace(self, workspace: WorkspaceId) -> Self::InWorkspace;
}

/// A row with its workspace.
pub type WithWorkspace<N> = (<<N as NewRow>::Table as TenantTable>::WorkspaceValue, N);

fn with_workspace<N: NewRow>(rows: impl Iterator<Item = N>, workspace: WorkspaceId) -> Vec<WithWorkspace<N>> {
    rows.map(|row| (N::Table::workspace_value(workspace), row)).collect()
}

#[diagnostic::do_not_recommend]
impl<N: NewRow> NewRows for Vec<N> {
    type Table = N::Table;
    type InWorkspace = Vec<WithWorkspace<N>>;

    const DECLARED: MacroMarker = N::DECLARED;

    fn count(&self) -> usize {
        self.len()
    }

    fn in_workspace(self, workspace: WorkspaceId) -> Self::InWorkspace {
        with_workspace(self.into_iter(), workspace)
    }
}

#[diagnostic::do_not_recommend]
impl<'a, N> NewRows for &'a [N]
where
    &'a N: NewRow,
{
    type Table = <&'a N as NewRow>::Table;
    type InWorkspace = Vec<WithWorkspace<&'a N>>;

    const DECLARED: MacroMarker = <&'a N as NewRow>::DECLARED;

    fn count(&self) -> usize {
        self.len()
    }

    fn in_workspace(self, workspace: WorkspaceId) -> Self::InWorkspace {
        with_workspace(self.iter(), workspace)
    }
}

#[diagnostic::do_not_recommend]
impl<'a, N> NewRows for &'a Vec<N>
where
    &'a [N]: NewRows,
{
    type Table = <&'a [N] as NewRows>::Table;
    type InWorkspace = <&'a [N] as NewRows>::InWorkspace;

    const DECLARED: MacroMarker = <&'a [N] as NewRows>::DECLARED;

    fn count(&self) -> usize {
        self.len()
    }

    fn in_workspace(self, workspace: WorkspaceId) -> Self::InWorkspace {
        self.as_slice().in_workspace(workspace)
    }
}

/// Assignments that a statement may set in `T`: one assignment, a tuple of them, or a declared `...Changes`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be set in a workspace's row",
    label = "not an assignment to a column of this table, and not declared as its changes",
    note = "declare a changeset beside its struct: `tenant_rows! {{ documents: NewDocument, DocumentChanges; }}`",
    note = "`workspace_id` can't be set: a row stays in its workspace"
)]
pub trait Changes<T: TenantTable>: AsChangeset<Target = T> {
    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;
}

impl<T, V> Changes<T> for V
where
    T: TenantTable,
    // `Sync`, because Diesel's boxed query is not `Sync`: it would hide an unscoped subquery.
    V: AsChangeset<Target = T> + AppearsOnTable<Within<(T, ())>> + ValidGrouping<Settable<T>> + Sync,
{
    const DECLARED: MacroMarker = macro_marker();
}

/// Columns by which an upsert finds the existing row, beginning with `workspace_id`.
#[diagnostic::on_unimplemented(
    message = "an upsert's conflict target must begin with `workspace_id`",
    label = "this could meet a row of another workspace",
    note = "write `.on_conflict((documents::workspace_id, documents::id))`"
)]
pub trait ConflictTarget<T: TenantTable> {
    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;

    /// Names of the columns.
    #[doc(hidden)]
    const COLUMNS: &'static [&'static str];
}

macro_rules! conflict_targets {
    ($($($column:ident),+;)+) => {$(
        impl<T, Workspace, $($column),+> ConflictTarget<T> for (Workspace, $($column),+)
        where
            T: TenantTable<WorkspaceColumn = Workspace>,
            Workspace: Column,
            $($column: Column<Table = T>),+
        {
            const DECLARED: MacroMarker = macro_marker();
            const COLUMNS: &'static [&'static str] = &[Workspace::NAME, $($column::NAME),+];
        }
    )+};
}

conflict_targets! {
    A;
    A, B;
    A, B, C;
}
