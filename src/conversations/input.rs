//! Messages to append.

use crate::error::{Error, Result};
use crate::id::MessageId;
use crate::sql_types::{LanguageTag, MessageRole, Metadata};

/// Maximum size of a message, in bytes.
pub const MAX_CONTENT_BYTES: usize = 1024 * 1024;
/// Maximum length of a client id, in characters.
pub const MAX_CLIENT_ID_CHARS: usize = 500;

/// A message to append: its author and text, and what differs from the defaults.
///
/// ```
/// use workspace_db::conversations::MessageInput;
/// use workspace_db::id::MessageId;
///
/// let edited: MessageId = "0198c0de-0000-7000-8000-000000000001".parse()?;
/// // The edited question stands beside the first one, and what followed that stays with it.
/// let question = MessageInput::user("How late are you open on Sundays?").beside(edited).client_id("edit-2");
/// # drop(question);
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a message does nothing before it is appended"]
pub struct MessageInput {
    pub(super) author: Author,
    pub(super) content: String,
    pub(super) client_id: Option<String>,
    pub(super) place: Place,
    pub(super) tokens: Option<u32>,
    pub(super) confidence: Option<f64>,
    pub(super) metadata: Option<Metadata>,
    pub(super) language: Option<LanguageTag>,
}

/// Author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    System,
    User,
    Bot,
    Human,
    Tool,
}

impl Author {
    pub(super) fn role(self) -> MessageRole {
        match self {
            Self::System => MessageRole::System,
            Self::User => MessageRole::User,
            Self::Bot | Self::Human => MessageRole::Assistant,
            Self::Tool => MessageRole::Tool,
        }
    }
}

/// Place of a message in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    AfterHead,
    After(MessageId),
    Beside(MessageId),
}

impl MessageInput {
    /// Returns a message of the visitor.
    pub fn user(content: impl Into<String>) -> Self {
        Self::by(Author::User, content)
    }

    /// Returns an answer of the model that is complete. [`begin_answer`](super::begin_answer()) is for one that arrives in parts.
    pub fn bot(content: impl Into<String>) -> Self {
        Self::by(Author::Bot, content)
    }

    /// Returns an answer of a person who has taken over.
    pub fn human(content: impl Into<String>) -> Self {
        Self::by(Author::Human, content)
    }

    /// Returns a message of the platform to the model.
    pub fn system(content: impl Into<String>) -> Self {
        Self::by(Author::System, content)
    }

    /// Returns the result of a tool that the model has called.
    pub fn tool(content: impl Into<String>) -> Self {
        Self::by(Author::Tool, content)
    }

    pub(super) fn by(author: Author, content: impl Into<String>) -> Self {
        Self {
            author,
            content: content.into(),
            client_id: None,
            place: Place::AfterHead,
            tokens: None,
            confidence: None,
            metadata: None,
            language: None,
        }
    }

    /// Sets the id that the sender gave the message, unique in its conversation. With it, the message can be sent again.
    pub fn client_id(self, id: impl Into<String>) -> Self {
        Self { client_id: Some(id.into()), ..self }
    }

    /// Appends it after this message, and not after the head of the conversation.
    pub fn after(self, parent: MessageId) -> Self {
        Self { place: Place::After(parent), ..self }
    }

    /// Appends it as a sibling of this message, which it replaces in the active branch: an edited question, or another answer.
    pub fn beside(self, sibling: MessageId) -> Self {
        Self { place: Place::Beside(sibling), ..self }
    }

    /// Sets the length in tokens of the model.
    pub fn tokens(self, tokens: u32) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// Sets the confidence of the assistant, 0 to 1.
    pub fn confidence(self, confidence: f64) -> Self {
        Self { confidence: Some(confidence), ..self }
    }

    /// Sets facts about the message.
    pub fn metadata(self, metadata: Metadata) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// Sets the language of the text, which selects the stemmer of a search; the workspace's default language if it is not set.
    pub fn language(self, language: LanguageTag) -> Self {
        Self { language: Some(language), ..self }
    }

    /// Rejects a value that the table would reject, and an empty text.
    pub(super) fn check(&self) -> Result<()> {
        if self.content.trim().is_empty() {
            return Err(Error::invalid("the text of the message is empty").about("content"));
        }
        check_text("content", &self.content)?;
        self.check_facts()
    }

    /// Checks all but the text, which an answer that is begun does not have yet.
    pub(super) fn check_facts(&self) -> Result<()> {
        if let Some(id) = &self.client_id {
            let chars = id.chars().count();
            if chars == 0 || chars > MAX_CLIENT_ID_CHARS || id.contains('\0') {
                let text = format!("a client id of {chars} characters is no id");
                let remedy = format!("use 1 to {MAX_CLIENT_ID_CHARS} characters, without NUL");
                return Err(Error::invalid(text).remedy(remedy).about("client_id"));
            }
        }
        check_tokens(self.tokens)?;
        check_confidence(self.confidence)
    }
}

/// Rejects a text that is too long, or that PostgreSQL can't store.
pub(super) fn check_text(field: &'static str, text: &str) -> Result<()> {
    if text.len() > MAX_CONTENT_BYTES {
        let message = format!("{field} has {} bytes, but the maximum is {MAX_CONTENT_BYTES}", text.len());
        return Err(Error::invalid(message).remedy("store a long text as a document").about(field));
    }
    reject_nul(field, text)
}

/// Rejects a text that PostgreSQL can't store.
pub(super) fn reject_nul(field: &'static str, text: &str) -> Result<()> {
    if text.contains('\0') {
        let message = format!("{field} has a NUL character, which PostgreSQL can't store");
        return Err(Error::invalid(message).about(field));
    }
    Ok(())
}

pub(super) fn check_confidence(confidence: Option<f64>) -> Result<()> {
    match confidence {
        Some(confidence) if !(0.0..=1.0).contains(&confidence) => {
            Err(Error::invalid(format!("the confidence {confidence} is not between 0 and 1")).about("confidence"))
        }
        _ => Ok(()),
    }
}

/// Rejects a number that the column can't hold.
pub(super) fn check_tokens(tokens: Option<u32>) -> Result<()> {
    match tokens {
        Some(tokens) if i32::try_from(tokens).is_err() => {
            Err(Error::invalid(format!("{tokens} tokens are above 2,147,483,647")).about("tokens"))
        }
        _ => Ok(()),
    }
}
