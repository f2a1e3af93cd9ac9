//! Joins by alias and statements over two tables, each with row-level security switched off.

use diesel::prelude::*;
use diesel_async::SimpleAsyncConnection as _;
use workspace_db::id::DocumentId;
use workspace_db::models::NewDocument;
use workspace_db::schema::{datasources, documents};
use workspace_db::sql_types::DocumentStatus;
use workspace_db::tenancy::{InWorkspace as _, excluded, joined, joined_alias};
use workspace_db::{Error, Result};

use super::leaks::types_alone;
use super::{Fixture, scope_of};

use schema::{accounts, transfers};

mod schema {
    diesel::table! {
        accounts (workspace_id, id) {
            id -> Uuid,
            workspace_id -> Uuid,
            parent_id -> Nullable<Uuid>,
            document_id -> Nullable<Uuid>,
            name -> Text,
        }
    }
    diesel::table! {
        transfers (workspace_id, id) {
            id -> Uuid,
            workspace_id -> Uuid,
            payer_id -> Uuid,
            payee_id -> Uuid,
            amount -> Int4,
        }
    }
    diesel::allow_tables_to_appear_in_same_query!(accounts, transfers);
}
workspace_db::typed_ids! {
    /// Names an account.
    pub AccountId, "an account";
    /// Names a transfer.
    pub TransferId, "a transfer";
}
workspace_db::tenant_tables! {
    accounts: AccountId,
    transfers: TransferId,
}
diesel::alias! {
    const payer: Alias<Payer> = accounts as payer;
    const payee: Alias<Payee> = accounts as payee;
    const parent: Alias<Parent> = accounts as parent;
    const branch: Alias<Branch> = accounts as branch;
}
workspace_db::relations! {
    accounts.document_id => documents;
    transfers.payer_id => accounts as Payer;
    transfers.payee_id => accounts as Payee;
    accounts.parent_id => accounts as Parent;
    accounts as Branch.parent_id => accounts;
}

/// Tables with the same ids in both workspaces, so that a join without the workspace finds the other's rows.
async fn with_accounts() -> Fixture {
    let fixture = types_alone().await;
    let mut owner = workspace_db::db::connect(&fixture.database.url().unwrap()).await.unwrap();
    let a = fixture.a.workspace;
    owner
        .batch_execute(&format!(
            "CREATE TABLE accounts (id uuid, workspace_id uuid, parent_id uuid, document_id uuid, name text NOT NULL,
                PRIMARY KEY (workspace_id, id));
             CREATE TABLE transfers (id uuid, workspace_id uuid, payer_id uuid NOT NULL, payee_id uuid NOT NULL,
                amount int NOT NULL, PRIMARY KEY (workspace_id, id));
             INSERT INTO accounts
                SELECT md5(n::text)::uuid, workspace_id, CASE WHEN n > 1 THEN md5('1')::uuid END, id,
                    CASE workspace_id WHEN '{a}' THEN 'a' ELSE 'b' END || n
                FROM documents, generate_series(1, 3) AS n;
             INSERT INTO transfers
                SELECT md5('t')::uuid, workspace_id, md5('1')::uuid, md5('2')::uuid, 5 FROM documents;
             GRANT SELECT, INSERT, UPDATE, DELETE ON accounts, transfers TO PUBLIC;",
        ))
        .await
        .unwrap();
    fixture
}

#[tokio::test]
async fn two_keys_to_one_table_and_a_key_to_its_own_stay_in_the_workspace() {
    let Fixture { database: _database, scope, b, mut ws, .. } = with_accounts().await;
    let names: Vec<(String, String, i32)> = transfers::table
        .in_workspace(&scope)
        .inner_join(payer)
        .inner_join(payee)
        .select((payer.field(accounts::name), payee.field(accounts::name), transfers::amount))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(names, [("a1".to_owned(), "a2".to_owned(), 5)]);
    let parents: Vec<(String, Option<String>, Option<String>)> = accounts::table
        .in_workspace(&scope)
        .left_join(parent)
        .left_join(documents::table)
        .filter(accounts::name.ne("a3"))
        .order(accounts::name)
        .select((accounts::name, parent.field(accounts::name).nullable(), documents::title.nullable()))
        .load(&mut ws)
        .await
        .unwrap();
    let title = || Some("Opening hours".to_owned());
    assert_eq!(parents, [("a1".to_owned(), None, title()), ("a2".to_owned(), Some("a1".to_owned()), title())]);
    let with = |name: &str| branch.in_workspace(&scope).filter(branch.field(accounts::name).eq(name.to_owned()));
    let of = |name: &str| accounts::table.in_workspace(&scope).filter_exists(with(name)).select(accounts::name);
    assert_eq!(of("a2").load::<String>(&mut ws).await.unwrap(), ["a1"]);
    assert_eq!(of("b2").load::<String>(&mut ws).await.unwrap(), [] as [String; 0]);
    let leaves = accounts::table.in_workspace(&scope).filter_not_exists(branch.in_workspace(&scope));
    assert_eq!(leaves.count().get_result::<i64>(&mut ws).await.unwrap(), 2);
    let paid: Vec<(String, i32)> = payer
        .in_workspace(&scope)
        .inner_join(transfers::table)
        .select((payer.field(accounts::name), transfers::amount))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(paid, [("a1".to_owned(), 5)]);
    let theirs = branch.in_workspace(&scope_of(&b));
    assert_refused(accounts::table.in_workspace(&scope).filter_exists(theirs).count().get_result::<i64>(&mut ws).await);
}

#[tokio::test]
async fn an_update_with_values_of_a_related_row_reads_and_changes_one_workspace() {
    let Fixture { database: _database, db, scope, b, mut ws, .. } = with_accounts().await;
    let all = || accounts::table.in_workspace(&scope);
    let changed = all()
        .filter(accounts::name.ne("a3"))
        .update()
        .from(documents::table)
        .filter(documents::title.eq("Opening hours"))
        .filter(documents::status.ne(DocumentStatus::Archived).or(accounts::name.eq("none")))
        .set(accounts::name.eq(accounts::name.concat(joined(documents::title))))
        .returning(accounts::name)
        .load::<String>(&mut ws)
        .await
        .unwrap();
    assert_eq!(changed, ["a1Opening hours", "a2Opening hours"]);
    let of_parent = all()
        .update()
        .from(parent)
        .filter(parent.field(accounts::name).like("a1%"))
        .set(accounts::name.eq(joined_alias(parent.field(accounts::name))))
        .execute(&mut ws)
        .await
        .unwrap();
    assert_eq!(of_parent, 2);
    let mut other = db.workspace(&scope_of(&b)).await.unwrap();
    let theirs = accounts::table.in_workspace(&other).order(accounts::name).select(accounts::name);
    assert_eq!(theirs.load::<String>(&mut other).await.unwrap(), ["b1", "b2", "b3"]);
    // A column of a table that is not in FROM is an error of the database, and no row of anybody.
    let without = documents::table.in_workspace(&scope).update().set(documents::title.eq(joined(datasources::name)));
    assert!(without.execute(&mut ws).await.unwrap_err().to_string().contains("datasources"));
}

#[tokio::test]
async fn rows_of_a_query_are_inserted_into_the_workspace_of_the_query() {
    let Fixture { database, db, scope, a, b, mut ws, .. } = types_alone().await;
    let titles = || documents::table.in_workspace(&scope).select((documents::title, documents::status));
    let into = || documents::table.in_workspace(&scope);
    let columns = || (documents::title, documents::status);
    let copies: Vec<(workspace_db::id::WorkspaceId, String)> = into()
        .insert_select(columns(), titles())
        .returning((documents::workspace_id, documents::title))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(copies, [(a.workspace, "Opening hours".to_owned())]);
    let one = documents::table.in_workspace(&scope).inner_join(datasources::table).select(datasources::name);
    assert_eq!(into().insert_select((documents::title,), one).execute(&mut ws).await.unwrap(), 1);
    let same = documents::table.in_workspace(&scope).select((documents::id, documents::title));
    let again = into()
        .insert_select((documents::id, documents::title), same)
        .on_conflict((documents::workspace_id, documents::id))
        .do_update()
        .set(documents::title.eq(excluded(documents::title).concat("!")))
        .filter(documents::id.eq(a.document))
        .execute(&mut ws)
        .await
        .unwrap();
    assert_eq!(again, 1);
    let theirs = documents::table.in_workspace(&scope_of(&b)).select(documents::title);
    assert_refused(into().insert_select((documents::title,), theirs).execute(&mut ws).await);
    let mut other = db.workspace(&scope_of(&b)).await.unwrap();
    assert_eq!(documents::table.in_workspace(&other).count().get_result::<i64>(&mut other).await.unwrap(), 1);
    drop(database);
}

#[tokio::test]
async fn an_upsert_with_a_predicate_changes_only_the_rows_that_match() {
    let Fixture { database: _database, scope, a, mut ws, .. } = types_alone().await;
    let upsert = |title: &'static str, predicate: &str| {
        documents::table
            .in_workspace(&scope)
            .insert(NewDocument { id: a.document, ..NewDocument::new(title) })
            .on_conflict((documents::workspace_id, documents::id))
            .do_update()
            .set(documents::title.eq(excluded(documents::title)))
            .filter(documents::title.eq(predicate.to_owned()).or(documents::title.eq("none")))
            .returning(documents::id)
    };
    let none: Vec<DocumentId> = upsert("new", "another").load(&mut ws).await.unwrap();
    assert_eq!(none, []);
    let one: Vec<DocumentId> = upsert("new", "Opening hours").load(&mut ws).await.unwrap();
    assert_eq!(one, [a.document]);
    let title: String = documents::table.in_workspace(&scope).select(documents::title).first(&mut ws).await.unwrap();
    assert_eq!(title, "new");
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T>) {
    let error: Error = result.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("use the same scope for both"), "{error}");
}
