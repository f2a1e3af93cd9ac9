//! A mark that only this crate's macros leave.

/// The mark of an implementation that one of this crate's macros wrote.
///
/// A trait that has a constant of it makes a promise that the compiler can't check, such as that a table's rows belong to one
/// workspace each. [`tenant_tables!`](crate::tenant_tables), [`relations!`](crate::relations) and
/// [`tenant_rows!`](crate::tenant_rows) keep it; an implementation by hand is no part of the public API.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct MacroMarker(());

#[doc(hidden)]
#[must_use]
pub const fn macro_marker() -> MacroMarker {
    MacroMarker(())
}

/// Whether two names are the same, where a `const` asks.
#[doc(hidden)]
#[must_use]
pub const fn is_same_name(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    while let ([first, rest @ ..], [first_other, rest_other @ ..]) = (one, other) {
        if *first != *first_other {
            return false;
        }
        (one, other) = (rest, rest_other);
    }
    one.is_empty() && other.is_empty()
}
