//! The database that the old package's newest schema file makes.

use diesel_async::SimpleAsyncConnection as _;
use serde_json::{Value, json};
use workspace_db::db;
use workspace_db::embeddings::{Embedder as _, FeatureHashing};
use workspace_db::schema::document_chunks;
use workspace_db::search::SearchChunks as _;
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db_adopt::{Adoption, AdoptionOutcome, EmbedReport, LongVectors, embed_set_aside};

use super::{Fixture, PASSWORD, count, rows};
use crate::folder::Folder;

async fn second_form() -> Fixture {
    let fixture = Fixture::empty().await;
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let form = include_str!("second_form.sql").replace(":'hash'", &format!("'{hash}'"));
    fixture.there().await.batch_execute(&form).await.unwrap();
    fixture
}

fn compared(report: &workspace_db_adopt::AdoptionReport, table: &str) -> (u64, u64, u64) {
    let all = report.compared.as_ref().unwrap();
    let one = all.iter().find(|one| one.table == table).unwrap();
    (one.same, one.changed, one.set_aside)
}

async fn aside(adoption: &Adoption, folder: &Folder) -> Vec<Value> {
    adoption.switch(false, &|_| ()).await.unwrap();
    let file = folder.path().join("aside.jsonl");
    adoption.finish(&file).await.unwrap();
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn passages_keep_their_metadata_and_a_shortened_vector_and_searches_find_them() {
    let fixture = second_form().await;
    let plan = fixture.adoption().plan().await.unwrap();
    assert_eq!(plan.differences, workspace_db_adopt::SchemaDifferences::default());
    let found =
        |what: &str| plan.findings.iter().find(|one| one.what.contains(what)).map(|one| (one.rows, one.becomes));
    assert_eq!(found("3072 dimensions"), Some((3, AdoptionOutcome::Changed)));
    assert_eq!(found("does not have 1536 dimensions"), Some((1, AdoptionOutcome::SetAside)));
    assert_eq!(found("no invited_at"), Some((1, AdoptionOutcome::Changed)));
    assert_eq!(found("a score that is not"), Some((2, AdoptionOutcome::SetAside)));
    assert_eq!(found("webhook_events"), Some((3, AdoptionOutcome::Changed)));
    let report = fixture.run().await.unwrap();
    assert_eq!(compared(&report, "document_chunks"), (3, 0, 1));
    let mut here = fixture.here().await;
    let vectors =
        "SELECT c.id, vector_dims(c.vector) AS dims, round(vector_norm(c.vector)::numeric, 4)::text AS norm, c.metadata
        FROM document_chunks AS c ORDER BY c.id";
    let found = rows(&mut here, vectors).await;
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|one| one["dims"] == 1536 && one["norm"] == "1.0000"), "{found:?}");
    assert_eq!([&found[0]["metadata"], &found[2]["metadata"]], [&json!({ "page": 1 }), &json!({})]);
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    let db = fixture.new.open(2).await.unwrap();
    let scope = WorkspaceScope::unchecked("00000000-0000-4000-8000-000000000001".parse().unwrap(), "a test");
    let mut ws = db.workspace(&scope).await.unwrap();
    let chunks = document_chunks::table.in_workspace(&ws);
    let hits = chunks.full_text("page", 10).chunk_metadata(json!({ "page": 2 })).run(&mut ws).await.unwrap().hits;
    assert_eq!(
        hits.iter().map(|hit| (&*hit.content, &hit.metadata)).collect::<Vec<_>>(),
        [("the second page", &json!({ "page": 2 }))]
    );
}

#[tokio::test]
async fn what_does_not_fit_is_set_aside_row_by_row_with_its_reason() {
    let fixture = second_form().await;
    // A key that no index takes: the database rejects the row, and no other.
    let long = "ALTER TABLE documents DROP CONSTRAINT documents_workspace_id_external_id_key;
        INSERT INTO documents (id, workspace_id, title, external_id)
        SELECT w(100 + n), w(1), 'D' || n, CASE WHEN n = 500 THEN (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) AS i)
            ELSE n::text END FROM generate_series(1, 1000) AS n";
    fixture.there().await.batch_execute(long).await.unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!(compared(&report, "documents"), (1001, 0, 1));
    assert_eq!(compared(&report, "messages"), (1, 2, 0));
    assert_eq!(compared(&report, "feedback"), (1, 0, 2));
    assert_eq!(compared(&report, "jobs"), (1, 0, 1));
    assert_eq!(compared(&report, "workspace_settings"), (2, 3, 0));
    let mut here = fixture.here().await;
    let events =
        rows(&mut here, "SELECT webhook_events, temperature, metadata FROM workspace_settings ORDER BY workspace_id")
            .await;
    let lists: Vec<&Value> = events.iter().map(|one| &one["webhook_events"]).collect();
    assert_eq!(lists, [&json!(["a", "b"]), &json!(["c", "d e"]), &json!(["f", "g"]), &json!([]), &json!([])]);
    assert_eq!((&events[0]["temperature"], &events[1]["temperature"]), (&json!(0.5), &Value::Null));
    let invited = rows(&mut here, "SELECT invited_at::text FROM workspace_admins").await;
    assert_eq!(invited[0]["invited_at"], "2021-01-01 00:00:00+00");
    let aside = aside(&fixture.adoption(), &fixture.folder).await;
    for (table, reason) in [
        ("document_chunks", "does not have 1536 dimensions"),
        ("documents", "the database rejects it"),
        ("messages", "its confidence does not satisfy messages_confidence_check"),
        ("messages", "its tokens does not satisfy messages_tokens_check"),
        ("feedback", "it does not satisfy feedback_score_check"),
        ("feedback", "its score does not fit into smallint"),
        ("jobs", "it does not satisfy jobs_priority_check"),
        ("workspace_settings", "its temperature does not satisfy"),
        ("workspace_settings", "its webhook_events were a text"),
    ] {
        let is_it = |line: &&Value| line["table"] == table && line["reason"].as_str().unwrap().contains(reason);
        assert!(aside.iter().any(|line| is_it(&line)), "{table}: {reason}: {aside:#?}");
    }
    let text = aside.iter().find(|line| line["old_row"]["embedding_model"] == "another-model").unwrap();
    assert_eq!(text["old_row"]["content"], "of a model that has no shorter vectors");
    // The file gives it a new vector, once.
    let (into, file) = (fixture.new.url().unwrap(), fixture.folder.path().join("aside.jsonl"));
    let report = embed_set_aside(&into, &file, &FeatureHashing, &|_| ()).await.unwrap();
    assert_eq!(report, EmbedReport { embedded: 1, skipped: 0 });
    let passage = "SELECT chunk_index, content, embedding_model, vector_dims(vector) AS dims FROM document_chunks WHERE id = w(4)";
    let passage = passage.replace("w(4)", "'00000000-0000-4000-8000-000000000004'");
    let passages = rows(&mut fixture.here().await, &passage).await;
    let content = "of a model that has no shorter vectors";
    let model = FeatureHashing.model();
    assert_eq!(passages, [json!({ "chunk_index": 1, "content": content, "embedding_model": model, "dims": 1536 })]);
    let again = embed_set_aside(&into, &file, &FeatureHashing, &|_| ()).await.unwrap();
    assert_eq!(again, EmbedReport { embedded: 0, skipped: 1 });
    // Odd rows of the file are skipped one by one, and text becomes metadata.
    let line = |n: u8, field: &str, value: Value| {
        let id = format!("00000000-0000-4000-8000-0000000000{n}");
        let mut row = json!({ "id": id, "workspace_id": "00000000-0000-4000-8000-000000000001", "chunk_index": n, "content": "x",
            "document_id": "00000000-0000-4000-8000-000000000001", "created_at": "infinity", "token_count": 3.5,
            "metadata": "{\"page\": 7}" });
        row[field] = value;
        json!({ "table": "document_chunks", "is_kept": false, "old_row": row }).to_string()
    };
    let odd = [
        line(20, "chunk_index", json!(3_000_000_000_u64)),
        line(21, "chunk_index", Value::Null),
        line(22, "content", json!(" ")),
        line(23, "document_id", json!("00000000-0000-4000-8000-000000000099")),
        line(24, "id", json!("00000000-0000-4000-8000-000000000024")),
    ];
    std::fs::write(&file, odd.join("\n")).unwrap();
    let report = embed_set_aside(&into, &file, &FeatureHashing, &|_| ()).await.unwrap();
    assert_eq!(report, EmbedReport { embedded: 1, skipped: 4 });
    let page =
        rows(&mut fixture.here().await, "SELECT metadata, token_count FROM document_chunks WHERE chunk_index = 24")
            .await;
    assert_eq!(page, [json!({ "metadata": { "page": 7 }, "token_count": null })]);
    std::fs::write(&file, "something else\n").unwrap();
    let error = embed_set_aside(&into, &file, &FeatureHashing, &|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("line 1 of"), "{error}");
}

#[tokio::test]
async fn long_vectors_are_set_aside_by_choice_and_are_the_same_in_place() {
    let fixture = second_form().await;
    let adoption = fixture.adoption().long_vectors(LongVectors::SetAside);
    let report = adoption.run(&|_| ()).await.unwrap();
    assert_eq!(compared(&report, "document_chunks"), (0, 0, 4));
    let in_place = Adoption::in_place(&fixture.old.url().unwrap(), None);
    let report = in_place.run(&|_| ()).await.unwrap();
    assert_eq!(compared(&report, "document_chunks"), (3, 0, 1));
    in_place.switch(false, &|_| ()).await.unwrap();
    let mut owner = db::connect(&fixture.old.url().unwrap()).await.unwrap();
    owner.batch_execute("SET ROLE workspace_platform").await.unwrap();
    assert_eq!(count(&mut owner, "document_chunks").await, 3);
}

/// Sources of other forms still: types that the old package's own tools made of the same columns.
#[tokio::test]
async fn other_types_of_a_column_are_converted() {
    let fixture = second_form().await;
    let other = "ALTER TABLE messages ALTER tokens TYPE bigint, ALTER confidence TYPE real, ALTER content TYPE varchar(500), ALTER metadata TYPE json;
        ALTER TABLE documents ALTER created_at TYPE timestamp USING created_at AT TIME ZONE 'UTC', ALTER status TYPE varchar;
        ALTER TABLE conversations ALTER status DROP DEFAULT, ALTER status TYPE text;
        ALTER TABLE feedback ALTER score TYPE numeric(9, 2);
        ALTER TABLE jobs ALTER attempts TYPE bigint, ALTER scheduled_at TYPE timestamp USING scheduled_at AT TIME ZONE 'UTC';
        UPDATE messages SET tokens = 3000000000 WHERE id = w(1);
        UPDATE feedback SET score = 0.5 WHERE id = w(3);
        UPDATE conversations SET status = 'snoozed';
        ALTER TABLE documents ALTER metadata DROP DEFAULT, ALTER metadata TYPE text;
        UPDATE documents SET metadata = CASE id WHEN w(1) THEN '{\"a\": ' ELSE ' ' END";
    fixture.there().await.batch_execute(other).await.unwrap();
    let plan = fixture.adoption().plan().await.unwrap();
    let found = |what: &str| {
        let one = plan.findings.iter().find(|one| one.what.contains(what));
        one.map(|one| (one.table, one.rows, one.becomes))
    };
    assert_eq!(
        found("tokens that does not fit into integer"),
        Some(("messages", 1, AdoptionOutcome::Changed)),
        "{plan:#?}"
    );
    assert_eq!(found("metadata that does not fit into jsonb"), Some(("documents", 1, AdoptionOutcome::SetAside)));
    let report = fixture.run().await.unwrap();
    // The conversation's status is unknown, so its messages are set aside with it.
    assert_eq!(compared(&report, "conversations"), (0, 0, 1));
    assert_eq!(compared(&report, "messages"), (0, 0, 3));
    fixture.there().await.batch_execute("UPDATE conversations SET status = 'open'").await.unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!(compared(&report, "messages"), (0, 3, 0));
    assert_eq!(compared(&report, "feedback"), (1, 0, 2));
    assert_eq!(compared(&report, "documents"), (1, 0, 1));
    let tokens = rows(&mut fixture.here().await, "SELECT tokens FROM messages ORDER BY id").await;
    assert_eq!(tokens[0]["tokens"], Value::Null);
}

#[tokio::test]
async fn a_workspace_is_not_lost_for_a_language_or_a_threshold() {
    let fixture = second_form().await;
    let odd = "ALTER TABLE workspaces ALTER default_language DROP DEFAULT, ALTER default_language TYPE text,
            ALTER confidence_threshold TYPE double precision;
        UPDATE workspaces SET default_language = 'en_US', confidence_threshold = 70 WHERE id = w(1);
        UPDATE workspaces SET default_language = 'English (US)' WHERE id = w(2)";
    fixture.there().await.batch_execute(odd).await.unwrap();
    let plan = fixture.adoption().plan().await.unwrap();
    let found =
        |what: &str| plan.findings.iter().find(|one| one.what.contains(what)).map(|one| (one.rows, one.becomes));
    assert_eq!(found("not a language tag"), Some((2, AdoptionOutcome::Changed)));
    assert_eq!(found("not between 0 and 1"), Some((1, AdoptionOutcome::Changed)));
    assert_eq!(found("a negative priority"), Some((1, AdoptionOutcome::SetAside)));
    let report = fixture.run().await.unwrap();
    assert_eq!(compared(&report, "workspaces").2, 0);
    let workspaces = "SELECT default_language, confidence_threshold FROM workspaces ORDER BY id LIMIT 2";
    let workspaces = rows(&mut fixture.here().await, workspaces).await;
    assert_eq!(workspaces[0], json!({ "default_language": "en-US", "confidence_threshold": 0.7 }));
    assert_eq!(workspaces[1]["default_language"], "en");
    let aside = aside(&fixture.adoption(), &fixture.folder).await;
    assert!(aside.iter().any(|line| line["old_row"]["default_language"] == "English (US)"), "{aside:#?}");
}
