//! Search for messages of conversations by words.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::IntoSql as _;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;

use super::builder::MAX_K;
use super::excerpt::{marked, parts};
use super::results::ExcerptPart;
use super::text_query::{MAX_TEXT, SearchText, TextQuery};
use crate::conversations::Rating;
use crate::error::{Error, Result};
use crate::id::{ConversationId, MessageId};
use crate::schema::{conversations, messages};
use crate::sql_types::{MessageRole, MessageState};
use crate::tenancy::{Access, InWorkspace as _, StatementSettings, WorkspaceConnection, load_in};

/// Number of matching messages that are ranked, the newest. The lexemes of each are computed for that.
const MAX_RANKED: i32 = 200;

/// A search for messages of a workspace by words; narrow it, then [run](Self::run) it.
///
/// Each message is stemmed by its own language. The text has the syntax of search engines: words, `"a phrase"`, `or`, `-without`.
/// A message has all of the words. Of a text of more than [`MAX_WORDS`](super::MAX_WORDS) words, only the longest are searched.
///
/// ```no_run
/// use workspace_db::conversations::Rating;
/// use workspace_db::search::MessageSearch;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let found = MessageSearch::new("refund -voucher", 20).rating(Rating::Bad).run(ws).await?;
/// for hit in found.hits {
///     println!("{} {:?}", hit.created_at, hit.excerpt);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a search does nothing before `run`"]
pub struct MessageSearch {
    text: String,
    k: u32,
    person: Option<String>,
    conversation: Option<ConversationId>,
    states: Option<Vec<MessageState>>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    rating: Option<Rating>,
}

/// Messages that a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageSearchResults {
    /// The messages, the best first, and of equal ones the newest.
    pub hits: Vec<MessageHit>,
    /// Number of messages that match, at most 200.
    pub matches: usize,
    /// True if more messages may match: only the newest 200 are ranked, and a phrase is looked for in the newest 1,000 with its
    /// words.
    pub bound_reached: bool,
    /// Number of words of a long text that were not searched.
    pub words_left_out: usize,
}

/// A message that a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageHit {
    /// The message.
    pub message_id: MessageId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Title of the conversation.
    pub title: Option<String>,
    /// The visitor.
    pub external_user_id: Option<String>,
    /// Author.
    pub role: MessageRole,
    /// True if a person wrote the answer.
    pub by_human: bool,
    /// State.
    pub state: MessageState,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Position in the conversation.
    pub seq: Option<i64>,
    /// Score of the ranking by words. Compare it within one result only.
    pub score: f64,
    /// Up to two fragments of the text, with the matching words marked.
    pub excerpt: Vec<ExcerptPart>,
}

#[derive(Queryable)]
struct HitRow {
    message_id: MessageId,
    conversation_id: ConversationId,
    title: Option<String>,
    external_user_id: Option<String>,
    role: MessageRole,
    by_human: bool,
    state: MessageState,
    created_at: DateTime<Utc>,
    seq: Option<i64>,
    score: f64,
}

/// Query of the ids of messages that match a text, and of the text as PostgreSQL parses it.
struct MatchingMessages<'a, A> {
    text: TextQuery<'a>,
    arguments: A,
}

impl MessageSearch {
    /// Returns a search for the `k` messages, at most 1,000, that best match a text.
    pub fn new(text: impl Into<String>, k: u32) -> Self {
        let text = text.into();
        Self { text, k, person: None, conversation: None, states: None, since: None, until: None, rating: None }
    }

    /// Limits the search to the conversations of a visitor.
    pub fn person(self, external_user_id: impl Into<String>) -> Self {
        Self { person: Some(external_user_id.into()), ..self }
    }

    /// Limits the search to a conversation.
    pub fn conversation(self, id: ConversationId) -> Self {
        Self { conversation: Some(id), ..self }
    }

    /// Limits the search to messages in one of these states.
    pub fn states(self, states: impl IntoIterator<Item = MessageState>) -> Self {
        Self { states: Some(states.into_iter().collect()), ..self }
    }

    /// Limits the search to messages from this time on.
    pub fn since(self, time: DateTime<Utc>) -> Self {
        Self { since: Some(time), ..self }
    }

    /// Limits the search to messages before this time.
    pub fn until(self, time: DateTime<Utc>) -> Self {
        Self { until: Some(time), ..self }
    }

    /// Limits the search to messages that the visitor or a reviewer has rated so.
    pub fn rating(self, rating: Rating) -> Self {
        Self { rating: Some(rating), ..self }
    }

    /// Runs the search in the connection's workspace, by two statements, and one more for the excerpts.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the text is empty, has more than [`MAX_TEXT`] characters or a NUL
    /// character, or `k` is 0 or above [`MAX_K`]; [`is_timed_out`](Error::is_timed_out),
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn run(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<MessageSearchResults> {
        self.check()?;
        let text = SearchText::new(&self.text);
        let parsed =
            TextQuery { text: &text, table: "messages", workspace: ws.workspace(), language: None, any_word: false };
        let arguments = (
            MAX_RANKED.into_sql::<Integer>(),
            self.person.into_sql::<Nullable<Text>>(),
            self.conversation.into_sql::<Nullable<SqlUuid>>(),
            self.states.into_sql::<Nullable<Array<MessageState>>>(),
            self.since.into_sql::<Nullable<Timestamptz>>(),
            self.until.into_sql::<Nullable<Timestamptz>>(),
            self.rating.map(|rating| i32::from(rating.score())).into_sql::<Nullable<Integer>>(),
        );
        let (ids, bound_reached, question) = MatchingMessages { text: parsed, arguments }.load(ws).await?;
        let rows: Vec<HitRow> = messages::table
            .in_workspace(&ws)
            .inner_join(conversations::table)
            .filter(messages::id.eq_any(&ids))
            .select((
                messages::id,
                messages::conversation_id,
                conversations::title,
                conversations::external_user_id,
                messages::role,
                messages::by_human,
                messages::state,
                messages::created_at,
                messages::seq,
                sql::<Double>(
                    "ts_rank(workspace_db_search_text(messages.workspace_id, messages.language, messages.content), ",
                )
                .bind::<Text, _>(question)
                .sql("::tsquery, 1)::float8"),
            ))
            .order((sql::<Double>("10").desc(), messages::created_at.desc(), messages::id.desc()))
            .limit(self.k.into())
            .load_under(&StatementSettings::searching(), ws)
            .await?;
        let mut excerpts = excerpts(ws, &text, rows.iter().map(|row| row.message_id).collect()).await?;
        let hits = rows.into_iter().map(|row| {
            let excerpt = excerpts.remove(&row.message_id).unwrap_or_default();
            row.hit(excerpt)
        });
        Ok(MessageSearchResults {
            hits: hits.collect(),
            matches: ids.len(),
            bound_reached,
            words_left_out: text.words_left_out,
        })
    }

    fn check(&self) -> Result<()> {
        if !(1..=MAX_K).contains(&self.k) {
            return Err(Error::invalid(format!("{} messages can't be requested", self.k))
                .remedy(format!("request 1 to {MAX_K}"))
                .about("k"));
        }
        let characters = self.text.chars().count();
        if self.text.trim().is_empty() || characters > MAX_TEXT || self.text.contains('\0') {
            return Err(Error::invalid(format!("the search text has {characters} characters, or a NUL character"))
                .remedy(format!("use at least one word, at most {MAX_TEXT} characters, and no NUL"))
                .about("text"));
        }
        if self.person.as_ref().is_some_and(|person| person.contains('\0')) {
            return Err(Error::invalid("the visitor's id has a NUL character").about("person"));
        }
        Ok(())
    }
}

impl HitRow {
    fn hit(self, excerpt: Vec<ExcerptPart>) -> MessageHit {
        MessageHit {
            message_id: self.message_id,
            conversation_id: self.conversation_id,
            title: self.title,
            external_user_id: self.external_user_id,
            role: self.role,
            by_human: self.by_human,
            state: self.state,
            created_at: self.created_at,
            seq: self.seq,
            score: self.score,
            excerpt,
        }
    }
}

type Matches = (Vec<MessageId>, bool, String);

impl<A: QueryFragment<Pg> + Send> MatchingMessages<'_, A> {
    async fn load(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Matches> {
        let rows: Vec<Matches> = load_in(self, &StatementSettings::searching(), ws).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }
}

impl<A: QueryFragment<Pg>> QueryFragment<Pg> for MatchingMessages<'_, A> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let excluded = if self.text.text.excluded.is_some() { "excluded" } else { "NULL" };
        out.push_sql("SELECT found.ids, found.is_bounded, question::text FROM ");
        self.text.push_parsed(&mut out)?;
        out.push_sql(", LATERAL workspace_db_matching_messages(question, ");
        out.push_sql(excluded);
        out.push_sql(", ");
        self.arguments.walk_ast(out.reborrow())?;
        out.push_sql(") AS found");
        Ok(())
    }
}

/// Prepared statements are cached by their text, because one type has several texts.
impl<A> QueryId for MatchingMessages<'_, A> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<A> Query for MatchingMessages<'_, A> {
    type SqlType = (Array<SqlUuid>, Bool, Text);
}

async fn excerpts(
    ws: &mut WorkspaceConnection<impl Access>,
    text: &SearchText,
    ids: Vec<MessageId>,
) -> Result<HashMap<MessageId, Vec<ExcerptPart>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(MessageId, String)> = messages::table
        .in_workspace(&ws)
        .filter(messages::id.eq_any(ids))
        .select((messages::id, marked("messages", text)))
        .load_under(&StatementSettings::searching(), ws)
        .await?;
    Ok(rows.into_iter().map(|(id, marked)| (id, parts(&marked))).collect())
}
