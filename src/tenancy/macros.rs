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

/// Permits a table of your crate in one query with tables of this one: `appear_together!(document_tags: documents)`.
///
/// Within one crate, use Diesel's `allow_tables_to_appear_in_same_query!`. Across two crates it does not compile,
/// because it also implements traits only for tables of the other crate.
#[macro_export]
macro_rules! appear_together {
    ($mine:ident: $($theirs:ident),+ $(,)?) => {$(
        impl ::diesel::query_source::TableNotEqual<$theirs::table> for $mine::table {}
        impl ::diesel::query_source::TableNotEqual<$mine::table> for $theirs::table {}
    )+};
}

/// Declares foreign keys between tenant tables, for joins in both directions.
///
/// `document_chunks.document_id => documents` states that the column refers to `documents.id` of the same workspace.
/// Also list the tables in Diesel's `allow_tables_to_appear_in_same_query!`. If they are of two crates, use
/// [`appear_together!`](crate::appear_together) instead.
#[macro_export]
macro_rules! relations {
    ($($child:ident . $column:ident => $parent:ident;)+) => {$(
        impl $crate::tenancy::RelatedTo<$parent::table> for $child::table {
            type On = ::diesel::dsl::And<
                ::diesel::dsl::Eq<$child::workspace_id, $parent::workspace_id>,
                ::diesel::dsl::Eq<::diesel::dsl::Nullable<$child::$column>, ::diesel::dsl::Nullable<$parent::id>>,
                ::diesel::sql_types::Nullable<::diesel::sql_types::Bool>,
            >;

            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();

            fn on() -> Self::On {
                use ::diesel::{BoolExpressionMethods as _, ExpressionMethods as _, NullableExpressionMethods as _};
                $child::workspace_id
                    .eq($parent::workspace_id)
                    .and($child::$column.nullable().eq($parent::id.nullable()))
            }
        }

        impl $crate::tenancy::RelatedTo<$child::table> for $parent::table {
            type On = <$child::table as $crate::tenancy::RelatedTo<$parent::table>>::On;

            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();

            fn on() -> Self::On {
                <$child::table as $crate::tenancy::RelatedTo<$parent::table>>::on()
            }
        }
    )+};
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

        impl $crate::tenancy::Changes<$table::table> for $changes {
            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
        }
        impl $crate::tenancy::Changes<$table::table> for &$changes {
            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
        }
    )+};
    (@new $table:ident, $new:ty, $($lifetime:lifetime)?) => {
        impl<$($lifetime)?> $crate::tenancy::NewRow for $new {
            type Table = $table::table;

            const DECLARED: $crate::tenancy::MacroMarker = $crate::tenancy::macro_marker();
        }

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
