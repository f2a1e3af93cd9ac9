//! Every page: that it is there, small, and shows what may be seen.

use sha2::Digest as _;

use super::{Fixture, row};

/// Bytes of a page.
const MOST: usize = 300_000;
/// The tables of a workspace that have an id.
const TABLES: &[&str] = &[
    "analytics_events",
    "audit_log",
    "conversations",
    "datasources",
    "document_chunks",
    "documents",
    "feedback",
    "job_schedules",
    "jobs",
    "messages",
    "service_tokens",
    "webhook_subscriptions",
    "workspace_admins",
];
const GLOBAL: &[&str] = &["admin_tokens", "admin_users", "job_queues", "login_throttles", "workspaces"];
const PAGES: &[&str] = &[
    "tables",
    "schema",
    "search",
    "map",
    "map/picture",
    "jobs",
    "jobs/live",
    "conversations",
    "audit",
    "doctor",
    "doctor/checks",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_is_there_as_a_workspace_and_as_the_platform() {
    let fixture = Fixture::new(false).await;
    let a = fixture.a.workspace.to_string();
    for view in [a.as_str(), "platform"] {
        let tables =
            PAGES.iter().map(|page| (*page).to_owned()).chain(TABLES.iter().map(|table| format!("tables/{table}")));
        for page in tables {
            let said = fixture.get(&format!("/{view}/{page}")).await;
            let one_only =
                view == "platform" && ["search", "map", "map/picture", "conversations"].contains(&page.as_str());
            assert_eq!(said.status, if one_only { 422 } else { 200 }, "{view} {page}: {}", said.body);
            assert!(said.body.len() < MOST, "{view} {page}: {}", said.body.len());
            assert_eq!(
                said.body.contains(">All workspaces<"),
                view == "platform" && !one_only && !page.contains('/')
                    || view == "platform" && page.starts_with("tables/"),
                "{view} {page}"
            );
        }
    }
    for table in GLOBAL {
        assert_eq!(fixture.get(&format!("/platform/tables/{table}")).await.status, 200, "{table}");
        let seen = fixture.get(&format!("/{a}/tables/{table}")).await.status;
        assert_eq!(seen, if *table == "workspaces" { 200 } else { 404 }, "{table}");
    }
    assert_eq!(fixture.get(&format!("/{a}/tables/pg_authid")).await.status, 404);
    assert_eq!(fixture.get("/platform/tables/__diesel_schema_migrations").await.status, 404);
    assert_eq!(fixture.get("/nowhere/tables").await.status, 404);
}

#[tokio::test]
async fn another_workspaces_rows_are_not_found() {
    let mut fixture = Fixture::new(true).await;
    fixture.run("UPDATE document_chunks SET content = 'only b says zebra' WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = 'b')").await;
    let (a, b) = (fixture.a.workspace, fixture.b.workspace);
    // Once as it is, once without the policies: what asks names the workspace as well.
    for round in ["with policies", "without"] {
        for table in TABLES {
            for page in [
                "",
                "?sort=-id",
                "?q=zebra",
                &format!("?fc=workspace_id&fo=is&fv={b}"),
                "/copy?as=sql",
                "/copy?as=json",
            ] {
                let said = fixture.get(&format!("/{a}/tables/{table}{page}")).await;
                assert_eq!(said.status, 200, "{table}{page}: {}", said.body);
                let said = said.body.replace(&format!("value=\"{b}\""), "").replace(&format!("fv={b}"), "");
                assert!(
                    !said.contains(&b.to_string()) && !said.contains("only b says"),
                    "{round} {table}{page}: {said}"
                );
            }
        }
        let (document, chunk) = (fixture.b.document, fixture.b.document_chunk);
        for path in [
            row(a, "documents", a, document),
            row(a, "documents", b, document),
            row(a, "document_chunks", b, chunk),
            row(a, "documents", b, document).replace("/row?", "/edit?"),
            format!("/{a}/jobs/{}", fixture.b.job),
            format!("/{a}/conversations/{}", fixture.b.conversation),
        ] {
            assert_eq!(fixture.get(&path).await.status, 404, "{round} {path}");
        }
        let own = fixture.get(&row(b, "documents", b, document)).await;
        assert_eq!(own.status, 200, "{}", own.body);
        for way in ["answer", "exact", "bits", "words", "hybrid"] {
            let said = fixture.get(&format!("/{a}/search/{way}?q=zebra")).await;
            assert!(said.status == 200 && !said.body.contains("zebra"), "{way}: {}", said.body);
        }
        let like = fixture.get(&format!("/{a}/search/exact?like={chunk}")).await.body;
        assert!(like.contains("the row does not exist"), "{like}");
        fixture
            .run("DO $$ DECLARE t record; BEGIN FOR t IN SELECT tablename, policyname FROM pg_policies WHERE policyname = 'workspace_isolation'
                  LOOP EXECUTE format('ALTER POLICY %I ON %I USING (true) WITH CHECK (true)', t.policyname, t.tablename); END LOOP; END $$")
            .await;
    }
}

#[tokio::test]
async fn a_search_shows_one_list_of_sentences_and_the_comparison_in_its_own_tab() {
    let mut fixture = Fixture::new(false).await;
    let a = fixture.a.workspace;
    let page = fixture.get(&format!("/{a}/search?q=zebra")).await.body;
    assert!(page.contains("/search/answer?q=zebra") && !page.contains("/search/exact"), "{page}");
    let page = fixture.get(&format!("/{a}/search?q=zebra&tab=comparison")).await.body;
    assert!(page.contains("/search/exact?q=zebra") && !page.contains("/search/answer"), "{page}");

    fixture
        .run(
            "UPDATE document_chunks SET content = 'Zebras graze. ' || content, language = 'en', embedding_model = 'feature-hashing-v2',
                metadata = '{\"headings\": [\"Animals\"], \"lines\": [7, 9]}'",
        )
        .await;
    let answer = fixture.get(&format!("/{a}/search/answer?q=zebra")).await.body;
    assert!(answer.contains("<mark><bdi>Zebras</bdi></mark><bdi> graze"), "{answer}");
    assert!(answer.contains(" › <bdi>Animals</bdi>"), "{answer}");
    let others = fixture.get(&format!("/{a}/search/answer?q=zebra&language=nl")).await.body;
    assert!(others.contains("No passage answers the question."), "{others}");
    let odd = fixture.get(&format!("/{a}/search/answer?q=zebra&status=gone")).await.body;
    assert!(odd.contains("role=\"alert\"") && odd.contains("gone"), "{odd}");
}

#[tokio::test]
async fn what_is_seen_as_a_workspace_is_what_row_level_security_lets_through() {
    let mut fixture = Fixture::new(false).await;
    // A table of one's own that tells its workspaces by another name: nothing but the policy keeps them apart.
    let (a, b) = (fixture.a.workspace, fixture.b.workspace);
    fixture
        .run(&format!(
            "CREATE TABLE notes (id int PRIMARY KEY, owner uuid NOT NULL, words text NOT NULL);
             INSERT INTO notes VALUES (1, '{a}', 'mine'), (2, '{b}', 'theirs');
             ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
             GRANT SELECT ON notes TO workspace_app, workspace_platform;
             CREATE POLICY all_of_them ON notes TO workspace_platform USING (true);
             CREATE POLICY own ON notes TO workspace_app USING (owner = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))"
        ))
        .await;
    let seen = fixture.get(&format!("/{a}/tables/notes")).await.body;
    assert!(seen.contains("mine") && !seen.contains("theirs"), "{seen}");
    assert_eq!(fixture.get(&format!("/{a}/tables/notes/row?k.id=2")).await.status, 404);
    assert_eq!(fixture.get(&format!("/{b}/tables/notes/row?k.id=2")).await.status, 200);
    let all = fixture.get("/platform/tables/notes").await.body;
    assert!(all.contains("mine") && all.contains("theirs"), "{all}");
    // That the test sees it where the policy is gone.
    fixture.run("ALTER POLICY own ON notes USING (true)").await;
    assert!(fixture.get(&format!("/{a}/tables/notes")).await.body.contains("theirs"));
}

#[tokio::test]
async fn no_secret_leaves_the_database() {
    let mut fixture = Fixture::new(true).await;
    let a = fixture.a.workspace;
    fixture
        .run(&format!(
            "UPDATE admin_users SET password_hash = '$argon2id$v=19$m=19456,t=2,p=1$c2VlZGVkc2VlZGVk$bm90aGluZ2lzaGVyZW5vdGhpbmdpc2hlcmVub3RoaW5n';
             INSERT INTO admin_tokens (admin_user_id, kind, name, token_hash, expires_at)
                SELECT id, 'api', 'mine', sha256('5ec3e7'), now() + interval '1 day' FROM admin_users LIMIT 1;
             UPDATE service_tokens SET token_hash = sha256('5ec3e7') WHERE workspace_id = '{a}';
             ALTER TABLE datasources DROP CONSTRAINT datasources_config_readable;
             UPDATE datasources SET config = '{{\"url\": \"https://docs.example\", \"api_key\": \"5ec3e7\", \"deep\": [{{\"clientSecret\": \"5ec3e7\", \"bot_token\": \"5ec3e7\"}}], \"n\": 1e400}}';
             UPDATE documents SET metadata = '{{\"pwd\": \"5ec3e7\", \"tokens\": [\"5ec3e7\"], \"signing_key\": {{\"title\": \"5ec3e7\"}}, \"jwt\": \"5ec3e7\", \"url\": \"postgres://me:5ec3e7@db/x\", \"Passwort\": \"5ec3e7\"}}';
             UPDATE workspace_settings SET webhook_secret = decode('01' || repeat('5ec3e7', 20), 'hex');
             UPDATE webhook_subscriptions SET secret = decode('01' || repeat('5ec3e7', 20), 'hex'), headers = '{{\"Authorization\": \"Bearer 5ec3e7\"}}';
             UPDATE workspace_admins SET joined_at = NULL, invitation_hash = sha256('5ec3e7'), invitation_expires_at = now() + interval '1 day';
             INSERT INTO login_throttles (key, free_at) VALUES (sha256('5ec3e7'), now());
             INSERT INTO jobs (workspace_id, job_type, status, attempts, started_at, heartbeat_at, lease_expires_at, leased_by, lease_token)
                SELECT id, 'reindex', 'running', 1, now(), now(), now() + interval '1 day', 'worker', '5ec3e700-0000-4000-8000-000000000000' FROM workspaces WHERE slug = 'a';
             UPDATE jobs SET payload = '{{\"password\": \"5ec3e7\"}}' WHERE workspace_id = '{a}'"
        ))
        .await;
    let hash = "\\x".to_owned() + &sha256_hex(b"5ec3e7");
    let mut seen = 0;
    for table in TABLES.iter().chain(GLOBAL).chain(&["workspace_settings"]) {
        for view in [a.to_string(), "platform".to_owned()] {
            let all = fixture.get(&format!("/{view}/tables/{table}?{}", all_columns(table))).await;
            if all.status == 404 {
                continue;
            }
            let mut pages = vec![all];
            let opened: Vec<String> = pages[0]
                .body
                .split("href=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
                .collect();
            for path in opened.iter().filter(|path| path.contains(&format!("/tables/{table}/row?"))) {
                pages.push(fixture.get(path).await);
                pages.push(fixture.get(&path.replace("/row?", "/edit?")).await);
            }
            for form in ["sql", "json", "csv"] {
                pages.push(fixture.get(&format!("/{view}/tables/{table}/copy?as={form}&{}", all_columns(table))).await);
            }
            for page in pages {
                seen += usize::from(page.status == 200);
                for secret in ["$argon2", "5ec3e7", &hash, &hash[2..]] {
                    assert!(!page.body.contains(secret), "{view} {table} shows {secret}: {}", page.body);
                }
            }
        }
    }
    assert!(seen > 100, "{seen}");
    let job = fixture.get(&format!("/{a}/jobs/{}", fixture.a.job)).await.body;
    assert!(job.contains("(hidden)") && !job.contains("5ec3e7"), "{job}");
    // Nor can it be guessed by asking for it.
    for value in ["%7B%22api_key%22:%225ec3e7%22%7D", "%7B%22deep%22:[%7B%22bot_token%22:%22x%22%7D]%7D"] {
        let said = fixture.get(&format!("/{a}/tables/datasources?fc=config&fo=contains&fv={value}")).await;
        assert!(said.status == 422 && said.body.contains("names no secret"), "{}", said.body);
    }
    for how in ["is", "contains", "greater"] {
        let said = fixture.get(&format!("/platform/tables/admin_users?fc=password_hash&fo={how}&fv=a")).await;
        assert_eq!(said.status, 422, "{how}: {}", said.body);
    }
    assert_eq!(fixture.get("/platform/tables/admin_users?sort=password_hash").await.status, 422);
}

fn sha256_hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&sha2::Sha256::digest(bytes))
}

/// Every column that there may be a secret in, as the form sends a choice.
fn all_columns(table: &str) -> String {
    let columns: &[&str] = match table {
        "admin_users" => &["id", "email", "password_hash"],
        "admin_tokens" | "service_tokens" => &["id", "name", "token_hash"],
        "webhook_subscriptions" => &["id", "url", "secret", "headers"],
        "workspace_admins" => &["id", "invitation_hash"],
        "jobs" => &["id", "payload", "lease_token"],
        "datasources" => &["id", "config"],
        "login_throttles" => &["key", "free_at"],
        "workspace_settings" => &["workspace_id", "webhook_secret"],
        _ => &[],
    };
    columns.iter().map(|column| format!("col={column}")).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn text_that_hurts_is_shown_as_text() {
    let mut fixture = Fixture::new(false).await;
    let (a, document) = (fixture.a.workspace, fixture.a.document);
    let hurts = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}gnp.exe\u{1}\u{7f}\u{200b}שלום مرحبا";
    fixture
        .run(&format!(
            "UPDATE documents SET title = $t${hurts}$t$, summary = repeat('<b>', 350000) , slug = repeat(U&'\\200B', 60000),
                metadata = jsonb_build_object('<i>key</i>', $t${}$t$, 'large', (SELECT jsonb_agg(jsonb_build_object('n', n, 'text', repeat('x', 20))) FROM generate_series(1, 25000) n))
             WHERE workspace_id = '{a}';
             UPDATE messages SET content = $t${hurts}$t$ WHERE workspace_id = '{a}';
             UPDATE document_chunks SET content = $t${hurts}$t$ WHERE workspace_id = '{a}';
             UPDATE datasources SET name = $t${hurts}$t$ WHERE workspace_id = '{a}';
             UPDATE jobs SET last_error = $t${hurts}$t$, payload = to_jsonb($t${}$t$::text) WHERE workspace_id = '{a}'",
            hurts.replace('\u{1}', ""),
            hurts.replace('\u{1}', "")
        ))
        .await;
    let pages = [
        format!("/{a}/tables/documents"),
        format!("/{a}/tables/documents?fc=title&fo=contains&fv=<script>alert(2)</script>")
            .replace('<', "%3C")
            .replace('>', "%3E"),
        format!("/{a}/tables/documents?q=%3Cscript%3E&sort=%3Cscript%3E"),
        row(a, "documents", a, document),
        row(a, "document_chunks", a, fixture.a.document_chunk),
        format!("/{a}/jobs"),
        format!("/{a}/jobs/{}", fixture.a.job),
        format!("/{a}/conversations/{}", fixture.a.conversation),
        format!("/{a}/map/picture"),
        format!("/{a}/search/words?q=alert"),
        format!("/{a}/search/answer?q=alert"),
        format!("/{a}/search?q=alert&tab=comparison&language=%3Cscript%3Ealert"),
        format!("/{a}/tables/%3Cscript%3Ealert(3)%3C%2Fscript%3E"),
    ];
    for path in pages {
        let said = fixture.get(&path).await;
        assert!([200, 404, 422].contains(&said.status), "{path}: {}", said.status);
        assert!(said.body.len() < MOST, "{path}: {}", said.body.len());
        for raw in ["<script>alert", "<img", "<i>key", "<b><b>"] {
            assert!(!said.body.contains(raw), "{path} has {raw}");
        }
        assert!(!said.body.contains('\u{202e}') && !said.body.contains('\u{1}'), "{path} turns its direction");
    }
    let shown = fixture.get(&row(a, "documents", a, document)).await.body;
    assert!(shown.contains("U+202E") && shown.contains("U+0001") && shown.contains("more are not shown"));
}

#[tokio::test]
async fn what_waits_for_a_lock_ends_and_says_what_to_do() {
    let mut fixture = Fixture::new(false).await;
    fixture.run("BEGIN; LOCK TABLE feedback").await;
    let said = fixture.get(&format!("/{}/tables/feedback", fixture.a.workspace)).await;
    assert_eq!(said.status, 500);
    assert!(said.body.contains("longer than 5 seconds"), "{}", said.body);
}

#[tokio::test]
async fn pages_go_on_beside_rows_that_cant_be_read() {
    let mut fixture = Fixture::new(true).await;
    let a = fixture.a.workspace;
    let poison = "ALTER TABLE conversations DROP CONSTRAINT conversations_metadata_readable;
        ALTER TABLE jobs DROP CONSTRAINT jobs_payload_readable;
        INSERT INTO conversations (workspace_id, title, metadata) SELECT id, 'unreadable', '1e400' FROM workspaces;
        DELETE FROM jobs;
        INSERT INTO jobs (workspace_id, id, job_type, payload)
            SELECT id, '00000000-0000-7000-8000-000000000009', 'x', '1e400' FROM workspaces WHERE slug = 'a'";
    fixture.run(poison).await;
    let job = format!("/{a}/jobs/00000000-0000-7000-8000-000000000009");
    for (page, says) in [
        (format!("/{a}/conversations"), "/conversations/"),
        (format!("/{a}/jobs"), "00000000-0000"),
        (job.clone(), "column payload: Invalid Json"),
        (format!("/{a}/tables/jobs"), "00000000-0000"),
    ] {
        let said = fixture.get(&page).await;
        assert_eq!(said.status, 200, "{page}: {}", said.body);
        assert!(said.body.contains(says), "{page}: {}", said.body);
    }
    let token = fixture.get(&job).await.form_token().to_owned();
    let said = fixture.post(&format!("{job}/cancel"), &[("form_token", &token)]).await;
    assert_eq!(said.status, 303, "{}", said.body);
    crate::until(&mut fixture.conn, "SELECT status = 'cancelled' AS met FROM jobs").await;
}
