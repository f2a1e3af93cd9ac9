//! Calls of models for answers: their tokens and cost.

use std::time::Duration;

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use diesel::IntoSql as _;
use diesel::dsl::sql;
use diesel::prelude::ExpressionMethods as _;
use diesel::sql_types::{BigInt, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};

use super::missing::no_message;
use super::model_price::{ModelPrice, check_name};
use super::token_usage::TokenUsage;
use crate::error::{Error, Result};
use crate::id::{ConversationId, MessageId, ModelCallId};
use crate::models::NewModelCall;
use crate::schema::model_calls;
use crate::tenancy::{Access, FunctionCall, InWorkspace as _, MayWrite, WorkspaceConnection};

/// A call of a model to record. It has an id from the start, so that it can be recorded again.
///
/// ```
/// use std::time::Duration;
/// use workspace_db::conversations::{ModelCallInput, TokenUsage};
///
/// let run = ModelCallInput::new("support-agent");
/// let usage = TokenUsage { input: Some(900), output: Some(120), ..TokenUsage::default() };
/// // The agent's run contains the call, so only the call is summed.
/// let call = ModelCallInput::new("gpt-5").usage(usage).latency(Duration::from_millis(1_840)).within(run.id());
/// # drop(call);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a call is not stored before it is recorded"]
pub struct ModelCallInput {
    id: ModelCallId,
    parent: Option<ModelCallId>,
    model: String,
    usage: TokenUsage,
    price: Option<ModelPrice>,
    latency: Option<Duration>,
    first_token: Option<Duration>,
    stop_reason: Option<String>,
}

impl ModelCallInput {
    /// Returns a call of this model.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            id: ModelCallId::generate(),
            parent: None,
            model: model.into(),
            usage: TokenUsage::default(),
            price: None,
            latency: None,
            first_token: None,
            stop_reason: None,
        }
    }

    /// Returns the id under which the call will be stored.
    #[must_use]
    pub fn id(&self) -> ModelCallId {
        self.id
    }

    /// Sets the tokens.
    pub fn usage(self, usage: TokenUsage) -> Self {
        Self { usage, ..self }
    }

    /// Sets the price, by which the cost is computed once and stored.
    pub fn price(self, price: ModelPrice) -> Self {
        Self { price: Some(price), ..self }
    }

    /// Sets the time from the request to the end of the output.
    pub fn latency(self, latency: Duration) -> Self {
        Self { latency: Some(latency), ..self }
    }

    /// Sets the time from the request to the first token of the output.
    pub fn first_token(self, after: Duration) -> Self {
        Self { first_token: Some(after), ..self }
    }

    /// Sets why the output ended, in the provider's word.
    pub fn stop_reason(self, reason: impl Into<String>) -> Self {
        Self { stop_reason: Some(reason.into()), ..self }
    }

    /// Sets the call of the same answer that contains this one, as the run of an agent does. Record that one first.
    pub fn within(self, parent: ModelCallId) -> Self {
        Self { parent: Some(parent), ..self }
    }

    /// Returns the row, or an error with the field that is out of bounds.
    fn row(&self, message: MessageId) -> Result<NewModelCall> {
        check_name("model", &self.model)?;
        if let Some(reason) = &self.stop_reason {
            check_name("stop_reason", reason)?;
        }
        let TokenUsage { input, cached, output, reasoning } = self.usage;
        check_part("cached_tokens", cached, "input", input)?;
        check_part("reasoning_tokens", reasoning, "output", output)?;
        let price = self.price.as_ref();
        Ok(NewModelCall {
            id: self.id,
            parent_id: self.parent,
            input_tokens: stored_tokens("input_tokens", input)?,
            cached_tokens: stored_tokens("cached_tokens", cached)?,
            output_tokens: stored_tokens("output_tokens", output)?,
            reasoning_tokens: stored_tokens("reasoning_tokens", reasoning)?,
            price_version: price.map(|price| price.version.clone()),
            cost_usd: price.map_or(Ok(None), |price| price.cost(self.usage))?,
            latency_ms: self.latency.map(milliseconds),
            first_token_ms: self.first_token.map(milliseconds),
            stop_reason: self.stop_reason.clone(),
            ..NewModelCall::new(message, self.model.clone())
        })
    }
}

fn check_part(field: &'static str, part: Option<u32>, whole: &str, tokens: Option<u32>) -> Result<()> {
    match (part, tokens) {
        (Some(part), Some(tokens)) if part > tokens => {
            Err(Error::invalid(format!("{field} is {part}, and more than the {tokens} tokens of {whole}"))
                .remedy(format!("add the {field} to the tokens of {whole} if the provider reports them apart"))
                .about(field))
        }
        _ => Ok(()),
    }
}

fn stored_tokens(field: &'static str, tokens: Option<u32>) -> Result<Option<i32>> {
    let out_of_bounds = |_| Error::invalid(format!("{field} is above 2,147,483,647")).about(field);
    tokens.map(i32::try_from).transpose().map_err(out_of_bounds)
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// Sets a column of the same call if none of these columns is known yet: numbers that belong together are of one record.
macro_rules! set_unless_known {
    ($column:ident, $known:literal) => {
        model_calls::$column.eq(sql(concat!(
            "CASE WHEN model_calls.message_id = excluded.message_id AND num_nonnulls(",
            $known,
            ") = 0 THEN coalesce(excluded.",
            stringify!($column),
            ", model_calls.",
            stringify!($column),
            ") ELSE model_calls.",
            stringify!($column),
            " END"
        )))
    };
    (tokens $column:ident) => {
        set_unless_known!(
            $column,
            "model_calls.input_tokens, model_calls.cached_tokens, model_calls.output_tokens, model_calls.reasoning_tokens"
        )
    };
}

/// Stores a call of a model for an answer of the connection's workspace, with its cost.
///
/// The same call again sets what was not known, and changes nothing else. So the run of an agent is recorded at its start, before the
/// calls within it, and again at its end with its tokens and times.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) with the field if a name, a number of tokens or a price is out of bounds, or a
/// part is more than the whole; [`is_not_found`](Error::is_not_found) if the workspace has no such message, or the message no
/// such call to be within; [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::{ModelCallInput, TokenUsage, UsageOf, model_usage, record_model_call};
/// use workspace_db::id::MessageId;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, answer: MessageId) -> workspace_db::Result<()> {
/// let usage = TokenUsage { input: Some(900), cached: Some(512), output: Some(120), reasoning: None };
/// record_model_call(ws, answer, &ModelCallInput::new("gpt-5").usage(usage).stop_reason("stop")).await?;
/// for model in model_usage(ws, UsageOf::Message(answer)).await? {
///     println!("{}: {:?} tokens of output", model.model, model.output_tokens);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn record_model_call(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    message: MessageId,
    call: &ModelCallInput,
) -> Result<()> {
    let row = call.row(message)?;
    let stored = model_calls::table
        .in_workspace(&ws)
        .insert(&row)
        .on_conflict((model_calls::workspace_id, model_calls::id))
        .do_update()
        .set((
            set_unless_known!(tokens input_tokens),
            set_unless_known!(tokens cached_tokens),
            set_unless_known!(tokens output_tokens),
            set_unless_known!(tokens reasoning_tokens),
            set_unless_known!(price_version, "model_calls.cost_usd"),
            set_unless_known!(cost_usd, "model_calls.cost_usd"),
            set_unless_known!(latency_ms, "model_calls.latency_ms"),
            set_unless_known!(first_token_ms, "model_calls.first_token_ms"),
            set_unless_known!(stop_reason, "model_calls.stop_reason"),
        ))
        .execute(ws)
        .await;
    match (stored, call.parent) {
        (Err(error), Some(parent)) if error.constraint() == Some("model_calls_parent_id_fkey") => {
            Err(error.remedy(format!("record call {parent} for the same message first")).about("parent_id"))
        }
        (Err(error), _) if error.is_not_found() => Err(no_message(message).caused_by(error)),
        (stored, _) => stored.map(drop),
    }
}

/// Calls to sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageOf {
    /// Those of a message.
    Message(MessageId),
    /// Those of all messages of a conversation.
    Conversation(ConversationId),
    /// Those that were recorded from the first time on and before the second.
    Between(DateTime<Utc>, DateTime<Utc>),
}

/// Tokens and cost of the calls of one model by one price list. A sum is `None` if no call knows the number.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ModelUsage {
    /// Name of the model.
    pub model: String,
    /// Price list by which the cost was computed; `None` for calls without a price.
    pub price_version: Option<String>,
    /// Number of calls.
    pub calls: u64,
    /// Number of them whose input or output is unknown.
    pub calls_without_tokens: u64,
    /// Number of them whose cost is unknown.
    pub calls_without_cost: u64,
    /// Tokens of the input.
    pub input_tokens: Option<u64>,
    /// Those of the input that came from the provider's cache.
    pub cached_tokens: Option<u64>,
    /// Tokens of the output.
    pub output_tokens: Option<u64>,
    /// Those of the output that were reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Cost in US dollars, exact. As JSON, it is a text with all digits.
    #[serde(serialize_with = "crate::sql_types::decimal_as_text")]
    pub cost_usd: Option<BigDecimal>,
}

type Columns = (
    Text,
    Nullable<Text>,
    BigInt,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Numeric>,
);

type Row =
    (String, Option<String>, i64, i64, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<BigDecimal>);

/// Returns the tokens and cost of calls of the connection's workspace, by model and price list, in the order of their names.
///
/// Only calls that contain no others are summed: an agent's run repeats the tokens of its calls.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
pub async fn model_usage(ws: &mut WorkspaceConnection<impl Access>, of: UsageOf) -> Result<Vec<ModelUsage>> {
    let (conversation, message, between) = match of {
        UsageOf::Message(message) => (None, Some(message), None),
        UsageOf::Conversation(conversation) => (Some(conversation), None, None),
        UsageOf::Between(since, until) => (None, None, Some((since, until))),
    };
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        conversation.into_sql::<Nullable<SqlUuid>>(),
        message.into_sql::<Nullable<SqlUuid>>(),
        between.map(|(since, _)| since).into_sql::<Nullable<Timestamptz>>(),
        between.map(|(_, until)| until).into_sql::<Nullable<Timestamptz>>(),
    );
    let columns = "model, price_version, calls, calls_without_tokens, calls_without_cost, input_tokens, cached_tokens, \
                   output_tokens, reasoning_tokens, cost_usd";
    let call = FunctionCall::<_, _, Columns>::new("workspace_db_model_usage", columns, arguments);
    let rows: Vec<Row> = call.load_in(ws).await?;
    Ok(rows.into_iter().map(usage).collect())
}

fn usage(row: Row) -> ModelUsage {
    let (model, price_version, calls, without_tokens, without_cost, input, cached, output, reasoning, cost_usd) = row;
    let sum = |tokens: Option<i64>| tokens.map(i64::unsigned_abs);
    ModelUsage {
        model,
        price_version,
        calls: calls.unsigned_abs(),
        calls_without_tokens: without_tokens.unsigned_abs(),
        calls_without_cost: without_cost.unsigned_abs(),
        input_tokens: sum(input),
        cached_tokens: sum(cached),
        output_tokens: sum(output),
        reasoning_tokens: sum(reasoning),
        cost_usd,
    }
}
