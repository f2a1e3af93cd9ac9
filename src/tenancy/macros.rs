//! Macros that declare tenant tables, their relations and their rows.

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
        $crate::tenant_tables!(@register $($table $(: $id)? $(=> $read_only)?),+);
        $($crate::__appear_with_tenant_tables!($table);)+
    };
    (@register $($table:ident $(: $id:ty)? $(=> $read_only:ident)?),+) => {
        /// Names of the tables that are registered here.
        pub const TENANT_TABLES: &[&str] = &[$(stringify!($table)),+];

        $($crate::tenant_tables!(@writable $table $($read_only)?);)+

        $(
            #[diagnostic::do_not_recommend]
            impl $crate::tenancy::TenantSource for $table::table {
                type Checked = Self;
                type InWorkspace = ::diesel::dsl::Filter<
                    $table::table,
                    ::diesel::dsl::Eq<$table::workspace_id, $crate::id::WorkspaceId>,
                >;

                const IS_OF_TENANTS: $crate::tenancy::MacroMarker = <Self as $crate::tenancy::TenantTable>::DECLARED;

                fn checked(self) -> Self {
                    self
                }

                fn of_workspace(self, workspace: $crate::id::WorkspaceId) -> Self::InWorkspace {
                    const { <Self as $crate::tenancy::TenantSource>::IS_OF_TENANTS };
                    ::diesel::QueryDsl::filter(self, <Self as $crate::tenancy::TenantTable>::workspace_value(workspace))
                }
            }

            #[diagnostic::do_not_recommend]
            impl $crate::tenancy::TenantTable for $table::table {
                type WorkspaceColumn = $table::workspace_id;
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

/// Permits a table of your crate in one query with tables of another one: `appear_together!(document_tags: invoices)`.
///
/// [`tenant_tables!`] does this for your tables with each tenant table of this crate. Within one crate, use Diesel's
/// `allow_tables_to_appear_in_same_query!`. Across two crates it does not compile, because it also implements traits only
/// for tables of the other crate.
///
/// [`tenant_tables!`]: crate::tenant_tables
#[macro_export]
macro_rules! appear_together {
    ($mine:ident: $($theirs:ident),+ $(,)?) => {
        $($crate::appear_together!(@pair $mine::table, $theirs::table);)+
    };
    (@pair $mine:ty, $theirs:ty) => {
        impl ::diesel::query_source::TableNotEqual<$theirs> for $mine {}
        impl ::diesel::query_source::TableNotEqual<$mine> for $theirs {}
    };
}

/// Declares foreign keys between tenant tables, for joins in both directions.
///
/// `document_chunks.document_id => documents` states that the column refers to `documents.id` of the same workspace. Two
/// tables of your own crate must also be in Diesel's `allow_tables_to_appear_in_same_query!`, which `diesel print-schema`
/// writes.
///
/// If two keys of a table refer to the same table, or a table refers to itself, a table can't be joined by its name. Then
/// declare one alias for each key, all in one [`diesel::alias!`], and name the alias in the relation. With an alias of the
/// parent: `transfers.payer_id => accounts as Payer`. With an alias of the child: `accounts as Branch.parent_id => accounts`,
/// whose parent must be a table of your own crate. Both sides can have one.
///
/// ```
/// # mod schema {
/// #     diesel::table! {
/// #         accounts (workspace_id, id) { id -> Uuid, workspace_id -> Uuid, parent_id -> Nullable<Uuid>, name -> Text, }
/// #     }
/// #     diesel::table! {
/// #         transfers (workspace_id, id) { id -> Uuid, workspace_id -> Uuid, payer_id -> Uuid, payee_id -> Uuid, }
/// #     }
/// #     diesel::allow_tables_to_appear_in_same_query!(accounts, transfers);
/// # }
/// # workspace_db::typed_ids! {
/// #     /// Names an account.
/// #     pub AccountId, "an account";
/// #     /// Names a transfer.
/// #     pub TransferId, "a transfer";
/// # }
/// use diesel::prelude::*;
/// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
///
/// use schema::{accounts, transfers};
///
/// workspace_db::tenant_tables! {
///     accounts: AccountId,
///     transfers: TransferId,
/// }
/// diesel::alias! {
///     pub const payer: Alias<Payer> = accounts as payer;
///     pub const payee: Alias<Payee> = accounts as payee;
///     pub const parent: Alias<Parent> = accounts as parent;
///     pub const branch: Alias<Branch> = accounts as branch;
/// }
/// workspace_db::relations! {
///     transfers.payer_id => accounts as Payer;
///     transfers.payee_id => accounts as Payee;
///     accounts.parent_id => accounts as Parent;
///     accounts as Branch.parent_id => accounts;
/// }
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let names: Vec<(String, String)> = transfers::table
///     .in_workspace(&ws)
///     .inner_join(payer)
///     .inner_join(payee)
///     .select((payer.field(accounts::name), payee.field(accounts::name)))
///     .load(ws)
///     .await?;
/// let with_branches: Vec<String> = accounts::table
///     .in_workspace(&ws)
///     .filter_exists(branch.in_workspace(&ws))
///     .select(accounts::name)
///     .load(ws)
///     .await?;
/// # drop((names, with_branches));
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! relations {
    ($($child:ident $(as $child_alias:ident)? . $column:ident => $parent:ident $(as $parent_alias:ident)?;)+) => {
        $($crate::relations!(@key $child $([$child_alias])? $column $parent $([$parent_alias])?);)+
    };
    (@key $child:ident $column:ident $parent:ident) => {
        $crate::relations!(
            @impl $child::table, $child::workspace_id, $child::$column,
            $parent::table, $parent::workspace_id, $parent::id
        );
    };
    (@key $child:ident $column:ident $parent:ident [$alias:ident]) => {
        $crate::relations!(
            @impl $child::table, $child::workspace_id, $child::$column, $crate::diesel::query_source::Alias<$alias>,
            $parent::workspace_id => $alias, $parent::id => $alias
        );
    };
    (@key $child:ident [$alias:ident] $column:ident $parent:ident) => {
        $crate::relations!(
            @impl $crate::diesel::query_source::Alias<$alias>, $child::workspace_id => $alias,
            $child::$column => $alias, $parent::table, $parent::workspace_id, $parent::id
        );
    };
    (@key $child:ident [$alias:ident] $column:ident $parent:ident [$parent_alias:ident]) => {
        $crate::relations!(
            @impl $crate::diesel::query_source::Alias<$alias>, $child::workspace_id => $alias,
            $child::$column => $alias, $crate::diesel::query_source::Alias<$parent_alias>,
            $parent::workspace_id => $parent_alias, $parent::id => $parent_alias
        );
    };
    (
        @impl $child:ty, $child_workspace:path $(=> $a:ident)?, $column:path $(=> $b:ident)?,
        $parent:ty, $parent_workspace:path $(=> $c:ident)?, $id:path $(=> $d:ident)?
    ) => {
        #[diagnostic::do_not_recommend]
        impl $crate::tenancy::RelatedTo<$parent> for $child {
            type On = ::diesel::dsl::And<
                ::diesel::dsl::Eq<
                    $crate::relations!(@type $child_workspace $(=> $a)?),
                    $crate::relations!(@type $parent_workspace $(=> $c)?),
                >,
                ::diesel::dsl::Eq<
                    ::diesel::dsl::Nullable<$crate::relations!(@type $column $(=> $b)?)>,
                    ::diesel::dsl::Nullable<$crate::relations!(@type $id $(=> $d)?)>,
                >,
                ::diesel::sql_types::Nullable<::diesel::sql_types::Bool>,
            >;

            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();

            fn on() -> Self::On {
                use ::diesel::{BoolExpressionMethods as _, ExpressionMethods as _, NullableExpressionMethods as _};
                $crate::relations!(@value $child_workspace $(=> $a)?)
                    .eq($crate::relations!(@value $parent_workspace $(=> $c)?))
                    .and(
                        $crate::relations!(@value $column $(=> $b)?)
                            .nullable()
                            .eq($crate::relations!(@value $id $(=> $d)?).nullable()),
                    )
            }
        }

        #[diagnostic::do_not_recommend]
        impl $crate::tenancy::RelatedTo<$child> for $parent {
            type On = <$child as $crate::tenancy::RelatedTo<$parent>>::On;

            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();

            fn on() -> Self::On {
                <$child as $crate::tenancy::RelatedTo<$parent>>::on()
            }
        }
    };
    (@type $column:path) => { $column };
    (@type $column:path => $alias:ident) => { $crate::diesel::query_source::AliasedField<$alias, $column> };
    (@value $column:path) => { $column };
    (@value $column:path => $alias:ident) => {
        $crate::diesel::query_source::Alias::<$alias>::default().field($column)
    };
}

/// Declares the rows to insert and the changesets of tenant tables.
///
/// `documents: NewDocument, DocumentChanges;` names a struct that derives `Insertable` and one that derives
/// `AsChangeset`. Neither has a field `workspace_id`.
#[macro_export]
macro_rules! tenant_rows {
    ($($table:ident: $new:ident, $changes:ident;)+) => {$(
        $crate::tenant_rows!(@new $table, $new, );
        $crate::tenant_rows!(@new $table, &'a $new, 'a);

        #[diagnostic::do_not_recommend]
        impl $crate::tenancy::Changes<$table::table> for $changes {
            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
        }
        #[diagnostic::do_not_recommend]
        impl $crate::tenancy::Changes<$table::table> for &$changes {
            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
        }
    )+};
    (@new $table:ident, $new:ty, $($lifetime:lifetime)?) => {
        impl<$($lifetime)?> $crate::tenancy::NewRow for $new {
            type Table = $table::table;

            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
        }

        #[diagnostic::do_not_recommend]
        impl<$($lifetime)?> $crate::tenancy::NewRows for $new {
            type Table = $table::table;
            type InWorkspace = $crate::tenancy::WithWorkspace<Self>;

            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();

            fn count(&self) -> usize {
                1
            }

            fn in_workspace(self, workspace: $crate::id::WorkspaceId) -> Self::InWorkspace {
                (<$table::table as $crate::tenancy::TenantTable>::workspace_value(workspace), self)
            }
        }
    };
}

/// States the number of dimensions of columns of vectors. A distance to a vector of another length then does not compile.
///
/// `schema.rs` does not state it, because `diesel print-schema` does not read it. The columns must be NOT NULL, and of
/// tables of your own crate. The methods take precedence over those of [`VectorExpressionMethods`](crate::sql_types::VectorExpressionMethods).
///
/// ```compile_fail,E0277
/// mod schema {
///     diesel::table! {
///         photos (workspace_id, id) {
///             id -> Uuid,
///             workspace_id -> Uuid,
///             vector -> workspace_db::sql_types::Vector,
///         }
///     }
/// }
/// use schema::photos;
/// workspace_db::vector_columns! {
///     photos.vector: 512;
/// }
/// let question = workspace_db::sql_types::Embedding::<1536>::try_from([0.5; 1536]).unwrap();
/// let nearest = photos::vector.cosine_distance(question);
/// ```
#[macro_export]
macro_rules! vector_columns {
    ($($table:ident . $column:ident: $dimensions:literal;)+) => {$(
        $crate::vector_columns!(
            @distances $table, $column, $dimensions, cosine_distance => CosineDistance,
            cosine_similarity => CosineSimilarity, l2_distance => L2Distance,
            negative_inner_product => NegativeInnerProduct
        );
    )+};
    (@distances $table:ident, $column:ident, $dimensions:literal, $($name:ident => $result:ident),+) => {
        impl $table::$column {
            $(
                /// Returns what the method of the same name in `VectorExpressionMethods` returns, for vectors of this length.
                pub fn $name<T, Kind>(self, other: T) -> $crate::sql_types::$result<Self, T::Expression>
                where
                    T: ::diesel::expression::AsExpression<$crate::sql_types::Vector>
                        + $crate::tenancy::VectorOperand<$dimensions, Kind>,
                {
                    $crate::sql_types::VectorExpressionMethods::$name(self, other)
                }
            )+
        }
    };
}
