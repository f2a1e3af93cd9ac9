//! Bound that the standard library can't state yet.

/// Async closure with a nameable future type, so that a bound can require [`Send`] of the future.
///
/// Every async closure implements it, and callers only meet the bound. Diesel's `AsyncConnection` declares its own
/// transactions in the same way.
pub trait AsyncFunc<A, R>: AsyncFnOnce(A) -> R + FnOnce(A) -> <Self as AsyncFunc<A, R>>::Fut {
    /// Future that the closure returns.
    type Fut: Future<Output = R>;
}

impl<F, A, Fut, R> AsyncFunc<A, R> for F
where
    F: AsyncFnOnce(A) -> R + FnOnce(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}
