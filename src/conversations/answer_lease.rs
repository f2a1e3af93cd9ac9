//! Leases of answers that are being made.

use std::time::Duration;

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Bool, Interval, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::id::MessageId;
use crate::sql_types::interval;
use crate::tenancy::{Database, FunctionCall, MayWrite, WorkspaceScope};

/// Token and length of a lease that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewLease {
    pub(super) token: Uuid,
    pub(super) length: Duration,
}

impl NewLease {
    /// Returns a lease with a random token, because version 7 can be guessed in part.
    pub(super) fn random(length: Duration) -> Self {
        Self { token: Uuid::new_v4(), length }
    }
}

/// Stores a piece, and returns true if the conversation's speaker is not the bot.
pub(super) async fn store<A: MayWrite>(
    db: &Database,
    scope: &WorkspaceScope<A>,
    answer: MessageId,
    lease: NewLease,
    position: usize,
    piece: &str,
) -> Result<bool> {
    let mut ws = db.workspace(scope).await?;
    let arguments = (
        ws.workspace().into_sql::<SqlUuid>(),
        answer.into_sql::<SqlUuid>(),
        lease.token.into_sql::<SqlUuid>(),
        stored_position(position).into_sql::<BigInt>(),
        piece.into_sql::<Text>(),
        interval(lease.length).into_sql::<Interval>(),
    );
    let call = FunctionCall::<_, _, Bool>::new("workspace_db_flush_answer", "is_withheld", arguments);
    let rows: Vec<bool> = call.load_in(&mut ws).await?;
    rows.into_iter().next().ok_or_else(|| lease_lost(answer))
}

pub(super) fn lease_lost(message: MessageId) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("the answer {message} was ended, or its lease is over"))
        .remedy("stop the model; the message has what was flushed")
}

/// A position is at most the size of a message.
pub(super) fn stored_position(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
