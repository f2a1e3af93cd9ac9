//! Joins along declared relations, which always include the workspace.

use std::marker::PhantomData;

use super::table::TenantSource;
use crate::tenancy::compile_errors::MacroMarker;

/// Foreign key between two tenant tables or their aliases, in the direction from `Self`.
/// [`relations!`](crate::relations) implements it in both directions.
#[diagnostic::on_unimplemented(
    message = "no relation is declared between `{Self}` and `{Other}`",
    label = "joins follow declared relations, which always carry the workspace",
    note = "declare the foreign key once: `relations! {{ document_chunks.document_id => documents; }}`"
)]
pub trait RelatedTo<Other: TenantSource>: TenantSource {
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

    /// Mark of the macro that declared the relation.
    #[doc(hidden)]
    const DECLARED: MacroMarker;

    /// Returns the join condition.
    fn on() -> Self::On;
}

/// Position of the first table in the list, which was joined last.
#[derive(Debug)]
pub struct Here;
/// Position of a table after the first.
#[derive(Debug)]
pub struct There<Place>(PhantomData<Place>);

#[diagnostic::do_not_recommend]
impl<R: TenantSource, Head: RelatedTo<R>, Tail> JoinsTo<R, Here> for (Head, Tail) {
    type On = Head::On;

    const DECLARED: MacroMarker = Head::DECLARED;

    fn on() -> Self::On {
        const { Self::DECLARED };
        Head::on()
    }
}

#[diagnostic::do_not_recommend]
impl<R, Head, Tail: JoinsTo<R, Place>, Place> JoinsTo<R, There<Place>> for (Head, Tail) {
    type On = Tail::On;

    const DECLARED: MacroMarker = Tail::DECLARED;

    fn on() -> Self::On {
        const { Self::DECLARED };
        Tail::on()
    }
}
