//! Pages in any order of several columns, forwards and backwards, also over joins.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::dsl::{Filter, Limit, Order};
use diesel::query_dsl::methods::{FilterDsl, LimitDsl, OrderDsl, SelectDsl};
use serde_json::Value;

use super::expression::{Group, ScopedExpression};
use super::page_order::{AfterCursor, ColumnTraits, InOrder, KeyOf, PageOrder, PagePlace};
use super::scoped::Scoped;
use crate::error::{Error, Result};
use crate::tenancy::access::Access;
use crate::tenancy::connection::{LoadsAs, WorkspaceConnection};

/// Place between two pages. As text it fits into a URL, and a reader can decode the values in it. It needs a scope to return rows: a cursor of another
/// workspace names a place, never a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    is_backward: bool,
    /// Hash of the order, so that a cursor of another order is rejected.
    order: u64,
    key: Value,
}

/// Rows in order, and the places of the pages around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorPage<U> {
    /// At most the requested number of rows.
    pub rows: Vec<U>,
    /// Place of the page after this one; `None` on the last page.
    pub next: Option<Cursor>,
    /// Place of the page before this one; `None` on the first page.
    pub previous: Option<Cursor>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::json!([self.is_backward, self.order, self.key]).to_string();
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok();
        let parsed = decoded.and_then(|bytes| serde_json::from_slice::<(bool, u64, Value)>(&bytes).ok());
        let (is_backward, order, key) = parsed.ok_or_else(|| not_a_cursor(text))?;
        Ok(Self { is_backward, order, key })
    }
}

fn not_a_cursor(text: &str) -> Error {
    Error::invalid(format!("{text:?} is not a cursor of this list")).remedy("pass `next` or `previous` unchanged")
}

/// Query of a page.
pub type CursorPageOf<Q, O, K> = Limit<Order<Filter<Q, AfterKey<O, K>>, InOrder<O>>>;
/// Predicate of a page.
pub type AfterKey<O, K> = Group<AfterCursor<O, <K as KeyOf<O>>::Values>>;

impl<Q, S> Scoped<Q, S> {
    /// Returns a page of at most `size` rows, at least one, in an order of up to four columns, which together are unique.
    ///
    /// `key` returns the values of these columns in a row, as a tuple. `at` is a cursor that an earlier page returned, or
    /// `None` for the first page. The query may have joins and its own filters. Rows that are inserted meanwhile don't move
    /// the other pages. If all columns have one direction and are NOT NULL, an index on `workspace_id` and these columns makes
    /// every page as fast as the first.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the cursor is of another order, or if `key` returns a value that JSON
    /// can't contain, such as NaN; otherwise same as [`load`](Self::load).
    ///
    /// ```no_run
    /// use workspace_db::models::Document;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{Cursor, InWorkspace, WorkspaceConnection, ascending};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection, at: Option<Cursor>) -> workspace_db::Result<()> {
    /// let by_title = (ascending(documents::title), ascending(documents::id));
    /// let all = documents::table.in_workspace(&ws);
    /// let page = all.load_page_by(ws, by_title, at, 50, |row: &Document| (row.title.clone(), row.id)).await?;
    /// let links = [page.previous, page.next].map(|cursor| cursor.map(|cursor| format!("?at={cursor}")));
    /// # drop(links);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load_page_by<U, O, K>(
        self,
        ws: &mut WorkspaceConnection<impl Access>,
        order: O,
        at: Option<Cursor>,
        size: u32,
        key: impl Fn(&U) -> K,
    ) -> Result<CursorPage<U>>
    where
        O: PageOrder,
        K: KeyOf<O>,
        AfterCursor<O, K::Values>: ScopedExpression<S>,
        // A column of a left join is nullable only in `nullable()`, and a selection requires that.
        Q: FilterDsl<AfterKey<O, K>> + SelectDsl<InOrder<O>>,
        Filter<Q, AfterKey<O, K>>: OrderDsl<InOrder<O>>,
        Order<Filter<Q, AfterKey<O, K>>, InOrder<O>>: LimitDsl,
        CursorPageOf<Q, O, K>: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        let size = size.max(1);
        let is_backward = at.as_ref().is_some_and(|cursor| cursor.is_backward);
        let is_first = at.is_none();
        let in_order = InOrder { order, is_backward };
        let hash = in_order.hash()?;
        let place = at.clone().map(|cursor| place::<O, K>(cursor, hash)).transpose()?;
        let after = AfterCursor { order, place };
        // One row more than requested shows that a further page exists.
        let page: Scoped<CursorPageOf<Q, O, K>, S> =
            self.map(|query| query.filter(Group(after)).order(in_order).limit(i64::from(size) + 1));
        let mut rows = page.load(ws).await?;
        let has_more = rows.len() > size as usize;
        rows.truncate(size as usize);
        if is_backward {
            rows.reverse();
        }
        let cursor = |row: Option<&U>, is_backward: bool| {
            let Some(row) = row else {
                // Somebody has deleted the rows of this page. The way back starts at the same place.
                return Ok(at.as_ref().map(|at| Cursor { is_backward, ..at.clone() }));
            };
            let key = serde_json::to_value(key(row))
                .map_err(|error| Error::misuse("the key of a page can't be stored as JSON").caused_by(error))?;
            check_key(&key, O::COLUMNS)?;
            Ok::<_, Error>(Some(Cursor { is_backward, order: hash, key }))
        };
        // A page that was reached backwards has one after it, from which the caller came; and the other way round.
        let next = if has_more || is_backward { cursor(rows.last(), false)? } else { None };
        let has_previous = if is_backward { has_more } else { !is_first };
        let previous = if has_previous { cursor(rows.first(), true)? } else { None };
        Ok(CursorPage { rows, next, previous })
    }
}

/// Rejects NaN and infinity, which JSON has as null.
fn check_key(key: &Value, columns: &[ColumnTraits]) -> Result<()> {
    let values = key.as_array().into_iter().flatten();
    if values.zip(columns).any(|(value, column)| value.is_null() && !column.is_nullable) {
        return Err(Error::misuse("the key of a page has a value that JSON can't contain"));
    }
    Ok(())
}

fn place<O, K: KeyOf<O>>(cursor: Cursor, hash: u64) -> Result<PagePlace<K::Values>> {
    let text = cursor.to_string();
    if cursor.order != hash {
        return Err(not_a_cursor(&text));
    }
    let nulls = cursor.key.as_array().map(|values| values.iter().map(Value::is_null).collect()).unwrap_or_default();
    let key: K = serde_json::from_value(cursor.key).map_err(|error| not_a_cursor(&text).caused_by(error))?;
    Ok(PagePlace { values: key.into_values(), nulls, is_backward: cursor.is_backward })
}
