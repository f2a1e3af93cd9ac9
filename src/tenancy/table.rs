//! Registration of tenant tables, and the start of a query on one.

use diesel::expression::ValidGrouping;
use diesel::query_builder::QueryId;
use diesel::sql_types::Uuid as SqlUuid;
use diesel::{Column, Table};

use super::macro_marker::MacroMarker;
use super::query::Scoped;
use super::scope::ProvesWorkspace;
use crate::id::WorkspaceId;

/// Table whose rows belong to one workspace each. [`tenant_tables!`](crate::tenant_tables) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not registered as a workspace's table",
    label = "no table of a workspace",
    note = "a table with a `workspace_id`: name it in `tenant_tables!`, with the type of its id",
    note = "a global table such as `admin_users` or `workspaces`: query it in `db.across_workspaces(\"why\", ...)`"
)]
pub trait TenantTable: Table + QueryId + Send + 'static {
    /// Column `workspace_id` of the table.
    type WorkspaceColumn: Column<Table = Self, SqlType = SqlUuid> + ValidGrouping<()>;
    /// `SELECT ... FROM self WHERE workspace_id = $1`.
    type InWorkspace;
    /// `workspace_id = $1` as a value of an insert.
    type WorkspaceValue;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;
    /// Name of the table in the database.
    const NAME: &'static str;

    /// Returns the rows of a workspace.
    #[doc(hidden)]
    fn of_workspace(self, workspace: WorkspaceId) -> Self::InWorkspace;

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

/// Start of a query on a tenant table. A [`WorkspaceConnection`](super::WorkspaceConnection) runs only queries that
/// start with it.
pub trait InWorkspace: Sized {
    /// Returns a query on the rows of the scope's workspace. Nothing that you add to the query reaches other rows.
    ///
    /// ```
    /// use diesel::prelude::*;
    /// use workspace_db::id::WorkspaceId;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceScope};
    ///
    /// let scope = WorkspaceScope::unchecked(WorkspaceId::generate(), "an example");
    /// let query = documents::table.in_workspace(&scope).filter(documents::title.like("A%")).limit(10);
    /// assert!(query.to_sql().contains(r#""documents"."workspace_id" = $1"#));
    /// ```
    fn in_workspace(self, scope: &impl ProvesWorkspace) -> Scoped<Self::InWorkspace, (Self, ())>
    where
        Self: TenantTable;
}

impl<T> InWorkspace for T {
    fn in_workspace(self, scope: &impl ProvesWorkspace) -> Scoped<T::InWorkspace, (T, ())>
    where
        T: TenantTable,
    {
        Scoped::new(self.of_workspace(scope.workspace()), scope.workspace())
    }
}

/// Registers tables whose rows belong to a workspace, and lists their names in `TENANT_TABLES`.
///
/// `documents: DocumentId` is a table module of `schema.rs` with the type of its `id`. A table without a type has no
/// `id`, such as `workspace_settings`, whose key is the workspace itself. A scope reads a table with `=> read_only`
/// and does not change it. Invoke the macro once per module; it defines the list there.
///
/// ```
/// mod schema {
///     diesel::table! {
///         document_tags (workspace_id, id) {
///             id -> Uuid,
///             workspace_id -> Uuid,
///             tag -> Text,
///         }
///     }
/// }
/// workspace_db::typed_ids! {
///     /// Names a row of `document_tags` within its workspace.
///     pub DocumentTagId, "a tag";
/// }
/// use schema::document_tags;
/// workspace_db::tenant_tables! {
///     document_tags: DocumentTagId,
/// }
/// assert_eq!(TENANT_TABLES, ["document_tags"]);
/// ```
#[macro_export]
macro_rules! tenant_tables {
    ($($table:ident $(: $id:ty)? $(=> $read_only:ident)?),+ $(,)?) => {
        /// Names of the tables that are registered here.
        pub const TENANT_TABLES: &[&str] = &[$(stringify!($table)),+];

        $($crate::tenant_tables!(@writable $table $($read_only)?);)+

        $(
            impl $crate::tenancy::TenantTable for $table::table {
                type WorkspaceColumn = $table::workspace_id;
                type InWorkspace = ::diesel::dsl::Filter<
                    $table::table,
                    ::diesel::dsl::Eq<$table::workspace_id, $crate::id::WorkspaceId>,
                >;
                type WorkspaceValue = ::diesel::dsl::Eq<$table::workspace_id, $crate::id::WorkspaceId>;

                const DECLARED: $crate::tenancy::MacroMarker = {
                    assert!(
                        $crate::tenancy::is_same_name(
                            <$table::workspace_id as ::diesel::Column>::NAME,
                            "workspace_id",
                        ),
                        "the column workspace_id of a tenants' table has another name in the database"
                    );
                    $crate::tenancy::macro_marker()
                };
                const NAME: &'static str = stringify!($table);

                fn of_workspace(self, workspace: $crate::id::WorkspaceId) -> Self::InWorkspace {
                    const { Self::DECLARED };
                    ::diesel::QueryDsl::filter(self, Self::workspace_value(workspace))
                }

                fn workspace_value(workspace: $crate::id::WorkspaceId) -> Self::WorkspaceValue {
                    ::diesel::ExpressionMethods::eq($table::workspace_id, workspace)
                }
            }

            impl $crate::tenancy::ConflictTarget<$table::table> for $table::workspace_id {
                const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
                const COLUMNS: &'static [&'static str] = &["workspace_id"];
            }

            $(
                impl $crate::tenancy::IdentifiedTable for $table::table {
                    type IdColumn = $table::id;
                    type Id = $id;
                    type HasId = ::diesel::dsl::Eq<$table::id, $id>;

                    const HAS_AN_ID: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();

                    fn has_id(id: $id) -> Self::HasId {
                        ::diesel::ExpressionMethods::eq($table::id, id)
                    }
                }
            )?
        )+
    };
    (@writable $table:ident read_only) => {};
    (@writable $table:ident) => {
        impl $crate::tenancy::WritableTable for $table::table {
            const MAY_BE_WRITTEN: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
        }
    };
}
