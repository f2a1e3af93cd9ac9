//! Conversations: messages in an order that can't tie, in branches, and answers that survive the program that makes them.
//!
//! # How do I store a conversation?
//!
//! [`for_visitor`] returns the conversation of a visitor, and [`append`](append()) adds a message to it.
//! [`begin_answer`] adds an answer that arrives in parts. [`history`] returns what to give to a model.
//!
//! # What is guaranteed?
//!
//! - `seq` numbers the messages of a conversation from 1, under a lock of the conversation. The numbers have the order of the
//!   commits.
//! - A message with a client id can be sent any number of times, and is stored once.
//! - The parent of a message is of the same conversation, by a foreign key, and no function changes it.
//! - An answer is `pending`, then `streaming`, and ends as `complete`, `interrupted`, `failed` or `withheld`. If its writer dies,
//!   a `jobs::Worker` interrupts it when the lease is over, with all that was flushed.
//! - After a hand-over to a person, no answer of the model is shown: it is withheld.
//!
//! Rows that are inserted as [`NewMessage`](crate::models::NewMessage) or by other programs have no number. They follow the
//! numbered ones in the order of time, and the next append numbers them.

mod answer;
mod answer_end;
mod answer_lease;
mod append;
mod branch;
mod expired;
mod export;
mod feedback;
mod input;
mod list;
mod missing;
mod model_price;
mod page;
mod status;
mod token_usage;
mod usage;
mod visitor;

pub use self::answer::{AnswerFacts, AnswerStart, AnswerTimes, AnswerWriter, MAX_ANSWER_LEASE, begin_answer};
pub use self::answer_end::stop_answer;
pub use self::append::{AppendResult, append};
pub use self::branch::{history, history_until, select_branch, siblings};
pub use self::expired::{InterruptedAnswer, interrupt_expired};
pub use self::export::{MAX_PROMPT_MESSAGES, TrainingFormat, training_lines};
pub use self::feedback::{FeedbackInput, Rating, give_feedback, review_queue, take_back_feedback};
pub use self::input::{MAX_CLIENT_ID_CHARS, MAX_CONTENT_BYTES, MessageInput};
pub use self::list::{ConversationFilter, list_conversations};
pub use self::model_price::ModelPrice;
pub use self::page::{ConversationPage, MAX_PAGE, MessageDetail, PageStart, SourceDetail, conversation_page};
pub use self::status::{StatusChange, change_status, release};
pub use self::token_usage::TokenUsage;
pub use self::usage::{ModelCallInput, ModelUsage, UsageOf, model_usage, record_model_call};
pub use self::visitor::{MAX_VISITOR_BYTES, VisitorConversation, for_visitor};
