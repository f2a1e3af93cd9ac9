//! Parts of a query whose type has several SQL texts.

/// Implements `QueryId` so that prepared statements are cached by their text, because one type has several texts.
macro_rules! impl_dynamic_query_id {
    ($($fragment:ident<$($parameter:ident),+>),+) => {$(
        impl<$($parameter),+> QueryId for $fragment<$($parameter),+> {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }
    )+};
}
pub(super) use impl_dynamic_query_id;
