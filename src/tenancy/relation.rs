//! Joins along declared relations, which always carry the workspace.

use std::marker::PhantomData;

use super::macro_marker::MacroMarker;
use super::table::TenantTable;

/// A foreign key between two tenants' tables, in the direction from `Self`. [`relations!`](crate::relations) implements
/// it both ways.
#[diagnostic::on_unimplemented(
    message = "no relation is declared between `{Self}` and `{Other}`",
    label = "joins follow declared relations, which always carry the workspace",
    note = "declare the foreign key once: `relations! {{ document_chunks.document_id => documents; }}`"
)]
pub trait RelatedTo<Other: TenantTable>: TenantTable {
    /// Same workspace, and the foreign key meets the id.
    type On;

    /// Left by the macro that implements this.
    #[doc(hidden)]
    const DECLARED: MacroMarker;

    /// What the join is `ON`.
    fn on() -> Self::On;
}

/// The relation from one of the tables `S` of a query to the table `R`; `Place` says which, and is inferred.
#[diagnostic::on_unimplemented(
    message = "no relation is declared between `{R}` and the tables of this query",
    label = "joins follow declared relations, which always carry the workspace",
    note = "declare the foreign key once: `relations! {{ document_chunks.document_id => documents; }}`"
)]
pub trait JoinsTo<R, Place> {
    /// What the join is `ON`.
    type On;

    /// The same as a value.
    fn on() -> Self::On;
}

/// The first table of the list.
#[derive(Debug)]
pub struct Here;
/// A table behind the first.
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

/// Lets a table of your crate stand in one query with tables of this one: `appear_together!(document_tags: documents)`.
///
/// Within one crate Diesel's `allow_tables_to_appear_in_same_query!` does it; across two it does not compile, since it
/// also speaks for the other crate's tables alone.
#[macro_export]
macro_rules! appear_together {
    ($mine:ident: $($theirs:ident),+ $(,)?) => {$(
        impl ::diesel::query_source::TableNotEqual<$theirs::table> for $mine::table {}
        impl ::diesel::query_source::TableNotEqual<$mine::table> for $theirs::table {}
    )+};
}

/// Declares foreign keys between tenants' tables, for joins in both directions.
///
/// `document_chunks.document_id => documents` says that the column refers to `documents.id` of the same workspace. The
/// tables must also be known to Diesel's `allow_tables_to_appear_in_same_query!`, or where they are of two crates to
/// [`appear_together!`](crate::appear_together).
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
