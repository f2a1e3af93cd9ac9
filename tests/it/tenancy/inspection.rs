//! What Diesel's bounds let through, and the look at the SQL refuses: each with row-level security switched off.

use std::panic::AssertUnwindSafe;

use diesel::dsl::{self, AssumeNotNull, SingleValue, sql};
use diesel::expression::{AppearsOnTable, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Text};
use futures_util::FutureExt as _;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db::{Error, Result};

use super::leaks::types_alone;
use super::{Fixture, scope_of};

/// Why a query is refused: by a panic where this test is built for development, else by an error.
async fn refused<R: std::fmt::Debug>(query: impl Future<Output = Result<R>>) -> String {
    let sent = match AssertUnwindSafe(query).catch_unwind().await {
        Ok(sent) => sent,
        Err(panic) => return panic.downcast_ref::<String>().expect("a message").clone(),
    };
    let error = sent.expect_err("it was sent");
    assert!(error.is_invalid_input(), "{error:?}");
    error.to_string()
}

fn unscoped() -> dsl::Filter<document_chunks::table, dsl::Like<document_chunks::content, &'static str>> {
    document_chunks::table.filter(document_chunks::content.like("SECRET%"))
}

#[tokio::test]
async fn a_subquery_where_diesel_does_not_look_is_refused() {
    let Fixture { database: _database, scope, mut ws, .. } = types_alone().await;
    let all = documents::table.in_workspace(&scope);
    let count = || dsl::count(documents::id);
    let filtered = || count().aggregate_filter(dsl::exists(unscoped()));
    let mut errors = vec![
        refused(all.select(filtered()).load::<i64>(&mut ws)).await,
        refused(
            all.group_by(documents::title).having(filtered().gt(0)).select(documents::title).load::<String>(&mut ws),
        )
        .await,
        refused(all.group_by(documents::title).select(documents::title).order(filtered()).load::<String>(&mut ws))
            .await,
        refused(all.select(count().over().partition_by(dsl::exists(unscoped()))).load::<i64>(&mut ws)).await,
        refused(all.select(count().over().window_order(dsl::exists(unscoped()))).load::<i64>(&mut ws)).await,
        refused(all.select(filtered().over()).load::<i64>(&mut ws)).await,
    ];
    let within = document_chunks::table
        .in_workspace(&scope)
        .group_by(document_chunks::document_id)
        .having(dsl::count(document_chunks::id).aggregate_filter(dsl::exists(unscoped())).gt(0))
        .select(document_chunks::document_id);
    errors.push(refused(all.filter(documents::id.eq_any(within)).load::<Document>(&mut ws)).await);
    for error in errors {
        assert!(error.contains("not scoped") && error.contains("in_workspace"), "{error}");
    }
    // The same aggregates without a subquery go through, again and again.
    for _ in 0..2 {
        let counted: Vec<i64> =
            all.select(count().aggregate_filter(documents::title.eq("Opening hours"))).load(&mut ws).await.unwrap();
        assert_eq!(counted, [1]);
    }
}

type Sub = AssumeNotNull<SingleValue<dsl::Select<document_chunks::table, document_chunks::content>>>;

fn sub() -> Sub {
    document_chunks::table.select(document_chunks::content).single_value().assume_not_null()
}

#[derive(Clone, Copy, Insertable)]
#[diesel(table_name = documents)]
struct NewWithSubquery {
    title: Sub,
}

#[derive(Clone, Copy, AsChangeset)]
#[diesel(table_name = documents)]
struct ChangesWithSubquery {
    title: Sub,
}

workspace_db::tenant_rows! {
    documents: NewWithSubquery, ChangesWithSubquery;
}

#[tokio::test]
async fn a_subquery_in_the_fields_of_a_declared_row_is_refused() {
    let Fixture { database: _database, a, scope, mut ws, .. } = types_alone().await;
    let all = documents::table.in_workspace(&scope);
    let errors = [
        refused(all.insert(NewWithSubquery { title: sub() }).execute(&mut ws)).await,
        refused(
            all.insert(vec![NewWithSubquery { title: sub() }; 3]).returning(documents::title).load::<String>(&mut ws),
        )
        .await,
        refused(all.find(a.document).update().set(ChangesWithSubquery { title: sub() }).execute(&mut ws)).await,
        refused(
            all.insert(&NewDocument::new("x"))
                .on_conflict((documents::workspace_id, documents::id))
                .do_update()
                .set(ChangesWithSubquery { title: sub() })
                .execute(&mut ws),
        )
        .await,
    ];
    for error in errors {
        assert!(error.contains("not scoped"), "{error}");
    }
}

#[tokio::test]
async fn a_literal_that_is_not_whole_is_refused() {
    let Fixture { database: _database, a, scope, mut ws, .. } = types_alone().await;
    let all = documents::table.in_workspace(&scope);
    let filters = [
        "true) OR (true",
        "true)) OR ((true",
        "true) -- ",
        "true /* ",
        "title = ' OR title = ",
        "EXISTS (SELECT FROM document_chunks WHERE content LIKE 'SECRET%')",
        "title IN (TABLE titles)",
        "query_to_xml('SELECT content FROM document_chunks', true, true, '') IS NOT NULL",
        "true; DELETE FROM documents",
    ];
    for text in filters {
        refused(all.filter(sql::<Bool>(text)).load::<Document>(&mut ws)).await;
        // Within parentheses of Diesel's own it may be whole again, and then it stays in the group.
        let beside = all.filter(documents::title.eq("x").or(sql::<Bool>(text))).load::<Document>(&mut ws);
        if let Ok(Ok(rows)) = AssertUnwindSafe(beside).catch_unwind().await {
            assert!(rows.iter().all(|row| row.id == a.document), "{text}: {rows:?}");
        }
        refused(all.filter(sql::<Bool>(text)).delete().execute(&mut ws)).await;
        refused(all.filter(sql::<Bool>(text)).update().set(documents::title.eq("x")).execute(&mut ws)).await;
        let within =
            document_chunks::table.in_workspace(&scope).filter(sql::<Bool>(text)).select(document_chunks::document_id);
        refused(all.filter(documents::id.eq_any(within)).load::<Document>(&mut ws)).await;
    }
    refused(all.select(sql::<Text>("title FROM documents UNION SELECT title")).load::<String>(&mut ws)).await;
    refused(all.select(documents::title).order(sql::<Text>("title) OR (true")).load::<String>(&mut ws)).await;
    refused(all.update().set(documents::title.eq(sql::<Text>("'x', workspace_id = workspace_id"))).execute(&mut ws))
        .await;
    refused(all.delete().returning(sql::<BigInt>("(SELECT count(*) FROM documents)")).load::<i64>(&mut ws)).await;
    // A literal that is whole goes through, with a FROM that is none of a query.
    let year = sql::<Bool>("extract(year FROM created_at) > 2000 AND title IS DISTINCT FROM '(' AND (true OR false)");
    assert_eq!(all.filter(year).load::<Document>(&mut ws).await.unwrap().len(), 1);
}

/// An expression of another crate, whose bounds say what it likes.
#[derive(Clone, Copy, QueryId)]
struct Lie;

impl Expression for Lie {
    type SqlType = Bool;
}
impl<QS> AppearsOnTable<QS> for Lie {}
impl<QS> SelectableExpression<QS> for Lie {}
impl<GB> ValidGrouping<GB> for Lie {
    type IsAggregate = is_aggregate::Never;
}
impl QueryFragment<Pg> for Lie {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("EXISTS (SELECT 1 FROM document_chunks)");
        Ok(())
    }
}

#[tokio::test]
async fn an_expression_that_lies_about_its_tables_is_refused() {
    let Fixture { database: _database, scope, mut ws, .. } = types_alone().await;
    let all = documents::table.in_workspace(&scope);
    for _ in 0..2 {
        refused(all.filter(Lie).load::<Document>(&mut ws)).await;
        refused(all.select(Lie).load::<bool>(&mut ws)).await;
        refused(all.select(Lie).into_boxed().load::<bool>(&mut ws)).await;
        refused(all.select(Lie).first::<bool>(&mut ws)).await;
        refused(all.select(Lie).load_stream::<bool>(&mut ws).map(|rows| rows.map(drop))).await;
    }
}

#[tokio::test]
async fn a_subquery_of_another_workspace_is_refused() {
    let Fixture { database: _database, a, b, scope, mut ws, .. } = types_alone().await;
    let of = |scope: &WorkspaceScope| document_chunks::table.in_workspace(scope).select(document_chunks::document_id);
    let all = documents::table.in_workspace(&scope);
    let mine: Vec<Document> = all.filter(documents::id.eq_any(of(&scope))).load(&mut ws).await.unwrap();
    assert_eq!(mine.iter().map(|row| row.id).collect::<Vec<_>>(), [a.document]);
    // The query of that type was looked at before, and its values are still compared.
    let theirs = scope_of(&b);
    let error: Error = all.filter(documents::id.eq_any(of(&theirs))).load::<Document>(&mut ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("subquery"), "{error}");
    let error = all.filter(documents::id.eq_any(of(&theirs))).delete().execute(&mut ws).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
}

mod named {
    //! A row of a user's own that names its workspace, which its macro can't see.
    use super::*;

    #[derive(Insertable)]
    #[diesel(table_name = datasources)]
    pub(super) struct NamedSource {
        pub(super) workspace_id: workspace_db::id::WorkspaceId,
        pub(super) name: String,
        #[diesel(column_name = type_)]
        pub(super) kind: workspace_db::sql_types::DatasourceType,
    }
    #[derive(AsChangeset)]
    #[diesel(table_name = datasources)]
    pub(super) struct NoChanges {
        pub(super) name: Option<String>,
    }
    workspace_db::tenant_rows! {
        datasources: NamedSource, NoChanges;
    }
}

#[tokio::test]
async fn a_row_that_names_its_workspace_is_refused_with_the_remedy() {
    let Fixture { database: _database, scope, mut ws, b, .. } = types_alone().await;
    let row = || named::NamedSource {
        workspace_id: b.workspace,
        name: "x".to_owned(),
        kind: workspace_db::sql_types::DatasourceType::Web,
    };
    let _ = named::NoChanges { name: None };
    let sources = datasources::table.in_workspace(&scope);
    for error in [
        refused(sources.insert(row()).execute(&mut ws)).await,
        refused(sources.insert(vec![row(), row()]).execute(&mut ws)).await,
    ] {
        assert!(error.contains("remove the field `workspace_id`"), "{error}");
    }
}
