//! Tokens of a call of a model.

use serde_json::Value;

/// Tokens of a call as the provider reports them. `None` and zero differ.
///
/// The parts are contained in the whole, as in OpenTelemetry's semantic conventions for generative AI: the input contains the
/// cached tokens, and the output those of the reasoning. Add them up if a provider reports them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens of the input.
    pub input: Option<u32>,
    /// Those of the input that came from the provider's cache.
    pub cached: Option<u32>,
    /// Tokens of the output.
    pub output: Option<u32>,
    /// Those of the output that were reasoning.
    pub reasoning: Option<u32>,
}

impl TokenUsage {
    /// Returns the tokens of the object `usage` in a response of OpenAI's protocol: that of chat completions or of responses. What it
    /// lacks, and what is no number, is `None`.
    ///
    /// ```
    /// use workspace_db::conversations::TokenUsage;
    ///
    /// let usage = serde_json::json!({ "prompt_tokens": 900, "completion_tokens": 0, "prompt_tokens_details": { "cached_tokens": 512 } });
    /// let usage = TokenUsage::from_openai(&usage);
    /// assert_eq!((usage.input, usage.cached, usage.output, usage.reasoning), (Some(900), Some(512), Some(0), None));
    /// ```
    #[must_use]
    pub fn from_openai(usage: &Value) -> Self {
        let count = |names: [&str; 2]| {
            let number = names.iter().find_map(|name| usage.pointer(name)?.as_u64());
            number.and_then(|number| u32::try_from(number).ok())
        };
        Self {
            input: count(["/prompt_tokens", "/input_tokens"]),
            cached: count(["/prompt_tokens_details/cached_tokens", "/input_tokens_details/cached_tokens"]),
            output: count(["/completion_tokens", "/output_tokens"]),
            reasoning: count([
                "/completion_tokens_details/reasoning_tokens",
                "/output_tokens_details/reasoning_tokens",
            ]),
        }
    }
}
