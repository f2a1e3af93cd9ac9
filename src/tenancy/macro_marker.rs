//! Mark that only this crate's macros leave.

/// Mark of an implementation that one of this crate's macros wrote.
///
/// A trait with a constant of this type makes a promise that the compiler can't check. For example, each row of a
/// table belongs to one workspace. [`tenant_tables!`](crate::tenant_tables), [`relations!`](crate::relations) and
/// [`tenant_rows!`](crate::tenant_rows) keep it. An implementation by hand is not part of the public API.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct MacroMarker(());

#[doc(hidden)]
#[must_use]
pub const fn macro_marker() -> MacroMarker {
    MacroMarker(())
}

/// Returns true if two names are equal, in a `const` context.
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
