//! The administrators that a workspace's rows name, in the target database.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::layout::TableLayout;
use super::row::Row;
use crate::error::Result;
use crate::id::AdminUserId;
use crate::sql_types::{Email, PasswordHash};

/// Administrators of an archive and their accounts in this database.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Id in this database, by the id in the archive.
    pub(super) here: HashMap<Uuid, Uuid>,
    /// Emails of administrators that were unknown here. Each now has an account without a password.
    pub(super) added: Vec<String>,
    /// Emails, by the id in this database.
    pub(super) emails: HashMap<Uuid, String>,
}

const FIND: &str = "SELECT id FROM admin_users WHERE lower(email) = lower($1)";
/// Statement that inserts an account with the archive's id, or with a new one if another account has that id.
const ADD: &str = "
INSERT INTO admin_users (id, email, password_hash, first_name, last_name, is_invited)
SELECT CASE WHEN EXISTS (SELECT FROM admin_users WHERE id = $1) THEN $2 ELSE $1 END, $3, $4, $5, $6, true
RETURNING id";

#[derive(QueryableByName)]
struct AdminRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Finds each administrator by email, whatever the id. Creates an account for each unknown one, as an invitation does. A
/// found account may have an email that would be rejected today.
pub(super) async fn settle(
    conn: &mut AsyncPgConnection,
    table: &TableLayout,
    rows: &[Row],
    unusable: &PasswordHash,
) -> Result<People> {
    let mut people = People::default();
    let at = |name| table.position(name).unwrap_or(usize::MAX);
    for row in rows {
        let (Some(id), Some(email)) = (row.uuid(at("id")), row.text(at("email"))) else { continue };
        let find = diesel::sql_query(FIND).bind::<Text, _>(email);
        let here = if let Some(found) = find.get_result::<AdminRow>(conn).await.optional()? {
            found.id
        } else {
            let email: Email = email.parse()?;
            people.added.push(email.to_string());
            let add = diesel::sql_query(ADD)
                .bind::<SqlUuid, _>(id)
                .bind::<SqlUuid, _>(AdminUserId::generate())
                .bind::<Text, _>(&email)
                .bind::<Text, _>(unusable)
                .bind::<Nullable<Text>, _>(row.text(at("first_name")))
                .bind::<Nullable<Text>, _>(row.text(at("last_name")));
            add.get_result::<AdminRow>(conn).await?.id
        };
        people.emails.insert(here, email.to_owned());
        people.here.insert(id, here);
    }
    Ok(people)
}
