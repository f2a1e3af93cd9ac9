//! Conversations for a support team: lists by what matters, messages with their sources and feedback, and the hand-over.

mod change;
mod list;
mod message;
mod one;

pub(super) use self::change::{reply, status};
pub(super) use self::list::page;
pub(super) use self::one::one;
