//! Pages by keyset: a page starts after the key of the last row, not at an offset.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use diesel::dsl::{AsExprOf, Filter, Limit, Order};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::query_dsl::methods::{FilterDsl, LimitDsl, OrderDsl};
use diesel::sql_types::{Timestamptz, Uuid as SqlUuid};
use diesel::{Column, IntoSql as _, QueryResult};
use uuid::Uuid;

use super::expression::Group;
use super::page_order::{AfterCursor, InOrder, KeyValues, OrderColumn, PagePlace, descending};
use super::scoped::{OneTable, Scoped};
use super::table::IdentifiedTable;
use crate::error::{Error, Result};
use crate::tenancy::access::Access;
use crate::tenancy::connection::{LoadsAs, WorkspaceConnection};

/// Position of a row in the order of pages. As text it is opaque and fits into a URL. It needs a scope to return rows:
/// another workspace's key names a position, never a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageKey {
    /// Time at which the row was created.
    pub created_at: DateTime<Utc>,
    /// Id of the row, which orders rows of the same time.
    pub id: Uuid,
}

/// Row that has a [`PageKey`].
#[diagnostic::on_unimplemented(
    message = "rows of type `{Self}` have no key for pages",
    label = "no `Keyset`",
    note = "load the model of the table, `load_page::<Document, _, _>`, and implement `Keyset` for a model of your own",
    note = "`workspace-db migrate generate` writes it for a table with `created_at`"
)]
pub trait Keyset {
    /// Returns the position of the row.
    fn page_key(&self) -> PageKey;
}

/// Rows, the newest first, and the start of the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<U> {
    /// At most the requested number of rows.
    pub rows: Vec<U>,
    /// Key to pass for the next page; `None` on the last page.
    pub next: Option<PageKey>,
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 24];
        let (time, id) = bytes.split_at_mut(8);
        time.copy_from_slice(&self.created_at.timestamp_micros().to_be_bytes());
        id.copy_from_slice(self.id.as_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for PageKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::invalid(format!("{text:?} is not a valid page key")).remedy("pass the value of `next` unchanged");
        let bytes: [u8; 24] =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
        let (time, id) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let created_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*time)).ok_or_else(wrong)?;
        Ok(Self { created_at, id: Uuid::from_slice(id).map_err(|_| wrong())? })
    }
}

/// Query of a page: `... AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4`.
pub type PageOf<Q, C, Id> = Limit<Order<Filter<Q, AfterPageKey<C, Id>>, InOrder<NewestFirst<C, Id>>>>;
/// Order of a page: by a time, then by the id.
pub type NewestFirst<C, Id> = (OrderColumn<C, true>, OrderColumn<Id, true>);
/// Predicate of a page.
pub type AfterPageKey<C, Id> = Group<AfterCursor<NewestFirst<C, Id>, PageKeyValues>>;

/// Values of a [`PageKey`] as expressions.
#[derive(Clone, Debug)]
pub struct PageKeyValues(AsExprOf<DateTime<Utc>, Timestamptz>, AsExprOf<Uuid, SqlUuid>);

impl KeyValues for PageKeyValues {
    fn walk_value<'b>(&'b self, place: usize, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if place == 0 { self.0.walk_ast(out) } else { self.1.walk_ast(out) }
    }
}

impl<Q, S> Scoped<Q, S> {
    /// Returns a page of at most `size` rows, the newest first by the time in `column`, then by id.
    ///
    /// An index on `(workspace_id, column, id)` makes every page as fast as the first. Rows that are inserted
    /// meanwhile don't move the rows that follow `after`.
    ///
    /// # Errors
    ///
    /// Same as [`load`](Self::load).
    ///
    /// ```no_run
    /// use workspace_db::models::Document;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, PageKey, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let after: Option<PageKey> = None;
    /// let page = documents::table.in_workspace(&ws).load_page::<Document, _, _>(ws, documents::created_at, after, 50).await?;
    /// for document in &page.rows {
    ///     println!("{}", document.title);
    /// }
    /// let link = page.next.map(|key| format!("?after={key}"));
    /// # drop(link);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load_page<U, C, T>(
        self,
        ws: &mut WorkspaceConnection<impl Access>,
        column: C,
        after: Option<PageKey>,
        size: u32,
    ) -> Result<Page<U>>
    where
        S: OneTable<Table = T>,
        T: IdentifiedTable,
        C: Column<Table = T, SqlType = Timestamptz> + QueryFragment<Pg> + Copy,
        T::IdColumn: QueryFragment<Pg> + Copy,
        Q: FilterDsl<AfterPageKey<C, T::IdColumn>>,
        Filter<Q, AfterPageKey<C, T::IdColumn>>: OrderDsl<InOrder<NewestFirst<C, T::IdColumn>>>,
        Order<Filter<Q, AfterPageKey<C, T::IdColumn>>, InOrder<NewestFirst<C, T::IdColumn>>>: LimitDsl,
        PageOf<Q, C, T::IdColumn>: LoadsAs<U> + Send,
        U: Keyset + Send + 'static,
    {
        let order = (descending(column), descending(T::IdColumn::default()));
        let place = after.map(|key| PagePlace {
            values: PageKeyValues(key.created_at.into_sql::<Timestamptz>(), key.id.into_sql::<SqlUuid>()),
            nulls: vec![false; 2],
            is_backward: false,
        });
        let (after, in_order) = (Group(AfterCursor { order, place }), InOrder { order, is_backward: false });
        // One row more than requested shows that a next page exists.
        let page: Scoped<PageOf<Q, C, T::IdColumn>, S> =
            self.map(|query| query.filter(after).order(in_order).limit(i64::from(size) + 1));
        let mut rows = page.load(ws).await?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next = rows.last().filter(|_| more).map(Keyset::page_key);
        Ok(Page { rows, next })
    }
}
