//! Access levels of scopes, as types: a write with a scope that may only read does not compile.

/// Access level of a [`WorkspaceScope`](super::WorkspaceScope) and of the connection that it opens: [`Read`],
/// [`Write`] or [`Administer`].
pub trait Access: private::Sealed + Copy + Send + Sync + 'static {
    /// Statement that begins a transaction. A transaction that may only read is also read-only in PostgreSQL.
    #[doc(hidden)]
    const BEGIN: &'static str;
    /// The level as a value.
    #[doc(hidden)]
    const LEVEL: AccessLevel;
}

/// Access level that permits changes to rows of a workspace: [`Write`] and [`Administer`].
#[diagnostic::on_unimplemented(
    message = "a connection with `{Self}` access can't change rows",
    label = "this scope may only read",
    note = "`db.published(..)` gives a scope that reads; so does a service's token of that kind",
    note = "an administrator's scope may write: `session.workspace(id, &db).await?`"
)]
pub trait MayWrite: Access {}

/// Access to read the rows of a workspace, for the public side of a published workspace or a service that only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read;

/// Access to read and change the content of a workspace, for a member or a service that ingests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write;

/// Access to change also the workspace itself: its settings, its members, its tokens and its publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Administer;

/// Access levels, from the lowest to the highest.
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
