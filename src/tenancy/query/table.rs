//! Tenant tables and their aliases.

use diesel::expression::ValidGrouping;
use diesel::query_builder::QueryId;
use diesel::query_dsl::methods::FilterDsl;
use diesel::query_source::{Alias, AliasSource, AliasedField, QuerySource};
use diesel::sql_types::Uuid as SqlUuid;
use diesel::{Column, ExpressionMethods as _, Table, dsl};

use crate::id::WorkspaceId;
use crate::tenancy::compile_errors::MacroMarker;

/// Source of rows that belong to one workspace each: a [`TenantTable`], or a [`diesel::alias!`] of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not registered as a workspace's table",
    label = "no table of a workspace",
    note = "a table with a `workspace_id`: name it in `tenant_tables!`, with the type of its id",
    note = "a global table such as `admin_users` or `workspaces`: query it in `db.across_workspaces(\"why\", ...)`"
)]
pub trait TenantSource: QuerySource + Send + 'static {
    /// Always `Self`. Bounds use it so that one mistake causes one compile error.
    type Checked: QuerySource;
    /// `SELECT ... FROM self WHERE workspace_id = $1`.
    type InWorkspace;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const IS_OF_TENANTS: MacroMarker;

    /// Returns the source itself.
    #[doc(hidden)]
    fn checked(self) -> Self::Checked;

    /// Returns the rows of a workspace.
    #[doc(hidden)]
    fn of_workspace(self, workspace: WorkspaceId) -> Self::InWorkspace;
}

/// Condition that an aliased table's row is of a workspace.
type AliasInWorkspace<S, T> = dsl::Eq<AliasedField<S, <T as TenantTable>::WorkspaceColumn>, WorkspaceId>;

#[diagnostic::do_not_recommend]
impl<S> TenantSource for Alias<S>
where
    S: AliasSource + Send + 'static,
    S::Target: TenantTable,
    Self: QuerySource + FilterDsl<AliasInWorkspace<S, S::Target>>,
{
    type Checked = Self;
    type InWorkspace = dsl::Filter<Self, AliasInWorkspace<S, S::Target>>;

    const IS_OF_TENANTS: MacroMarker = <S::Target as TenantTable>::DECLARED;

    fn checked(self) -> Self {
        self
    }

    fn of_workspace(self, workspace: WorkspaceId) -> Self::InWorkspace {
        let of = self.field(<S::Target as TenantTable>::WorkspaceColumn::default());
        self.filter(of.eq(workspace))
    }
}

/// Table whose rows belong to one workspace each. [`tenant_tables!`](crate::tenant_tables) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not registered as a workspace's table",
    label = "no table of a workspace",
    note = "a table with a `workspace_id`: name it in `tenant_tables!`, with the type of its id",
    note = "a global table such as `admin_users` or `workspaces`: query it in `db.across_workspaces(\"why\", ...)`"
)]
pub trait TenantTable: TenantSource + Table + QueryId {
    /// Column `workspace_id` of the table.
    type WorkspaceColumn: Column<Table = Self, SqlType = SqlUuid> + Default + ValidGrouping<()>;
    /// `workspace_id = $1` as a value of an insert.
    type WorkspaceValue;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;
    /// Name of the table in the database.
    const NAME: &'static str;

    /// Returns the workspace as a value of a row to insert.
    #[doc(hidden)]
    fn workspace_value(workspace: WorkspaceId) -> Self::WorkspaceValue;
}

/// A [`TenantTable`] whose rows a scope with write access can insert, change and delete.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` are not changed through a scope",
    label = "a scope reads this table, and no more",
    note = "`workspace_db::auth` changes it, and leaves an entry in the audit log: members, settings, tokens"
)]
pub trait WritableTable: TenantTable {
    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const MAY_BE_WRITTEN: MacroMarker;
}

/// A [`TenantTable`] whose rows have their own `id`; `workspace_settings` has none.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` have no id of their own",
    note = "`find` needs an id; where the workspace itself is the key, `.first(&mut ws)` is the one row"
)]
pub trait IdentifiedTable: TenantTable {
    /// Column `id` of the table.
    type IdColumn: Column<Table = Self, SqlType = SqlUuid> + Default;
    /// Type of the id; the id of another table does not fit.
    type Id;
    /// `id = $1`.
    type HasId;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const HAS_AN_ID: MacroMarker;

    /// Returns the predicate that a row has this id.
    #[doc(hidden)]
    fn has_id(id: Self::Id) -> Self::HasId;
}
