//! What a scope may do, as a type: a write with a scope that may only read does not compile.

/// What a [`WorkspaceScope`](super::WorkspaceScope) and the connection that it opens may do: [`Read`], [`Write`] or
/// [`Administer`].
pub trait Access: private::Sealed + Copy + Send + Sync + 'static {
    /// How a transaction begins: one that may only read says so to PostgreSQL too.
    #[doc(hidden)]
    const BEGIN: &'static str;
    /// The same as a value.
    #[doc(hidden)]
    const LEVEL: AccessLevel;
}

/// Access with which rows of a workspace may be changed: [`Write`] and [`Administer`].
#[diagnostic::on_unimplemented(
    message = "a connection with `{Self}` access can't change rows",
    label = "this scope may only read",
    note = "`db.published(..)` gives a scope that reads; so does a service's token of that kind",
    note = "an administrator's scope may write: `session.workspace(id, &db).await?`"
)]
pub trait MayWrite: Access {}

/// To read the rows of a workspace: a published workspace's public side, a service that only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read;

/// To read and change its content: a member, a service that ingests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write;

/// To change the workspace itself as well: its settings, its members, its tokens, whether it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Administer;

/// From the least to the most.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    Read,
    Write,
    Administer,
}

impl Access for Read {
    const BEGIN: &'static str = "BEGIN READ ONLY";
    const LEVEL: AccessLevel = AccessLevel::Read;
}

impl Access for Write {
    const BEGIN: &'static str = "BEGIN";
    const LEVEL: AccessLevel = AccessLevel::Write;
}

impl Access for Administer {
    const BEGIN: &'static str = "BEGIN";
    const LEVEL: AccessLevel = AccessLevel::Administer;
}

impl MayWrite for Write {}
impl MayWrite for Administer {}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Read {}
    impl Sealed for super::Write {}
    impl Sealed for super::Administer {}
}
