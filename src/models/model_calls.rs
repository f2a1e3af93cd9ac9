//! Table `model_calls`: calls of models for answers.

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{MessageId, ModelCallId, WorkspaceId};
use crate::schema::model_calls;

/// A call of a model for an answer, with its tokens and cost.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = model_calls)]
pub struct ModelCall {
    /// Identity within the workspace.
    pub id: ModelCallId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The answer.
    pub message_id: MessageId,
    /// The call of the same answer that contains this one.
    pub parent_id: Option<ModelCallId>,
    /// Name of the model.
    pub model: String,
    /// Tokens of the input, with those from the cache; `None` if the provider does not say.
    pub input_tokens: Option<i32>,
    /// Those of the input that came from the provider's cache.
    pub cached_tokens: Option<i32>,
    /// Tokens of the output, with those of the reasoning.
    pub output_tokens: Option<i32>,
    /// Those of the output that were reasoning.
    pub reasoning_tokens: Option<i32>,
    /// Price list by which the cost was computed.
    pub price_version: Option<String>,
    /// Cost in US dollars; `None` if the price or the tokens are unknown. As JSON, it is a text with all digits.
    #[serde(serialize_with = "crate::sql_types::decimal_as_text")]
    pub cost_usd: Option<BigDecimal>,
    /// Time from the request to the end of the output, in milliseconds.
    pub latency_ms: Option<i32>,
    /// Time from the request to the first token of the output, in milliseconds.
    pub first_token_ms: Option<i32>,
    /// Why the output ended, in the provider's word.
    pub stop_reason: Option<String>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `model_calls` to insert. It has no workspace: the statement supplies it.
///
/// `conversations::record_model_call` checks the values and computes the cost.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = model_calls)]
pub struct NewModelCall {
    /// Identity within the workspace.
    pub id: ModelCallId,
    /// The answer.
    pub message_id: MessageId,
    /// The call of the same answer that contains this one.
    pub parent_id: Option<ModelCallId>,
    /// Name of the model.
    pub model: String,
    /// Tokens of the input, with those from the cache.
    pub input_tokens: Option<i32>,
    /// Those of the input that came from the provider's cache.
    pub cached_tokens: Option<i32>,
    /// Tokens of the output, with those of the reasoning.
    pub output_tokens: Option<i32>,
    /// Those of the output that were reasoning.
    pub reasoning_tokens: Option<i32>,
    /// Price list by which the cost was computed.
    pub price_version: Option<String>,
    /// Cost in US dollars.
    pub cost_usd: Option<BigDecimal>,
    /// Time from the request to the end of the output, in milliseconds.
    pub latency_ms: Option<i32>,
    /// Time from the request to the first token of the output, in milliseconds.
    pub first_token_ms: Option<i32>,
    /// Why the output ended, in the provider's word.
    pub stop_reason: Option<String>,
}

impl NewModelCall {
    /// Returns a row for a call of this model, of which nothing else is known.
    #[must_use]
    pub fn new(message_id: MessageId, model: impl Into<String>) -> Self {
        Self {
            id: ModelCallId::generate(),
            message_id,
            parent_id: None,
            model: model.into(),
            input_tokens: None,
            cached_tokens: None,
            output_tokens: None,
            reasoning_tokens: None,
            price_version: None,
            cost_usd: None,
            latency_ms: None,
            first_token_ms: None,
            stop_reason: None,
        }
    }
}

/// Changes to a row of `model_calls`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset whose fields are all `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = model_calls)]
pub struct ModelCallChanges {
    /// Price list by which the cost was computed.
    pub price_version: Option<Option<String>>,
    /// Cost in US dollars.
    pub cost_usd: Option<Option<BigDecimal>>,
}

crate::tenant_rows! {
    model_calls: NewModelCall, ModelCallChanges;
}
