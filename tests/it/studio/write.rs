//! Rows that are changed.

use serde_json::Value;

use super::{Fixture, HttpResponse, row};

async fn audit(fixture: &Fixture) -> Vec<Value> {
    let path = format!("/{}/tables/audit_log/copy?as=json&sort=occurred_at", fixture.a.workspace);
    let said = fixture.get(&path).await;
    let entries: Vec<Value> = serde_json::from_str(&said.body).unwrap();
    entries.into_iter().filter(|entry| entry["action"] != "workspace.create").collect()
}

/// The fields of a form as a browser would send them, with others in the place of some.
fn filled<'f>(form: &'f HttpResponse, with: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut fields = vec![("form_token", form.form_token())];
    if form.body.contains("name=\"version\"") {
        fields.push(("version", form.between("name=\"version\" value=\"", "\"")));
    }
    fields.extend(with);
    fields
}

#[tokio::test]
async fn a_studio_that_looks_changes_nothing() {
    let fixture = Fixture::new(false).await;
    let (a, document, job) = (fixture.a.workspace, fixture.a.document, fixture.a.job);
    let edit = row(a, "documents", a, document).replace("/row?", "/edit?");
    assert_eq!(fixture.get(&edit).await.status, 403);
    let page = fixture.get(&row(a, "documents", a, document)).await.body;
    assert!(!page.contains("method=\"post\"") && page.contains("read-only"), "{page}");
    assert!(!fixture.get(&format!("/{a}/jobs/{job}")).await.body.contains("method=\"post\""));
    // No page has the token of a form, so none can be sent.
    for path in [edit, format!("/{a}/tables/documents/new"), format!("/{a}/undo"), format!("/{a}/jobs/{job}/cancel")] {
        assert_eq!(fixture.post(&path, &[("v.title", "x")]).await.status, 403, "{path}");
    }
    assert_eq!(audit(&fixture).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_row_is_changed_and_the_change_taken_back() {
    let fixture = Fixture::new(true).await;
    let (a, document) = (fixture.a.workspace, fixture.a.document);
    let page = row(a, "documents", a, document);
    let edit = page.replace("/row?", "/edit?");
    let form = fixture.get(&edit).await;
    let fields = filled(
        &form,
        &[
            ("v.title", "Closing <hours>"),
            ("v.metadata", "{\"a\": 1}"),
            ("v.status", "archived"),
            ("v.summary", "one\r\ntwo"),
        ],
    );
    let saved = fixture.post(&edit, &fields).await;
    assert_eq!((saved.status, saved.header("location")), (303, page.as_str()), "{}", saved.body);
    let seen = fixture.get(&page).await;
    assert!(
        seen.body.contains("Closing &lt;hours&gt;")
            && seen.body.contains("archived")
            && seen.body.contains("Undo the last change"),
        "{}",
        seen.body
    );
    let entries = audit(&fixture).await;
    assert_eq!((&entries[0]["action"], &entries[0]["object_id"]), (&"row.update".into(), &document.to_string().into()));
    assert_eq!(entries[0]["before"]["title"], "Opening hours");
    assert_eq!(
        (&entries[0]["after"]["title"], &entries[0]["after"]["summary"]),
        (&"Closing <hours>".into(), &"one\ntwo".into())
    );
    // Ticked beside a field as it was, NULL is meant; beside something that was typed, that is.
    let form_now = fixture.get(&edit).await;
    let nulled = fixture
        .post(
            &edit,
            &filled(
                &form_now,
                &[("v.summary", "one\r\ntwo"), ("n.summary", "on"), ("v.slug", "typed"), ("n.slug", "on")],
            ),
        )
        .await;
    assert_eq!(nulled.status, 303, "{}", nulled.body);
    let changed = &audit(&fixture).await[1]["after"];
    assert_eq!((changed.get("summary"), &changed["slug"]), (Some(&Value::Null), &"typed".into()));
    let seen = fixture.get(&page).await;
    fixture.post(&format!("/{a}/undo"), &filled(&seen, &[])[..1]).await;
    let form = fixture.get(&edit).await;
    let fields = filled(&form, &[("v.title", "Closed")]);
    assert_eq!(fixture.post(&edit, &fields).await.status, 303);
    let seen = fixture.get(&page).await;
    // Somebody else's form is of a version that is no more.
    let late = fixture.post(&edit, &fields).await;
    assert_eq!(late.status, 303, "nothing in it differs: {}", late.body);
    let late = fixture.post(&edit, &filled(&form, &[("v.title", "Late")])).await;
    assert!(
        late.status == 409 && late.body.contains("somebody else has changed the row") && late.body.contains("Late"),
        "{}",
        late.body
    );
    let undo = fixture.post(&format!("/{a}/undo"), &filled(&seen, &[])[..1]).await;
    assert_eq!((undo.status, undo.header("location")), (303, page.as_str()), "{}", undo.body);
    let seen = fixture.get(&page).await.body;
    assert!(seen.contains("Closing &lt;hours&gt;") && !seen.contains("Undo the last"), "{seen}");
    let entries = audit(&fixture).await;
    let last = entries.last().unwrap();
    assert_eq!((&last["before"]["title"], &last["after"]["title"]), (&"Closed".into(), &"Closing <hours>".into()));
    assert!(last["reason"].as_str().unwrap().contains("undoes the last change"));
    assert_eq!(fixture.post(&format!("/{a}/undo"), &[("form_token", form.form_token())]).await.status, 404);
}

#[tokio::test]
async fn a_row_is_made_and_deleted_and_both_are_taken_back() {
    let mut fixture = Fixture::new(true).await;
    let (a, b) = (fixture.a.workspace, fixture.b.workspace);
    let new = format!("/{a}/tables/datasources/new");
    let form = fixture.get(&new).await;
    // The workspace is not the form's to say.
    let other = b.to_string();
    let fields = filled(
        &form,
        &[
            ("v.name", "Wiki"),
            ("v.type", "manual"),
            ("v.workspace_id", &other),
            ("d.id", "on"),
            ("d.config", "on"),
            ("d.sync_status", "on"),
            ("d.is_managed", "on"),
            ("d.description", "on"),
            ("d.sync_cursor", "on"),
            ("d.error_message", "on"),
            ("d.last_synced_at", "on"),
        ],
    );
    let made = fixture.post(&new, &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let page = made.header("location").to_owned();
    assert!(page.contains(&format!("k.workspace_id={a}")), "{page}");
    let seen = fixture.get(&page).await;
    assert!(seen.body.contains("Wiki"), "{}", seen.body);
    fixture.run(&format!("UPDATE datasources SET config = '{{\"token\": \"t\"}}', created_at = '2001-02-03' WHERE name = 'Wiki' AND workspace_id = '{a}'")).await;
    let seen = fixture.get(&page).await;
    let delete = page.replace("/row?", "/delete?");
    let gone = fixture.post(&delete, &filled(&seen, &[])).await;
    assert_eq!(
        (gone.status, gone.header("location")),
        (303, format!("/{a}/tables/datasources").as_str()),
        "{}",
        gone.body
    );
    assert_eq!(fixture.get(&page).await.status, 404);
    let entries = audit(&fixture).await;
    assert_eq!((&entries[0]["action"], &entries[1]["action"]), (&"row.insert".into(), &"row.delete".into()));
    // The log outlives the row and the workspace, so it says how much was there and not what.
    assert_eq!(
        (&entries[1]["before"]["name"], &entries[1]["before"]["type"]),
        (&"4 characters".into(), &"manual".into())
    );
    assert!(entries[1]["before"]["config"].as_str().unwrap().ends_with("characters"));
    let back = fixture.post(&format!("/{a}/undo"), &[("form_token", form.form_token())]).await;
    assert_eq!((back.status, back.header("location")), (303, page.as_str()), "{}", back.body);
    let seen = fixture.get(&page).await;
    assert!(seen.body.contains("2001-02-03"), "as it was, with what the statement sets: {}", seen.body);
}

#[tokio::test]
async fn what_hangs_on_a_row_is_not_deleted_with_it() {
    let fixture = Fixture::new(true).await;
    let (a, document) = (fixture.a.workspace, fixture.a.document);
    let page = row(a, "documents", a, document);
    let said = fixture.post(&page.replace("/row?", "/delete?"), &filled(&fixture.get(&page).await, &[])).await;
    assert!(said.status == 409 && said.body.contains("rows of document_chunks refer to this row"), "{}", said.body);
    assert_eq!(fixture.get(&page).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field() {
    let fixture = Fixture::new(true).await;
    let (a, b, document) = (fixture.a.workspace, fixture.b.workspace, fixture.a.document);
    let edit = row(a, "documents", a, document).replace("/row?", "/edit?");
    let form = fixture.get(&edit).await;
    let of_b = fixture.b.datasource.to_string();
    for (field, value, code, says) in [
        ("v.metadata", "{no json", 422, "invalid input syntax for type json"),
        ("v.datasource_id", "no-id", 422, "invalid input syntax for type uuid"),
        // Another workspace's row is none.
        ("v.datasource_id", of_b.as_str(), 404, "does not exist in this workspace"),
        ("v.is_published", "perhaps", 422, "invalid input syntax for type boolean"),
    ] {
        let said = fixture.post(&edit, &filled(&form, &[(field, value)])).await;
        assert_eq!(said.status, code, "{field} {value}: {}", said.body);
        let at = said.between(&format!("id=\"e.{}\">", &field[2..]), "</p>");
        assert!(at.contains(says), "{field} {value}: {at}");
        assert!(said.body.contains(&value.replace('"', "&quot;")), "what was typed stays: {}", said.body);
    }
    let message = row(a, "messages", a, fixture.a.message).replace("/row?", "/edit?");
    let of_message = fixture.get(&message).await;
    let said = fixture.post(&message, &filled(&of_message, &[("v.confidence", "2")])).await;
    assert!(
        said.status == 422 && said.between("id=\"e.confidence\">", "</p>").contains("messages_confidence_check"),
        "{}",
        said.body
    );
    // Another workspace's row, by its whole key.
    for deed in ["edit", "delete"] {
        let path = row(a, "documents", b, fixture.b.document).replace("/row?", &format!("/{deed}?"));
        let said = fixture.post(&path, &filled(&form, &[("v.title", "mine now")])).await;
        assert_eq!(said.status, 404, "{deed}: {}", said.body);
    }
    // What was typed stays, whatever it holds, and what is stored and holds a secret has no field.
    let new = format!("/{a}/tables/datasources/new");
    let typed = [
        ("v.name", "n"),
        ("v.type", "manual"),
        ("v.config", "{\"api_key\": \"mine\"}"),
        ("v.created_at", "x"),
        ("v.is_managed", "perhaps"),
    ];
    let said = fixture.post(&new, &filled(&fixture.get(&new).await, &typed)).await;
    assert!(said.status == 422 && said.body.contains("api_key"), "{}", said.body);
    for table in ["jobs", "audit_log", "workspace_admins", "service_tokens", "workspace_settings", "job_schedules"] {
        let said = fixture.post(&format!("/{a}/tables/{table}/new"), &filled(&form, &[])[..1]).await;
        assert_eq!(said.status, 403, "{table}: {}", said.body);
    }
    let across = fixture.post("/platform/tables/documents/new", &filled(&form, &[])[..1]).await;
    assert!(across.status == 422 && across.body.contains("choose a workspace"), "{}", across.body);
    assert_eq!(audit(&fixture).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_job_is_cancelled_and_retried() {
    let fixture = Fixture::new(true).await;
    let (a, job) = (fixture.a.workspace, fixture.a.job);
    let page = format!("/{a}/jobs/{job}");
    let form = fixture.get(&page).await;
    for (deed, status) in [("cancel", "cancelled"), ("retry", "queued")] {
        let said = fixture.post(&format!("{page}/{deed}"), &[("form_token", form.form_token())]).await;
        assert_eq!((said.status, said.header("location")), (303, page.as_str()), "{}", said.body);
        assert!(fixture.get(&page).await.body.contains(&format!("status {status}")), "{deed}");
    }
    let entries = audit(&fixture).await;
    assert_eq!((&entries[0]["action"], &entries[1]["action"]), (&"job.cancel".into(), &"job.retry".into()));
    let other =
        fixture.post(&format!("/{a}/jobs/{}/cancel", fixture.b.job), &[("form_token", form.form_token())]).await;
    assert_eq!(other.status, 404);
}
