//! Judgements of messages, and the queue of those that a person should read.

use std::fmt;
use std::str::FromStr;

use diesel::IntoSql as _;
use diesel::prelude::{ExpressionMethods as _, SelectableHelper as _};
use diesel::sql_types::{Integer, Nullable, Timestamptz, Uuid as SqlUuid};

use super::input::check_text;
use crate::error::{Error, Result};
use crate::id::{AdminUserId, MessageId};
use crate::models::{Feedback, Message, NewFeedback};
use crate::schema::{feedback, messages};
use crate::sql_types::{FeedbackJudge, StatementTime};
use crate::tenancy::{Access, FunctionCall, InWorkspace as _, MayWrite, PageKey, WorkspaceConnection, excluded};

/// Rating of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rating {
    /// Bad, stored as -1.
    Bad,
    /// Neutral, stored as 0.
    Neutral,
    /// Good, stored as 1.
    Good,
}

impl Rating {
    /// Returns the value in the column `score`.
    #[must_use]
    pub const fn score(self) -> i16 {
        match self {
            Self::Bad => -1,
            Self::Neutral => 0,
            Self::Good => 1,
        }
    }

    /// Returns the rating of a value of the column `score`.
    #[must_use]
    pub const fn from_score(score: i16) -> Self {
        match score {
            ..0 => Self::Bad,
            0 => Self::Neutral,
            1.. => Self::Good,
        }
    }
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bad => "bad",
            Self::Neutral => "neutral",
            Self::Good => "good",
        })
    }
}

impl FromStr for Rating {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Bad, Self::Neutral, Self::Good];
        all.into_iter().find(|rating| rating.to_string() == text).ok_or_else(|| {
            Error::invalid(format!("{text:?} is no rating")).remedy("use bad, neutral or good").about("rating")
        })
    }
}

/// A judgement of a message: who judges, the rating, and what else is said.
///
/// ```
/// use workspace_db::conversations::{FeedbackInput, Rating};
///
/// let judgement = FeedbackInput::visitor(Rating::Bad).label("outdated").comment("You close at six now.");
/// # drop(judgement);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a judgement does nothing before it is given"]
pub struct FeedbackInput {
    judge: FeedbackJudge,
    admin_user_id: Option<AdminUserId>,
    rating: Rating,
    label: Option<String>,
    comment: Option<String>,
    better_answer: Option<String>,
}

impl FeedbackInput {
    /// Returns the judgement of the visitor.
    pub fn visitor(rating: Rating) -> Self {
        Self {
            judge: FeedbackJudge::Visitor,
            admin_user_id: None,
            rating,
            label: None,
            comment: None,
            better_answer: None,
        }
    }

    /// Returns the judgement of an administrator who reviews answers.
    pub fn reviewer(admin: AdminUserId, rating: Rating) -> Self {
        Self { judge: FeedbackJudge::Reviewer, admin_user_id: Some(admin), ..Self::visitor(rating) }
    }

    /// Sets the category of the rating.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// Sets the comment.
    pub fn comment(self, comment: impl Into<String>) -> Self {
        Self { comment: Some(comment.into()), ..self }
    }

    /// Sets what the answer should have been.
    pub fn better_answer(self, answer: impl Into<String>) -> Self {
        Self { better_answer: Some(answer.into()), ..self }
    }
}

/// Stores a judgement of a message of the connection's workspace, and returns its row. It replaces the one that the same judge
/// has given before: the visitor and the reviewers have one each.
///
/// # Errors
///
/// [`is_not_found`](crate::Error::is_not_found) if the workspace has no such message, or there is no such administrator;
/// [`is_invalid_input`](crate::Error::is_invalid_input) with the field if a text has more than 1 MiB or a NUL character;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::{FeedbackInput, Rating, give_feedback, take_back_feedback};
/// use workspace_db::id::MessageId;
/// use workspace_db::sql_types::FeedbackJudge;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, answer: MessageId) -> workspace_db::Result<()> {
/// give_feedback(ws, answer, &FeedbackInput::visitor(Rating::Good)).await?;
/// take_back_feedback(ws, answer, FeedbackJudge::Visitor).await?;
/// # Ok(())
/// # }
/// ```
pub async fn give_feedback(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    message: MessageId,
    judgement: &FeedbackInput,
) -> Result<Feedback> {
    let texts =
        [("label", &judgement.label), ("comment", &judgement.comment), ("better_answer", &judgement.better_answer)];
    for (field, text) in texts {
        text.as_deref().map_or(Ok(()), |text| check_text(field, text))?;
    }
    let row = NewFeedback {
        judge: Some(judgement.judge),
        admin_user_id: judgement.admin_user_id,
        label: judgement.label.clone(),
        comment: judgement.comment.clone(),
        better_answer: judgement.better_answer.clone(),
        ..NewFeedback::new(message, judgement.rating.score())
    };
    feedback::table
        .in_workspace(&ws)
        .insert(&row)
        .on_conflict((feedback::workspace_id, feedback::message_id, feedback::judge))
        .do_update()
        .set((
            feedback::score.eq(excluded(feedback::score)),
            feedback::admin_user_id.eq(excluded(feedback::admin_user_id)),
            feedback::label.eq(excluded(feedback::label)),
            feedback::comment.eq(excluded(feedback::comment)),
            feedback::better_answer.eq(excluded(feedback::better_answer)),
            feedback::updated_at.eq(StatementTime),
        ))
        .returning(Feedback::as_returning())
        .get_result(ws)
        .await
}

/// Deletes a judge's judgement of a message, and returns true if there was one.
///
/// # Errors
///
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
pub async fn take_back_feedback(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    message: MessageId,
    judge: FeedbackJudge,
) -> Result<bool> {
    let of_judge =
        feedback::table.in_workspace(&ws).filter(feedback::message_id.eq(message)).filter(feedback::judge.eq(judge));
    Ok(of_judge.delete().execute(ws).await? > 0)
}

/// Returns at most `limit` messages of the connection's workspace that a person should read, the oldest first, after those of
/// the page before.
///
/// They had too little confidence, or the visitor found them bad, and no reviewer has judged them. Pass the
/// [`page_key`](crate::tenancy::Keyset::page_key) of the last message as `after`.
///
/// # Errors
///
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::conversations::review_queue;
/// use workspace_db::tenancy::{Keyset, WorkspaceConnection};
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let first = review_queue(ws, None, 20).await?;
/// let second = review_queue(ws, first.last().map(Keyset::page_key), 20).await?;
/// # drop(second);
/// # Ok(())
/// # }
/// ```
pub async fn review_queue(
    ws: &mut WorkspaceConnection<impl Access>,
    after: Option<PageKey>,
    limit: u32,
) -> Result<Vec<Message>> {
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        after.map(|key| key.created_at).into_sql::<Nullable<Timestamptz>>(),
        after.map(|key| key.id).into_sql::<Nullable<SqlUuid>>(),
        i32::try_from(limit).unwrap_or(i32::MAX).into_sql::<Integer>(),
    );
    let columns = Message::as_select();
    FunctionCall::rows_of(messages::table, "workspace_db_review_queue", columns, arguments).load_in(ws).await
}
