//! Scoped queries within and beside another: each with row-level security switched off.

use diesel::prelude::*;
use workspace_db::models::{Document, NewDocument};
use workspace_db::schema::{conversations, datasources, document_chunks, documents, messages};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceConnection, WorkspaceScope};
use workspace_db::{Error, Result};

use super::leaks::types_alone;
use super::{Fixture, scope_of};

/// Inserts a document without chunks and returns its title.
async fn bare(ws: &mut WorkspaceConnection, title: &str) {
    documents::table.in_workspace(&ws).insert(NewDocument::new(title)).execute(ws).await.unwrap();
}

fn titles(found: Vec<Document>) -> Vec<String> {
    found.into_iter().map(|one| one.title).collect()
}

#[tokio::test]
async fn rows_with_and_without_related_rows_are_those_of_the_workspace() {
    let Fixture { database: _database, db, scope, a, b, mut ws, .. } = types_alone().await;
    bare(&mut db.workspace(&scope_of(&b)).await.unwrap(), "bare in b").await;
    bare(&mut ws, "bare in a").await;
    let chunks = || document_chunks::table.in_workspace(&scope);
    let all = || documents::table.in_workspace(&scope);
    let with: Vec<Document> = all().filter_exists(chunks()).load(&mut ws).await.unwrap();
    assert_eq!(with.iter().map(|one| one.id).collect::<Vec<_>>(), [a.document]);
    let without: Vec<Document> = all().filter_not_exists(chunks()).load(&mut ws).await.unwrap();
    assert_eq!(titles(without), ["bare in a"]);
    // The related rows have filters of their own, and the relation is followed from either end.
    let none = chunks().filter(document_chunks::content.eq("no such text"));
    assert_eq!(all().filter_exists(none).load::<Document>(&mut ws).await.unwrap(), []);
    let of_documents = chunks().filter_exists(all().filter(documents::title.ne("")));
    assert_eq!(of_documents.count().get_result::<i64>(&mut ws).await.unwrap(), 1);
    // With a limit and an order, which change nothing about existence.
    let ordered = chunks().order(document_chunks::chunk_index.desc()).limit(1);
    assert_eq!(all().filter_exists(ordered).load::<Document>(&mut ws).await.unwrap().len(), 1);
    // An aggregate always has a row, also where no row is related.
    let counted = || chunks().filter(document_chunks::content.eq("no such text")).count();
    assert_eq!(all().filter_exists(counted()).load::<Document>(&mut ws).await.unwrap(), []);
    assert_eq!(all().filter_not_exists(counted()).load::<Document>(&mut ws).await.unwrap().len(), 2);
    // Deleting by it, too.
    assert_eq!(all().filter_not_exists(chunks()).delete().execute(&mut ws).await.unwrap(), 1);
}

#[tokio::test]
async fn combined_queries_have_the_rows_of_one_workspace() {
    let Fixture { database: _database, scope, a, b, mut ws, .. } = types_alone().await;
    let of_a = documents::table.in_workspace(&scope).select(documents::id);
    let parents = || document_chunks::table.in_workspace(&scope).select(document_chunks::document_id);
    let union: Vec<workspace_db::id::DocumentId> = of_a.union(parents()).load(&mut ws).await.unwrap();
    assert_eq!(union, [a.document]);
    let twice: Vec<workspace_db::id::DocumentId> = of_a.union_all(parents()).load(&mut ws).await.unwrap();
    assert_eq!(twice, [a.document, a.document]);
    let both: Vec<workspace_db::id::DocumentId> = of_a.intersect(parents()).load(&mut ws).await.unwrap();
    assert_eq!(both, [a.document]);
    let rest: Vec<workspace_db::id::DocumentId> = of_a.except(parents()).load(&mut ws).await.unwrap();
    assert_eq!(rest, []);
    let one: Vec<workspace_db::id::DocumentId> = of_a.union_all(parents()).limit(1).load(&mut ws).await.unwrap();
    assert_eq!(one, [a.document]);
    let first: workspace_db::id::DocumentId = of_a.union_all(parents()).first(&mut ws).await.unwrap();
    assert_eq!(first, a.document);
    // Three, with a join and a filter.
    let named = datasources::table.in_workspace(&scope).select(datasources::name.nullable());
    let talks = conversations::table
        .in_workspace(&scope)
        .inner_join(messages::table)
        .filter(messages::content.ne("x"))
        .select(conversations::title);
    let texts: Vec<Option<String>> = named.union_all(talks).union_all(named).load(&mut ws).await.unwrap();
    assert_eq!(texts.len(), 3, "{texts:?}");
    let of_b = documents::table.in_workspace(&scope_of(&b)).select(documents::id);
    let mixed: Result<Vec<workspace_db::id::DocumentId>> = of_a.union(of_b).load(&mut ws).await;
    assert_refused(mixed);
}

#[tokio::test]
async fn a_scalar_subquery_is_the_value_of_one_row_or_null() {
    let Fixture { database: _database, db, scope, a, b, mut ws, .. } = types_alone().await;
    bare(&mut db.workspace(&scope_of(&b)).await.unwrap(), "zzz in b").await;
    bare(&mut ws, "yyy in a").await;
    let last = |scope: &WorkspaceScope| documents::table.in_workspace(scope).select(diesel::dsl::max(documents::title));
    let all = || documents::table.in_workspace(&scope);
    let found: Vec<Document> =
        all().filter(documents::title.nullable().eq(last(&scope).single_value())).load(&mut ws).await.unwrap();
    assert_eq!(titles(found), ["yyy in a"]);
    let selected: Vec<(workspace_db::id::DocumentId, Option<String>)> = all()
        .filter(documents::id.eq(a.document))
        .select((documents::id, last(&scope).single_value()))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(selected, [(a.document, Some("yyy in a".to_owned()))]);
    // Twice in one tuple, beside a list.
    let among = documents::id.eq_any(document_chunks::table.in_workspace(&scope).select(document_chunks::document_id));
    let both: Vec<(bool, Option<String>, Option<String>)> = all()
        .order(documents::title)
        .select((among, last(&scope).single_value(), last(&scope).single_value()))
        .load(&mut ws)
        .await
        .unwrap();
    let yyy = || Some("yyy in a".to_owned());
    assert_eq!(both, [(true, yyy(), yyy()), (false, yyy(), yyy())]);
    let none = all().filter(documents::title.eq("no such title")).select(documents::title).single_value();
    let selected: Vec<Option<String>> = all().select(none).limit(1).load(&mut ws).await.unwrap();
    assert_eq!(selected, [None]);
    let theirs = last(&scope_of(&b)).single_value();
    assert_refused(all().filter(documents::title.nullable().eq(theirs)).load::<Document>(&mut ws).await);
}

#[tokio::test]
async fn related_rows_of_another_workspace_are_refused() {
    let Fixture { database: _database, scope, b, mut ws, .. } = types_alone().await;
    let theirs = document_chunks::table.in_workspace(&scope_of(&b));
    assert_refused(documents::table.in_workspace(&scope).filter_exists(theirs).load::<Document>(&mut ws).await);
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T>) {
    let error: Error = result.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("use the same scope for both"), "{error}");
    assert_eq!(error.http_status(), 500, "a mistake in the program, and not of its caller");
}
