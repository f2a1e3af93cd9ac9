//! Every way of querying, asked as `a` where `b` has the same.

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, max};
use diesel::prelude::*;
use futures_util::TryStreamExt as _;
use workspace_db::id::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::sql_types::*;
use workspace_db::tenancy::{InWorkspace as _, OptionalRow as _, PageKey, excluded};

use super::{Fixture, scope_of};

#[tokio::test]
async fn every_table_shows_one_workspace() {
    let Fixture { a, scope, mut ws, database: _database, .. } = Fixture::new().await;
    macro_rules! assert_one {
        ($($table:ident as $model:ident),+) => {$(
            let rows: Vec<$model> = $table::table.in_workspace(&scope).select($model::as_select()).load(&mut ws).await.unwrap();
            let of: Vec<_> = rows.iter().map(|row| row.workspace_id).collect();
            assert_eq!(of, [a.workspace], "{}", stringify!($table));
        )+};
    }
    assert_one!(
        analytics_events as AnalyticsEvent,
        audit_log as AuditEntry,
        chunk_reembeddings as ChunkReembedding,
        conversations as Conversation,
        datasources as Datasource,
        document_chunks as DocumentChunk,
        documents as Document,
        feedback as Feedback,
        job_schedules as JobSchedule,
        jobs as Job,
        message_deltas as MessageDelta,
        message_sources as MessageSource,
        messages as Message,
        model_calls as ModelCall,
        service_tokens as ServiceToken,
        webhook_subscriptions as WebhookSubscription,
        workspace_admins as WorkspaceAdmin,
        workspace_settings as WorkspaceSettings
    );
}

#[tokio::test]
async fn a_row_is_found_by_its_id_and_another_workspaces_is_not_there() {
    let Fixture { a, b, scope, mut ws, database: _database, .. } = Fixture::new().await;
    let found: Document = documents::table.in_workspace(&scope).find(a.document).first(&mut ws).await.unwrap();
    assert_eq!(found.id, a.document);
    let missing = documents::table.in_workspace(&scope).find(b.document).first::<Document>(&mut ws).await;
    assert!(missing.as_ref().unwrap_err().is_not_found(), "{missing:?}");
    assert_eq!(missing.optional().unwrap(), None);
}

#[tokio::test]
async fn the_combinators_narrow_order_and_group() {
    let Fixture { scope, mut ws, database: _database, .. } = Fixture::new().await;
    let titles = ["Bread", "Apples", "Cheese", "Dates"];
    let rows: Vec<_> = titles.iter().map(|title| NewDocument::new(*title)).collect();
    assert_eq!(documents::table.in_workspace(&scope).insert(&rows).execute(&mut ws).await.unwrap(), 4);
    let some: Vec<String> = documents::table
        .in_workspace(&scope)
        .filter(documents::title.eq("Apples").or(documents::title.like("%e%")))
        .filter(documents::status.eq(DocumentStatus::Ready))
        .order(documents::title.asc())
        .then_order_by(documents::id)
        .offset(1)
        .limit(3)
        .select(documents::title)
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(some, ["Bread", "Cheese", "Dates"]);
    let counted: i64 = documents::table.in_workspace(&scope).count().get_result(&mut ws).await.unwrap();
    assert_eq!(counted, 5);
    let by_status: Vec<(DocumentStatus, i64)> = documents::table
        .in_workspace(&scope)
        .group_by(documents::status)
        .having(count_star().gt(1))
        .select((documents::status, count_star()))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(by_status, [(DocumentStatus::Ready, 5)]);
    let newest: Option<DateTime<Utc>> =
        documents::table.in_workspace(&scope).select(max(documents::created_at)).get_result(&mut ws).await.unwrap();
    assert!(newest.is_some());
    let kinds: Vec<DocumentStatus> =
        documents::table.in_workspace(&scope).select(documents::status).distinct().load(&mut ws).await.unwrap();
    assert_eq!(kinds, [DocumentStatus::Ready]);
    let firsts: Vec<String> = documents::table
        .in_workspace(&scope)
        .distinct_on(documents::status)
        .order_by((documents::status, documents::title))
        .select(documents::title)
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(firsts, ["Apples"]);
}

#[tokio::test]
async fn a_boxed_query_takes_optional_filters() {
    let Fixture { scope, mut ws, database: _database, .. } = Fixture::new().await;
    for (title, expected) in [(Some("Opening hours"), 1), (Some("None such"), 0), (None, 1)] {
        let mut query = documents::table.in_workspace(&scope).into_boxed();
        if let Some(title) = title {
            query = query.filter(documents::title.eq(title));
        }
        let found: Vec<Document> = query.limit(10).load(&mut ws).await.unwrap();
        assert_eq!(found.len(), expected);
    }
}

#[tokio::test]
async fn joins_carry_the_workspace() {
    let Fixture { a, scope, mut ws, database: _database, .. } = Fixture::new().await;
    let inner: Vec<(Document, Datasource)> = documents::table
        .in_workspace(&scope)
        .inner_join(datasources::table)
        .filter(datasources::name.eq("Handbook"))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(
        inner.iter().map(|(document, source)| (document.id, source.id)).collect::<Vec<_>>(),
        [(a.document, a.datasource)]
    );
    documents::table.in_workspace(&scope).insert(&NewDocument::new("by hand")).execute(&mut ws).await.unwrap();
    let left: Vec<(String, Option<String>)> = documents::table
        .in_workspace(&scope)
        .left_join(datasources::table)
        .order(documents::title)
        .select((documents::title, datasources::name.nullable()))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(left, [("Opening hours".to_owned(), Some("Handbook".to_owned())), ("by hand".to_owned(), None)]);
    let query = feedback::table.in_workspace(&scope).inner_join(messages::table).inner_join(conversations::table);
    assert_eq!(query.to_sql().matches("\"workspace_id\" = \"").count(), 2, "{}", query.to_sql());
    let deep: Vec<(FeedbackId, MessageId, ConversationId)> =
        query.select((feedback::id, messages::id, conversations::id)).load(&mut ws).await.unwrap();
    assert_eq!(deep, [(a.feedback, a.message, a.conversation)]);
    let up: Vec<(DatasourceId, DocumentChunkId)> = datasources::table
        .in_workspace(&scope)
        .inner_join(documents::table)
        .inner_join(document_chunks::table)
        .select((datasources::id, document_chunks::id))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(up, [(a.datasource, a.document_chunk)]);
}

#[tokio::test]
async fn a_subquery_is_scoped_too() {
    let Fixture { a, scope, mut ws, database: _database, .. } = Fixture::new().await;
    documents::table.in_workspace(&scope).insert(&NewDocument::new("without chunks")).execute(&mut ws).await.unwrap();
    let with_chunks = document_chunks::table.in_workspace(&scope).select(document_chunks::document_id);
    let found: Vec<DocumentId> = documents::table
        .in_workspace(&scope)
        .filter(documents::id.eq_any(with_chunks))
        .select(documents::id)
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(found, [a.document]);
}

#[tokio::test]
async fn inserts_take_one_many_none_and_return() {
    let Fixture { a, scope, mut ws, database, .. } = Fixture::new().await;
    let new = NewDocument::new("one");
    let one: Document = documents::table.in_workspace(&scope).insert(&new).get_result(&mut ws).await.unwrap();
    assert_eq!((one.id, one.workspace_id), (new.id, a.workspace));
    let thousand: Vec<_> = (0..1000).map(|n| NewDocument::new(format!("{n}"))).collect();
    let ids: Vec<DocumentId> =
        documents::table.in_workspace(&scope).insert(&thousand).returning(documents::id).load(&mut ws).await.unwrap();
    assert_eq!(ids, thousand.iter().map(|new| new.id).collect::<Vec<_>>());
    let none: Vec<NewDocument> = Vec::new();
    assert_eq!(documents::table.in_workspace(&scope).insert(&none).execute(&mut ws).await.unwrap(), 0);
    let none: Vec<Document> = documents::table.in_workspace(&scope).insert(none).load(&mut ws).await.unwrap();
    assert_eq!(none, []);
    let mut conn = database.connect().await.unwrap();
    let elsewhere: i64 = diesel_async::RunQueryDsl::first(
        documents::table.filter(documents::workspace_id.ne(a.workspace)).count(),
        &mut conn,
    )
    .await
    .unwrap();
    assert_eq!(elsewhere, 1);
}

#[tokio::test]
async fn an_upsert_changes_its_own_row() {
    let Fixture { a, scope, mut ws, database: _database, .. } = Fixture::new().await;
    let again = NewDocument { id: a.document, ..NewDocument::new("Opening hours, revised") };
    let upsert = || documents::table.in_workspace(&scope).insert(&again);
    let target = (documents::workspace_id, documents::id);
    let kept = upsert().on_conflict(target).do_nothing().execute(&mut ws).await.unwrap();
    assert_eq!(kept, 0);
    assert_eq!(upsert().on_conflict_do_nothing().execute(&mut ws).await.unwrap(), 0);
    let title: String = upsert()
        .on_conflict(target)
        .do_update()
        .set((documents::title.eq(excluded(documents::title)), documents::updated_at.eq(StatementTime)))
        .returning(documents::title)
        .get_result(&mut ws)
        .await
        .unwrap();
    assert_eq!(title, "Opening hours, revised");
}

#[tokio::test]
async fn updates_and_deletes_stay_in_their_workspace() {
    let Fixture { a, b, scope, mut ws, db, database: _database, .. } = Fixture::new().await;
    let all = documents::table.in_workspace(&scope);
    let changes = DocumentChanges { title: Some("Holidays".to_owned()), ..Default::default() };
    assert_eq!(all.update().set(&changes).execute(&mut ws).await.unwrap(), 1);
    let theirs = documents::table.in_workspace(&scope).find(b.document);
    assert_eq!(theirs.update().set(documents::title.eq("mine now")).execute(&mut ws).await.unwrap(), 0);
    assert!(theirs.update().set(&changes).get_result::<Document>(&mut ws).await.unwrap_err().is_not_found());
    assert_eq!(theirs.delete().execute(&mut ws).await.unwrap(), 0);
    let gone: Vec<DocumentId> =
        all.filter(documents::title.eq("Holidays")).delete().returning(documents::id).load(&mut ws).await.unwrap();
    assert_eq!(gone, [a.document]);
    let other = scope_of(&b);
    let mut ws = db.workspace(&other).await.unwrap();
    let kept: Document = documents::table.in_workspace(&other).find(b.document).first(&mut ws).await.unwrap();
    assert_eq!(kept.title, "Opening hours");
}

#[tokio::test]
async fn locks_hold_until_the_transaction_ends() {
    let Fixture { a, scope, mut ws, db, database: _database, .. } = Fixture::new().await;
    let mut second = db.workspace(&scope).await.unwrap();
    let job = jobs::table.in_workspace(&scope).find(a.job).select(Job::as_select());
    ws.transaction(async |tx| {
        let held: Job = job.for_update().get_result(tx).await?;
        assert_eq!(held.id, a.job);
        let free: Vec<Job> = job.for_update().skip_locked().load(&mut second).await?;
        assert_eq!(free, []);
        let busy = job.for_no_key_update().no_wait().load::<Job>(&mut second).await.unwrap_err();
        assert!(busy.is_database_failure(), "{busy}");
        let shared = job.for_key_share().no_wait().load::<Job>(&mut second).await.unwrap_err();
        assert!(shared.to_string().contains("lock"), "{shared}");
        let read: Job = job.first(&mut second).await?;
        assert_eq!(read, held);
        Ok::<_, workspace_db::Error>(())
    })
    .await
    .unwrap();
    let free: Vec<Job> = job.for_share().load(&mut second).await.unwrap();
    assert_eq!(free.len(), 1);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let Fixture { scope, mut ws, database, a, .. } = Fixture::new().await;
    let rows: Vec<_> = (0..9).map(|n| NewDocument::new(format!("{n}"))).collect();
    documents::table.in_workspace(&scope).insert(&rows).execute(&mut ws).await.unwrap();
    // Those nine have one time in common, so only the id orders them.
    let mut conn = database.connect().await.unwrap();
    let all: Vec<DocumentId> = diesel_async::RunQueryDsl::load(
        documents::table
            .filter(documents::workspace_id.eq(a.workspace))
            .order((documents::created_at.desc(), documents::id.desc()))
            .select(documents::id),
        &mut conn,
    )
    .await
    .unwrap();
    for size in [1, 3, 5, 10, 11] {
        let (mut seen, mut after) = (Vec::new(), None::<PageKey>);
        loop {
            let query = documents::table.in_workspace(&scope);
            let page = query.load_page::<Document, _, _>(&mut ws, documents::created_at, after, size).await.unwrap();
            assert!(page.rows.len() <= size as usize);
            seen.extend(page.rows.iter().map(|row| row.id));
            let Some(next) = page.next else { break };
            after = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(seen, all, "pages of {size}");
    }
    assert!("not a key".parse::<PageKey>().unwrap_err().is_invalid_input());
}

#[tokio::test]
async fn a_stream_gives_all_rows_and_the_connection_back() {
    let Fixture { scope, mut ws, database: _database, .. } = Fixture::new().await;
    let rows: Vec<_> = (0..200).map(|n| NewDocument::new(format!("{n}"))).collect();
    documents::table.in_workspace(&scope).insert(&rows).execute(&mut ws).await.unwrap();
    let titles = documents::table.in_workspace(&scope).select(documents::title);
    for _ in 0..2 {
        let streamed: Vec<String> = titles.load_stream(&mut ws).await.unwrap().try_collect().await.unwrap();
        assert_eq!(streamed.len(), 201);
    }
    // One that is dropped before its end costs the connection, and the next statement has another.
    let first: Option<String> = titles.load_stream(&mut ws).await.unwrap().try_next().await.unwrap();
    assert!(first.is_some());
    let counted: i64 = documents::table.in_workspace(&scope).count().get_result(&mut ws).await.unwrap();
    assert_eq!(counted, 201);
}

#[tokio::test]
async fn a_query_of_one_workspace_is_refused_on_the_connection_of_another() {
    let Fixture { b, mut ws, database: _database, .. } = Fixture::new().await;
    let other = scope_of(&b);
    let error = documents::table.in_workspace(&other).load::<Document>(&mut ws).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
    let new = NewDocument::new("x");
    let error = documents::table.in_workspace(&other).insert(&new).execute(&mut ws).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
}
