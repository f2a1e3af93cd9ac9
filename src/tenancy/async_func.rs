//! A bound that the standard library can't state yet.

/// An async closure whose future is of a type that can be named, and so be asked to be [`Send`].
///
/// Implemented for every async closure; nothing to do with it but to meet the bound. Diesel's `AsyncConnection` states
/// its own transactions in the same way.
pub trait AsyncFunc<A, R>: AsyncFnOnce(A) -> R + FnOnce(A) -> <Self as AsyncFunc<A, R>>::Fut {
    /// What the closure returns.
    type Fut: Future<Output = R>;
}

impl<F, A, Fut, R> AsyncFunc<A, R> for F
where
    F: AsyncFnOnce(A) -> R + FnOnce(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}
