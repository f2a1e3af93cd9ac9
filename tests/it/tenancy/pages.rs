//! Pages in orders of several columns, with row-level security switched off.

use diesel::prelude::*;
use workspace_db::Result;
use workspace_db::id::DocumentId;
use workspace_db::models::{Document, NewDatasource, NewDocument};
use workspace_db::schema::{datasources, documents};
use workspace_db::sql_types::DatasourceType;
use workspace_db::tenancy::{Cursor, CursorPage, InWorkspace as _, WorkspaceConnection, ascending, descending};

use super::leaks::types_alone;
use super::{Fixture, scope_of};

/// Rows with ties and missing values, in both workspaces.
async fn with_rows() -> Fixture {
    let mut fixture = types_alone().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut other = fixture.db.workspace(&scope_of(&fixture.b)).await.unwrap();
    for ws in [&mut fixture.ws, &mut other] {
        let sources: Vec<_> =
            ["x", "y"].map(|name| NewDatasource::new(DatasourceType::Manual, name.to_owned())).into_iter().collect();
        datasources::table.in_workspace(&ws).insert(&sources).execute(ws).await.unwrap();
        let rows: Vec<NewDocument> = (0..40)
            .map(|_| NewDocument {
                summary: random.bool().then(|| random.u8(0..3).to_string()),
                datasource_id: random.bool().then(|| sources[random.usize(0..2)].id),
                ..NewDocument::new(random.u8(0..4).to_string())
            })
            .collect();
        documents::table.in_workspace(&ws).insert(&rows).execute(ws).await.unwrap();
    }
    fixture
}

/// Walks all pages forwards by a request, then back, and returns the ids in the order of either walk.
async fn walk<U>(
    mut request: impl AsyncFnMut(Option<Cursor>) -> Result<CursorPage<U>>,
    id: impl Fn(&U) -> DocumentId,
) -> (Vec<DocumentId>, Vec<DocumentId>) {
    let (mut forwards, mut backwards) = (Vec::new(), Vec::new());
    let mut at = None;
    loop {
        let page = request(at).await.unwrap();
        assert_eq!(page.previous.is_none(), forwards.is_empty());
        forwards.extend(page.rows.iter().map(&id));
        let Some(next) = page.next else {
            let mut place = page.previous;
            let mut rows: Vec<DocumentId> = page.rows.iter().map(&id).collect();
            while let Some(at) = place {
                let text = at.to_string();
                let page = request(Some(text.parse().unwrap())).await.unwrap();
                assert!(page.next.is_some());
                rows.splice(0..0, page.rows.iter().map(&id));
                place = page.previous;
            }
            backwards.extend(rows);
            return (forwards, backwards);
        };
        at = Some(next.to_string().parse().unwrap());
    }
}

type Row = (DocumentId, String, Option<String>);

#[tokio::test]
async fn an_order_with_ties_and_missing_values_is_walked_both_ways() {
    let Fixture { database: _database, scope, mut ws, .. } = with_rows().await;
    let all = documents::table.in_workspace(&scope).select((documents::id, documents::title, documents::summary));
    let by_summary = (descending(documents::summary), ascending(documents::title), ascending(documents::id));
    let order = (documents::summary.desc(), documents::title.asc(), documents::id.asc());
    let expected: Vec<Row> = all.order(order).load(&mut ws).await.unwrap();
    assert_eq!(expected.len(), 41);
    let key = |row: &Row| (row.2.clone(), row.1.clone(), row.0);
    let (forwards, backwards) =
        walk(async |at| all.load_page_by(&mut ws, by_summary, at, 7, key).await, |row: &Row| row.0).await;
    let expected: Vec<DocumentId> = expected.into_iter().map(|row| row.0).collect();
    assert_eq!(forwards, expected);
    assert_eq!(backwards, expected);
}

#[tokio::test]
async fn an_order_of_one_direction_is_walked_both_ways() {
    let Fixture { database: _database, scope, mut ws, .. } = with_rows().await;
    let all = documents::table.in_workspace(&scope);
    let by_title = (descending(documents::title), descending(documents::id));
    let expected: Vec<Document> =
        all.order((documents::title.desc(), documents::id.desc())).load(&mut ws).await.unwrap();
    let key = |row: &Document| (row.title.clone(), row.id);
    let (forwards, backwards) =
        walk(async |at| all.load_page_by(&mut ws, by_title, at, 10, key).await, |row: &Document| row.id).await;
    let expected: Vec<DocumentId> = expected.into_iter().map(|row| row.id).collect();
    assert_eq!((forwards, backwards), (expected.clone(), expected));
    // Full pages: the last one has no successor.
    let (forwards, _) =
        walk(async |at| all.load_page_by(&mut ws, by_title, at, 41, key).await, |row: &Document| row.id).await;
    assert_eq!(forwards.len(), 41);
}

#[tokio::test]
async fn a_join_and_a_filter_are_walked_in_the_order_of_either_table() {
    let Fixture { database: _database, scope, mut ws, .. } = with_rows().await;
    let joined = documents::table
        .in_workspace(&scope)
        .left_join(datasources::table)
        .filter(documents::title.ne("3"))
        .select((documents::id, documents::title, datasources::name.nullable()));
    let order = (datasources::name.asc(), documents::id.desc());
    let expected: Vec<Row> = joined.order(order).load(&mut ws).await.unwrap();
    let by_source = (ascending(datasources::name.nullable()), descending(documents::id));
    let key = |row: &Row| (row.2.clone(), row.0);
    let (forwards, backwards) =
        walk(async |at| joined.load_page_by(&mut ws, by_source, at, 4, key).await, |row: &Row| row.0).await;
    let expected: Vec<DocumentId> = expected.into_iter().map(|row| row.0).collect();
    assert_eq!((forwards, backwards), (expected.clone(), expected));
    let boxed = joined.into_boxed();
    let page = boxed.load_page_by(&mut ws, by_source, None, 4, key).await.unwrap();
    assert_eq!(page.rows.len(), 4);
}

#[tokio::test]
async fn a_cursor_of_another_order_or_workspace_shows_nothing_of_another() {
    let Fixture { database: _database, db, scope, a, b, mut ws, .. } = with_rows().await;
    let all = documents::table.in_workspace(&scope);
    let by_title = (ascending(documents::title), ascending(documents::id));
    let key = |row: &Document| (row.title.clone(), row.id);
    let mut other: WorkspaceConnection = db.workspace(&scope_of(&b)).await.unwrap();
    let theirs = documents::table.in_workspace(&other);
    let page = theirs.load_page_by(&mut other, by_title, None, 5, key).await.unwrap();
    let mine = all.load_page_by(&mut ws, by_title, page.next.clone(), 100, key).await.unwrap();
    assert!(!mine.rows.is_empty() && mine.rows.iter().all(|row| row.workspace_id == a.workspace));
    let by_summary = (ascending(documents::slug), ascending(documents::id));
    let refused = all.load_page_by(&mut ws, by_summary, page.next, 5, |row: &Document| (row.slug.clone(), row.id)).await;
    let error = refused.unwrap_err();
    assert!(error.is_invalid_input() && error.http_status() == 422, "{error}");
    for text in ["", "x", "AAAA", "W10"] {
        assert!(text.parse::<Cursor>().unwrap_err().is_invalid_input());
    }
}

#[tokio::test]
async fn a_page_whose_rows_are_gone_leads_back() {
    let Fixture { database: _database, scope, mut ws, .. } = with_rows().await;
    let all = documents::table.in_workspace(&scope);
    let by_id = (ascending(documents::id),);
    let key = |row: &Document| (row.id,);
    let first = all.load_page_by(&mut ws, by_id, None, 5, key).await.unwrap();
    let second = all.load_page_by(&mut ws, by_id, first.next.clone(), 5, key).await.unwrap();
    let gone: Vec<DocumentId> = first.rows.iter().map(|row| row.id).collect();
    all.filter(documents::id.eq_any(gone)).delete().execute(&mut ws).await.unwrap();
    let empty = all.load_page_by(&mut ws, by_id, second.previous, 5, key).await.unwrap();
    assert!(empty.rows.is_empty() && empty.previous.is_none());
    let back = all.load_page_by(&mut ws, by_id, empty.next, 5, key).await.unwrap();
    // The place itself is not part of the pages on either side.
    assert_eq!(back.rows[0].id, second.rows[1].id);

    let last = second.rows[0].id;
    all.filter(documents::id.gt(last)).delete().execute(&mut ws).await.unwrap();
    let empty = all.load_page_by(&mut ws, by_id, second.next, 5, key).await.unwrap();
    assert!(empty.rows.is_empty() && empty.next.is_none());
    let back = all.load_page_by(&mut ws, by_id, empty.previous, 5, key).await.unwrap();
    assert_eq!(back.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [last]);
    // At least one row, or a list would have no end.
    assert_eq!(all.load_page_by(&mut ws, by_id, None, 0, key).await.unwrap().rows.len(), 1);
}
