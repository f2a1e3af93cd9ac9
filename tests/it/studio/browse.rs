//! Pages of rows: each row once, whichever the order, the direction and the filter.

use super::{Fixture, HttpResponse};

/// What stands in the links of a page, by their relation.
fn link(said: &HttpResponse, relation: &str) -> Option<String> {
    let at = said.body.find(&format!("rel=\"{relation}\""))?;
    let rest = &said.body[at..];
    Some(rest[rest.find("href=\"")? + 6..].split('"').next()?.replace("&amp;", "&"))
}

/// The texts of a column that is the only one shown.
fn cells(said: &HttpResponse) -> Vec<String> {
    let body = said.body.split("<tbody>").nth(1).map_or("", |rest| rest.split("</tbody>").next().unwrap());
    let cell = |row: &str| row.split("<td").nth(1).map(|cell| text(&cell[cell.find('>').unwrap() + 1..]));
    body.split("<tr>").skip(1).filter_map(cell).collect()
}

fn text(markup: &str) -> String {
    markup.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

async fn all(fixture: &Fixture, first: String, relation: &str) -> (Vec<String>, HttpResponse) {
    let (mut seen, mut said) = (Vec::new(), fixture.get(&first).await);
    loop {
        assert_eq!(said.status, 200, "{}", said.body);
        let shown = cells(&said);
        if relation == "next" {
            seen.extend(shown);
        } else {
            drop(seen.splice(0..0, shown));
        }
        match link(&said, relation) {
            Some(next) => said = fixture.get(&next).await,
            None => return (seen, said),
        }
    }
}

#[tokio::test]
async fn pages_hold_each_row_once_in_every_order_forth_and_back() {
    let mut fixture = Fixture::new(false).await;
    let a = fixture.a.workspace;
    fixture
        .run(&format!(
            "INSERT INTO documents (workspace_id, title, slug, external_id, content_hash, summary)
             SELECT '{a}', 'title ' || n % 7, 'slug-' || n, 'e' || n, 'http', CASE WHEN n % 3 > 0 THEN 'summary ' || n % 11 END FROM generate_series(1, 240) n;
             ANALYZE documents"
        ))
        .await;
    for (sort, sql) in [
        ("", "id"),
        ("&sort=title", "title, id"),
        ("&sort=-title", "title DESC, id DESC"),
        ("&sort=summary", "summary NULLS LAST, id"),
        ("&sort=-summary", "summary DESC NULLS LAST, id DESC"),
        ("&sort=slug", "slug NULLS LAST, id"),
        ("&sort=content_hash", "left(content_hash, 100) NULLS LAST, id"),
    ] {
        let expected: Vec<String> = ids(
            &mut fixture,
            &format!("SELECT id::text AS id FROM documents WHERE workspace_id = '{a}' ORDER BY {sql}"),
        )
        .await;
        assert_eq!(expected.len(), 241);
        let (seen, last) = all(&fixture, format!("/{a}/tables/documents?col=id{sort}"), "next").await;
        assert_eq!(seen, expected, "{sort:?} forth");
        let end = link(&last, "prev").unwrap();
        let (mut seen, _) = all(&fixture, end, "prev").await;
        seen.extend(cells(&last));
        assert_eq!(seen, expected, "{sort:?} back");
    }
}

#[tokio::test]
async fn a_filter_without_an_index_looks_at_a_bounded_number_of_rows_and_goes_on() {
    let mut fixture = Fixture::new(false).await;
    let a = fixture.a.workspace;
    fixture
        .run(&format!(
            "INSERT INTO analytics_events (workspace_id, event_type, source) SELECT '{a}', 'e', CASE WHEN n % 1000 = 0 THEN 'Rare_%' ELSE 'often' END
             FROM generate_series(1, 25000) n; ANALYZE analytics_events"
        ))
        .await;
    let sql = format!(
        "SELECT id::text AS id FROM analytics_events WHERE workspace_id = '{a}' AND source = 'Rare_%' ORDER BY id"
    );
    let expected = ids(&mut fixture, &sql).await;
    assert_eq!(expected.len(), 25);
    for filter in ["q=rare_%25", "fc=source&fo=contains&fv=are_%25", "fc=source&fo=is&fv=Rare_%25"] {
        let first = format!("/{a}/tables/analytics_events?col=id&{filter}");
        assert!(fixture.get(&first).await.body.contains("of the next 10000 rows match"));
        assert_eq!(all(&fixture, first, "next").await.0, expected, "{filter}");
        // And back, from behind the last of them.
        let end = format!(
            "/{a}/tables/analytics_events?col=id&{filter}&before=%5B%22ffffffff-ffff-ffff-ffff-ffffffffffff%22%5D"
        );
        assert_eq!(all(&fixture, end, "prev").await.0, expected, "{filter} back");
    }
    // There are too many for an order that no index has; the one that an index has is there.
    let said = fixture.get(&format!("/{a}/tables/analytics_events?sort=source")).await;
    assert!(said.status == 422 && said.body.contains("sorted by source"), "{}", said.body);
    assert_eq!(fixture.get(&format!("/{a}/tables/analytics_events?sort=-occurred_at")).await.status, 200);
    let wrong = fixture.get(&format!("/{a}/tables/analytics_events?fc=id&fo=is&fv=no-id")).await;
    assert!(wrong.status == 422 && wrong.body.contains("invalid input syntax"), "{}", wrong.body);
    for bad in ["col=nothing", "fc=nothing&fo=is&fv=1", "fc=id&fo=nothing&fv=1", "after=nothing", "sort=properties"] {
        assert_eq!(fixture.get(&format!("/{a}/tables/analytics_events?{bad}")).await.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn keys_are_links_in_both_directions() {
    let fixture = Fixture::new(false).await;
    let (a, document, chunk) = (fixture.a.workspace, fixture.a.document, fixture.a.document_chunk);
    let list = fixture.get(&format!("/{a}/tables/document_chunks")).await;
    let to_document = format!("/{a}/tables/documents/row?k.workspace_id={a}&amp;k.id={document}");
    assert!(list.body.contains(&to_document), "{}", list.body);
    let row = fixture.get(&to_document.replace("&amp;", "&")).await;
    assert!(row.body.contains("document_chunks.document_id") && row.body.contains("1 row<"), "{}", row.body);
    let back = format!("/{a}/tables/document_chunks?fc=document_id&fo=is&fv={document}");
    assert!(row.body.contains(&back.replace('&', "&amp;")), "{}", row.body);
    assert!(fixture.get(&back).await.body.contains(&chunk.to_string()));
    // Across workspaces, the key names the workspace.
    let all = fixture.get("/platform/tables/document_chunks").await;
    assert!(
        all.body.contains(&format!("/platform/tables/documents/row?k.workspace_id={a}&amp;k.id={document}")),
        "{}",
        all.body
    );
}

#[tokio::test]
async fn rows_are_copied_so_that_they_can_be_put_back() {
    let mut fixture = Fixture::new(false).await;
    let (a, document) = (fixture.a.workspace, fixture.a.document);
    fixture
        .run(&format!("UPDATE documents SET title = E'it''s \\\\ \"quoted\",\\nand more', metadata = '{{\"n\": [1, null]}}' WHERE id = '{document}'"))
        .await;
    let columns = "col=id&col=workspace_id&col=title&col=metadata&col=status&col=summary";
    let json = fixture.get(&format!("/{a}/tables/documents/copy?as=json&{columns}")).await;
    let rows: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(rows[0]["title"], "it's \\ \"quoted\",\nand more");
    assert_eq!((&rows[0]["metadata"]["n"][0], &rows[0]["summary"]), (&1.into(), &serde_json::Value::Null));
    let csv = fixture.get(&format!("/{a}/tables/documents/copy?as=csv&col=title")).await;
    assert_eq!(csv.body, "title\n\"it's \\ \"\"quoted\"\",\nand more\"\n");
    let sql = fixture.get(&format!("/{a}/tables/documents/copy?as=sql&{columns}")).await;
    let before = ids(
        &mut fixture,
        "SELECT row_to_json(d)::jsonb - 'updated_at' - 'created_at' - 'datasource_id' || '{}' AS id FROM documents d",
    )
    .await;
    fixture.run(&format!("DELETE FROM documents WHERE id = '{document}'; {}", sql.body)).await;
    let after = ids(
        &mut fixture,
        "SELECT row_to_json(d)::jsonb - 'updated_at' - 'created_at' - 'datasource_id' || '{}' AS id FROM documents d",
    )
    .await;
    assert_eq!(sorted(before), sorted(after));
    let vector = fixture.get(&format!("/{a}/tables/document_chunks/copy?as=json&col=vector")).await;
    assert_eq!(vector.status, 200);
    assert_eq!(fixture.get(&format!("/{a}/tables/documents/copy?as=xml")).await.status, 422);
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

async fn ids(fixture: &mut Fixture, sql: &str) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        id: String,
    }
    let query = diesel::sql_query(format!("SELECT q.id::text FROM ({sql}) AS q"));
    let rows: Vec<Row> = diesel_async::RunQueryDsl::load(query, &mut fixture.conn).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn a_cell_that_a_spreadsheet_would_run_is_a_text() {
    let mut fixture = Fixture::new(false).await;
    let a = fixture.a.workspace;
    for (title, cell) in [
        ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
        ("@SUM(1+1)*cmd|' /C calc'!A0", "'@SUM(1+1)*cmd|' /C calc'!A0"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("-12.5", "-12.5"),
        ("plain", "plain"),
    ] {
        fixture.run(&format!("UPDATE documents SET title = $t${title}$t$ WHERE workspace_id = '{a}'")).await;
        let said = fixture.get(&format!("/{a}/tables/documents/copy?as=csv&col=title")).await;
        assert_eq!(said.body, format!("title\n{cell}\n"), "{title}");
    }
}
