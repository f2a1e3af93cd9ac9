//! Answers that arrive in parts, and survive the program that makes them.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use futures_util::stream::FusedStream;
use futures_util::{Stream, StreamExt as _};
use serde_json::{Value, json};

use super::answer_end::AnswerEnd;
use super::answer_lease::{NewLease, lease_lost, store, stored_position};
use super::append::{AppendResult, append_with_lease};
use super::input::{Author, MAX_CONTENT_BYTES, MessageInput, check_confidence, check_text, check_tokens};
use super::usage::{ModelCallInput, record_model_call};
use crate::error::{Error, Result};
use crate::id::{ConversationId, MessageId};
use crate::sql_types::{MessageState, Metadata};
use crate::tenancy::{Database, MayWrite, WorkspaceScope, Write};

/// Maximum length of a lease. An answer whose writer has died is streaming for so long.
pub const MAX_ANSWER_LEASE: Duration = Duration::from_secs(60 * 60);

/// Times of an answer that arrives in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerTimes {
    /// Lease of the writer: without a flush for so long, the answer is interrupted. 30 s by default, at most 1 h.
    pub lease: Duration,
    /// Time between two flushes: so much of the answer is lost with the program. 1 s by default.
    pub flush_every: Duration,
}

impl Default for AnswerTimes {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), flush_every: Duration::from_secs(1) }
    }
}

/// Facts that are known at the end of an answer; `None` leaves a column as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerFacts {
    /// Length in tokens of the model.
    pub tokens: Option<u32>,
    /// Confidence of the assistant, 0 to 1.
    pub confidence: Option<f64>,
    /// Facts to add to the message's metadata.
    pub metadata: Option<Metadata>,
}

/// Result of [`begin_answer`].
#[derive(Debug)]
pub enum AnswerStart<A: MayWrite = Write> {
    /// The answer is pending, and this writes it.
    New(AnswerWriter<A>),
    /// The conversation has an answer with this client id, in whichever state. Begin another, beside it, if it is interrupted.
    Known(AppendResult),
}

/// Writes an answer that arrives in parts. It holds a connection during a flush only.
///
/// If it is dropped, or its program ends, [`interrupt_expired`](super::interrupt_expired()) ends the answer with what was flushed.
#[derive(Debug)]
#[must_use = "an answer without an end is interrupted"]
pub struct AnswerWriter<A: MayWrite = Write> {
    db: Database,
    scope: WorkspaceScope<A>,
    start: AppendResult,
    lease: NewLease,
    flush_every: Duration,
    /// Number of bytes that are stored.
    position: usize,
    buffer: String,
    last_flush: Instant,
    is_withheld: bool,
}

impl MessageInput {
    /// Returns an answer of the model whose text arrives in parts, for [`begin_answer`].
    pub fn answer() -> Self {
        Self::by(Author::Bot, "")
    }
}

/// Begins an answer of the model: appends a message in the state `pending`, which only this writer can change.
///
/// Append the visitor's message first, in a transaction of its own, so that it is stored before the model is asked.
///
/// # Errors
///
/// Same as [`append`](super::append()), and [`is_invalid_input`](Error::is_invalid_input) if the message is no
/// [answer](MessageInput::answer) or a time is out of bounds.
///
/// ```no_run
/// use futures_util::{StreamExt as _, stream};
/// use workspace_db::conversations::{AnswerFacts, AnswerStart, AnswerTimes, MessageInput, begin_answer};
/// use workspace_db::id::{ConversationId, MessageId};
/// use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: &Database, scope: &WorkspaceScope, talk: ConversationId, question: MessageId) -> workspace_db::Result<()> {
/// let answer = MessageInput::answer().after(question);
/// if let AnswerStart::New(mut writer) = begin_answer(db, scope, talk, &answer, AnswerTimes::default()).await? {
///     let parts = stream::iter(["Until ", "eight."]).map(|part| Ok::<_, workspace_db::Error>(part.to_owned()));
///     writer.push_all(parts).await?;
///     writer.complete(&AnswerFacts { tokens: Some(3), ..AnswerFacts::default() }).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub async fn begin_answer<A: MayWrite>(
    db: &Database,
    scope: &WorkspaceScope<A>,
    conversation: ConversationId,
    message: &MessageInput,
    times: AnswerTimes,
) -> Result<AnswerStart<A>> {
    if message.author != Author::Bot || !message.content.is_empty() {
        return Err(Error::invalid("the message is no answer to begin")
            .remedy("use MessageInput::answer(), or append a message that is complete")
            .about("author"));
    }
    if times.lease.is_zero() || times.lease > MAX_ANSWER_LEASE || times.flush_every > times.lease / 3 {
        let text = format!("a lease of {:?} with a flush every {:?} is out of bounds", times.lease, times.flush_every);
        return Err(Error::invalid(text)
            .remedy("use a lease of at most 1 h, and flush three times in it or more often")
            .about("lease"));
    }
    message.check_facts()?;
    let lease = NewLease::random(times.lease);
    let mut ws = db.workspace(scope).await?;
    let (start, is_withheld) = append_with_lease(&mut ws, conversation, message, Some(lease)).await?;
    if !start.is_new {
        return Ok(AnswerStart::Known(start));
    }
    Ok(AnswerStart::New(AnswerWriter {
        db: db.clone(),
        scope: scope.clone(),
        start,
        lease,
        flush_every: times.flush_every,
        position: 0,
        buffer: String::new(),
        last_flush: Instant::now(),
        is_withheld,
    }))
}

impl<A: MayWrite> AnswerWriter<A> {
    /// Returns the answer's message.
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.start.message
    }

    /// Returns the message's place as [`append`](super::append()) does.
    #[must_use]
    pub fn start(&self) -> AppendResult {
        self.start
    }

    /// Returns true if the conversation's speaker was not the bot at the last flush. The answer will be withheld: show the
    /// visitor no more of it.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.is_withheld
    }

    /// Adds a part of the answer, and stores what has come since the last flush if that is
    /// [`flush_every`](AnswerTimes::flush_every) ago.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the answer has more than 1 MiB or a NUL character;
    /// [`is_lease_lost`](Error::is_lease_lost) if the answer was ended by another program, or by none in time;
    /// [`is_unreachable`](Error::is_unreachable), after which the part is kept for the next flush. A call that is dropped loses
    /// nothing either.
    pub async fn push(&mut self, part: &str) -> Result<()> {
        self.add(part)?;
        if self.last_flush.elapsed() >= self.flush_every { self.flush().await } else { Ok(()) }
    }

    /// Adds all parts of a stream, and flushes by time also while none comes, which extends the lease.
    ///
    /// # Errors
    ///
    /// The first error of the stream, and those of [`push`](Self::push). What came before is kept. A database that can't be reached
    /// for a moment is no error: the next flush tries again, as long as the lease holds.
    pub async fn push_all<E: From<Error>>(&mut self, parts: impl Stream<Item = Result<String, E>>) -> Result<(), E> {
        let mut parts = pin!(parts.fuse());
        let mut ticks = tokio::time::interval(self.flush_every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            tokio::select! {
                _ = ticks.tick() => self.flush_while(parts.as_mut()).await?,
                part = parts.next() => match part {
                    Some(part) => self.add(&part?)?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Flushes, and adds what comes meanwhile. The stream may need a connection of the same pool: it goes on during a flush.
    async fn flush_while<E: From<Error>>(
        &mut self,
        mut parts: Pin<&mut impl FusedStream<Item = Result<String, E>>>,
    ) -> Result<(), E> {
        if !self.is_due() {
            return Ok(());
        }
        let (position, piece) = (self.position, self.buffer.clone());
        let (db, scope) = (self.db.clone(), self.scope.clone());
        let mut flush = pin!(store(&db, &scope, self.start.message, self.lease, position, &piece));
        let mut failed = None;
        let stored = loop {
            tokio::select! {
                stored = &mut flush => break stored,
                part = parts.next(), if failed.is_none() && !parts.is_terminated() => {
                    let added = part.map_or(Ok(()), |part| self.add(&part?).map_err(E::from));
                    failed = added.err();
                }
            }
        };
        match self.note_stored(&piece, stored) {
            // The next tick tries again, as long as the lease holds.
            Err(error) if error.is_retryable() && self.last_flush.elapsed() < self.lease.length => {
                tracing::warn!(message = %self.start.message, %error, "failed to store a part of an answer; trying again");
            }
            noted => noted?,
        }
        failed.map_or(Ok(()), Err)
    }

    fn add(&mut self, part: &str) -> Result<()> {
        check_text("content", part)?;
        let bytes = self.position + self.buffer.len() + part.len();
        if bytes > MAX_CONTENT_BYTES {
            let text = format!("the answer has {bytes} bytes, but the maximum is {MAX_CONTENT_BYTES}");
            return Err(Error::invalid(text).about("content"));
        }
        self.buffer.push_str(part);
        Ok(())
    }

    /// Stores what has come since the last flush. Without a new part, it extends the lease in time.
    ///
    /// # Errors
    ///
    /// Same as [`push`](Self::push).
    pub async fn flush(&mut self) -> Result<()> {
        if !self.is_due() {
            return Ok(());
        }
        // The buffer keeps the piece until it is stored: a caller may drop this future, or flush again after an error.
        let piece = self.buffer.clone();
        let stored = store(&self.db, &self.scope, self.start.message, self.lease, self.position, &piece).await;
        self.note_stored(&piece, stored)
    }

    /// Stores a call of a model for the answer, like [`record_model_call`].
    ///
    /// # Errors
    ///
    /// Same as [`record_model_call`].
    pub async fn record_model_call(&self, call: &ModelCallInput) -> Result<()> {
        record_model_call(&mut self.db.workspace(&self.scope).await?, self.message(), call).await
    }

    fn is_due(&self) -> bool {
        !self.buffer.is_empty() || self.last_flush.elapsed() >= self.lease.length / 4
    }

    fn note_stored(&mut self, piece: &str, stored: Result<bool>) -> Result<()> {
        self.is_withheld = stored?;
        self.position += piece.len();
        self.buffer.drain(..piece.len());
        self.last_flush = Instant::now();
        Ok(())
    }

    /// Ends the answer with all parts, and returns its state: complete, withheld if a person was asked for or took over since it was
    /// begun, or failed if it has no text.
    ///
    /// After [`is_unreachable`](Error::is_unreachable), call it again.
    ///
    /// # Errors
    ///
    /// [`is_lease_lost`](Error::is_lease_lost) if the answer has ended before; [`is_invalid_input`](Error::is_invalid_input) if a
    /// fact is out of bounds; [`is_unreachable`](Error::is_unreachable).
    pub async fn complete(&mut self, facts: &AnswerFacts) -> Result<MessageState> {
        check_confidence(facts.confidence)?;
        check_tokens(facts.tokens)?;
        self.end(MessageState::Complete, facts, json!({})).await
    }

    /// Ends the answer with the parts that have come, as a stop by the visitor does: interrupted, or withheld.
    ///
    /// # Errors
    ///
    /// Same as [`complete`](Self::complete).
    pub async fn stop(&mut self) -> Result<MessageState> {
        self.end(MessageState::Interrupted, &AnswerFacts::default(), json!({})).await
    }

    /// Ends the answer as failed, with the parts that have come. The reason becomes `error` in the message's metadata.
    ///
    /// # Errors
    ///
    /// Same as [`complete`](Self::complete).
    pub async fn fail(&mut self, reason: &str) -> Result<MessageState> {
        let reason: String = reason.chars().filter(|char| *char != '\0').take(1_000).collect();
        self.end(MessageState::Failed, &AnswerFacts::default(), json!({ "error": reason })).await
    }

    async fn end(&mut self, ending: MessageState, facts: &AnswerFacts, error: Value) -> Result<MessageState> {
        let mut ws = self.db.workspace(&self.scope).await?;
        let metadata = facts.metadata.clone().map_or(error, Value::from);
        let tokens = facts.tokens.map(|tokens| i32::try_from(tokens).unwrap_or(i32::MAX));
        let end = AnswerEnd {
            message: self.start.message,
            lease: self.lease.token,
            position: Some(stored_position(self.position)),
            rest: &self.buffer,
            ending,
            tokens,
            confidence: facts.confidence,
            metadata,
        };
        end.run(&mut ws).await?.ok_or_else(|| lease_lost(self.start.message))
    }
}
