//! Errors by which a service chooses its answer.

use diesel::sql_types::{Nullable, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use workspace_db::id::DocumentId;
use workspace_db::models::{NewDocument, NewDocumentChunk, NewMessage};
use workspace_db::schema::{document_chunks, documents, messages};
use workspace_db::sql_types::{Embedding, MessageRole};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceConnection};
use workspace_db::{Error, Result};

use super::Fixture;

/// A table of one's own, whose rows keep the documents that they refer to.
const KEEPS: &str = "CREATE TABLE keeps (
        workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE, id uuid NOT NULL DEFAULT gen_random_uuid(),
        document_id uuid, code varchar(3) NOT NULL, n smallint, at timestamptz, PRIMARY KEY (workspace_id, id),
        CONSTRAINT keeps_code_check CHECK (code <> 'bad'), CONSTRAINT keeps_code_key UNIQUE (workspace_id, code),
        CONSTRAINT keeps_document_fkey FOREIGN KEY (workspace_id, document_id) REFERENCES documents (workspace_id, id) {action});
    SELECT workspace_db_isolate('keeps')";

async fn keeps(action: &str) -> Fixture {
    let fixture = Fixture::new().await;
    let mut owner = workspace_db::db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner.batch_execute(&KEEPS.replace("{action}", action)).await.unwrap();
    fixture
}

async fn insert(ws: &mut WorkspaceConnection, columns: &str, values: &str) -> Result<usize> {
    let workspace = ws.workspace();
    let insert = format!("INSERT INTO keeps (workspace_id, {columns}) VALUES ('{workspace}', {values})");
    ws.under_row_security("a test", async |conn| Ok(diesel::sql_query(insert).execute(conn).await?)).await
}

#[rstest]
#[case("ON DELETE RESTRICT")]
#[case("ON DELETE NO ACTION")]
#[case("ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED")]
#[tokio::test]
async fn a_row_to_which_others_refer_is_a_conflict_and_not_missing(#[case] action: &str) {
    let mut fixture = keeps(action).await;
    let document = fixture.a.document;
    insert(&mut fixture.ws, "code, document_id", &format!("'abc', '{document}'")).await.unwrap();
    let delete = documents::table.in_workspace(&fixture.ws).find(document).delete();
    let error = delete.execute(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_still_referenced() && !error.is_not_found(), "{error:?}");
    assert_eq!((error.constraint(), error.http_status()), (Some("keeps_document_fkey"), 409));
    // A parent that does not exist is missing.
    let id = DocumentId::generate();
    let error = insert(&mut fixture.ws, "code, document_id", &format!("'xyz', '{id}'")).await.unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert_eq!((error.constraint(), error.http_status()), (Some("keeps_document_fkey"), 404));
}

#[rstest]
#[case::too_long("code", "'abcd'", None, None)]
#[case::null("code", "NULL", Some("code"), None)]
#[case::left_out("n", "1", Some("code"), None)]
#[case::out_of_range("code, n", "'abc', 32768", None, None)]
#[case::beyond_all_times("code, at", "'abc', '300000-01-01'", None, None)]
#[case::no_number("code, n", "'abc', 'x'", None, None)]
#[case::check("code", "'bad'", None, Some("keeps_code_check"))]
#[tokio::test]
async fn a_value_that_does_not_fit_is_invalid_input(
    #[case] columns: &str,
    #[case] values: &str,
    #[case] field: Option<&str>,
    #[case] constraint: Option<&str>,
) {
    let mut fixture = keeps("").await;
    let error = insert(&mut fixture.ws, columns, values).await.unwrap_err();
    assert!(error.is_invalid_input() && error.http_status() == 422 && !error.is_retryable(), "{error:?}");
    assert_eq!((error.field(), error.constraint()), (field, constraint), "{error:?}");
}

#[tokio::test]
async fn a_unique_key_that_is_taken_is_named() {
    let mut fixture = keeps("").await;
    insert(&mut fixture.ws, "code", "'abc'").await.unwrap();
    let error = insert(&mut fixture.ws, "code", "'abc'").await.unwrap_err();
    assert!(error.is_conflict() && error.http_status() == 409, "{error:?}");
    assert_eq!(error.constraint(), Some("keeps_code_key"));
}

#[tokio::test]
async fn scoped_statements_have_the_same_errors() {
    let mut fixture = Fixture::new().await;
    let nul = documents::table.in_workspace(&fixture.ws).insert(NewDocument::new("a\0b"));
    assert!(nul.execute(&mut fixture.ws).await.unwrap_err().is_invalid_input());
    let parent = messages::table.in_workspace(&fixture.ws).insert(NewMessage::new(
        fixture.b.conversation,
        MessageRole::User,
        "of a conversation of another workspace",
    ));
    let error = parent.execute(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_not_found() && error.constraint().is_some_and(|name| name.contains("conversation")), "{error:?}");
    let vector = Embedding::try_from(vec![1.0; 1536]).unwrap();
    let chunk = NewDocumentChunk::new(fixture.a.document, 900, "x", vector, "m");
    let chunk = NewDocumentChunk { token_count: Some(-1), ..chunk };
    let insert = document_chunks::table.in_workspace(&fixture.ws).insert(&chunk);
    let error = insert.execute(&mut fixture.ws).await.unwrap_err();
    assert_eq!(error.constraint(), Some("document_chunks_token_count_check"), "{error:?}");
}

/// The driver reports the same errors to the parts that speak to it directly.
#[tokio::test]
async fn the_driver_has_the_same_errors() {
    let fixture = keeps("ON DELETE RESTRICT").await;
    let client = workspace_db::db::client(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let (workspace, document) = (fixture.a.workspace, fixture.a.document);
    let run = async |sql: &str| client.batch_execute(sql).await.map_err(Error::from);
    run(&format!("INSERT INTO keeps (workspace_id, document_id, code) VALUES ('{workspace}', '{document}', 'abc')"))
        .await
        .unwrap();
    let delete = run(&format!("DELETE FROM documents WHERE id = '{document}'")).await.unwrap_err();
    assert!(delete.is_still_referenced() && delete.constraint() == Some("keeps_document_fkey"), "{delete:?}");
    let null = run(&format!("INSERT INTO keeps (workspace_id) VALUES ('{workspace}')")).await.unwrap_err();
    assert!(null.is_invalid_input() && null.field() == Some("code"), "{null:?}");
    let long = run("UPDATE keeps SET code = 'abcd'").await.unwrap_err();
    assert!(long.is_invalid_input(), "{long:?}");
    let range = run("UPDATE keeps SET n = 40000").await.unwrap_err();
    assert!(range.is_invalid_input(), "{range:?}");
}

#[tokio::test]
async fn a_bound_null_is_named() {
    let mut fixture = keeps("").await;
    let workspace = fixture.a.workspace.to_string();
    let error: Error = fixture
        .ws
        .under_row_security("a test", async |conn| {
            let insert = diesel::sql_query("INSERT INTO keeps (workspace_id, code) VALUES ($1::uuid, $2)");
            let insert = insert.bind::<Text, _>(&workspace).bind::<Nullable<Text>, _>(None::<String>);
            Ok::<_, Error>(insert.execute(conn).await?)
        })
        .await
        .unwrap_err();
    assert_eq!((error.field(), error.to_string().as_str()), (Some("code"), "code: must have a value"));
}
