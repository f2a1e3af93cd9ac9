//! Joins along declared relations, which always include the workspace.

use std::marker::PhantomData;

use super::macro_marker::MacroMarker;
use super::table::TenantTable;

/// Foreign key between two tenant tables, in the direction from `Self`. [`relations!`](crate::relations) implements it
/// in both directions.
#[diagnostic::on_unimplemented(
    message = "no relation is declared between `{Self}` and `{Other}`",
    label = "joins follow declared relations, which always carry the workspace",
    note = "declare the foreign key once: `relations! {{ document_chunks.document_id => documents; }}`"
)]
pub trait RelatedTo<Other: TenantTable>: TenantTable {
    /// Join condition: the workspaces are the same, and the foreign key equals the id.
    type On;

    /// Mark of the macro that implements this trait.
    #[doc(hidden)]
    const DECLARED: MacroMarker;

    /// Returns the join condition.
    fn on() -> Self::On;
}

/// Relation from one of the tables `S` of a query to the table `R`. `Place` is the position in `S`, which is inferred.
#[diagnostic::on_unimplemented(
    message = "no relation is declared between `{R}` and the tables of this query",
    label = "joins follow declared relations, which always carry the workspace",
    note = "declare the foreign key once: `relations! {{ document_chunks.document_id => documents; }}`"
)]
pub trait JoinsTo<R, Place> {
    /// Join condition.
    type On;

    /// Returns the join condition.
    fn on() -> Self::On;
}

/// Position of the first table in the list, which was joined last.
#[derive(Debug)]
pub struct Here;
/// Position of a table after the first.
#[derive(Debug)]
pub struct There<Place>(PhantomData<Place>);

impl<R: TenantTable, Head: RelatedTo<R>, Tail> JoinsTo<R, Here> for (Head, Tail) {
    type On = Head::On;

    fn on() -> Self::On {
        Head::on()
    }
}

impl<R, Head, Tail: JoinsTo<R, Place>, Place> JoinsTo<R, There<Place>> for (Head, Tail) {
    type On = Tail::On;

    fn on() -> Self::On {
        Tail::on()
    }
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
