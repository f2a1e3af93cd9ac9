//! One person of a workspace.

use diesel_async::SimpleAsyncConnection as _;
use workspace_db::transfer::{ArchiveScope, ErasureScope, ImportOptions, erase_person, export_person, import};

use super::{Fixture, administer, key, platform};

/// Jane in both workspaces, and Joe beside her in a; an event of hers in his conversation, and one of his in hers.
async fn people() -> Fixture {
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    for workspace in [fixture.a.workspace, fixture.b.workspace] {
        conn.batch_execute(&format!(
            "DO $$ DECLARE who text; talk uuid; words uuid; BEGIN
                FOREACH who IN ARRAY ARRAY['jane''s', 'joe'] LOOP
                    FOR n IN 1..3 LOOP
                        INSERT INTO conversations (workspace_id, external_user_id) VALUES ('{workspace}', who) RETURNING id INTO talk;
                        INSERT INTO messages (workspace_id, conversation_id, role, content) VALUES ('{workspace}', talk, 'user', who) RETURNING id INTO words;
                        INSERT INTO feedback (workspace_id, message_id, score, comment) VALUES ('{workspace}', words, 1, who);
                        INSERT INTO analytics_events (workspace_id, conversation_id, message_id, event_type, user_identifier)
                            VALUES ('{workspace}', talk, NULL, 'seen', NULL), ('{workspace}', NULL, words, 'read', NULL), ('{workspace}', NULL, NULL, 'met', who);
                    END LOOP;
                END LOOP;
            END $$"
        ))
        .await
        .unwrap();
    }
    fixture
}

#[tokio::test]
async fn a_persons_rows_are_exported_and_erased_and_no_other_ones() {
    let fixture = people().await;
    let (of_a, of_b) = (fixture.rows(fixture.a.workspace).await, fixture.rows(fixture.b.workspace).await);
    let scope = administer(fixture.a.workspace);
    let exported = export_person(&fixture.db, &scope, "jane's", &fixture.path("jane.tar"), &|_| ()).await.unwrap();
    assert_eq!(exported.holds, ArchiveScope::Person { external_user_id: "jane's".to_owned() });
    let counts: Vec<_> = exported.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    let expected = [
        ("conversations", 3),
        ("messages", 3),
        ("analytics_events", 9),
        ("feedback", 3),
        ("message_deltas", 0),
        ("message_sources", 0),
        ("model_calls", 0),
    ];
    assert_eq!(counts, expected);
    let refused = import(&fixture.db, &platform(), &fixture.path("jane.tar"), ImportOptions::default(), &|_| ()).await;
    assert!(refused.unwrap_err().to_string().contains("the rows of one person"));

    let signed = erase_person(&fixture.db, &scope, "jane's", &key(), &|_| ()).await.unwrap();
    assert!(!serde_json::to_string(&signed).unwrap().contains("jane"), "the receipt names nobody");
    let receipt = signed.verified(&key().public()).unwrap();
    assert!(
        matches!(&receipt.erased, ErasureScope::Person { external_user_id_sha256 } if external_user_id_sha256.len() == 64)
    );
    for (table, rows) in counts {
        assert_eq!((receipt.tables[table].before, receipt.tables[table].left), (rows, 0), "{table}");
    }
    let after = fixture.rows(fixture.a.workspace).await;
    for (table, rows) in &of_a {
        let gone = receipt.tables.get(table).map_or(0, |rows| i64::try_from(rows.before).unwrap());
        assert_eq!(after[table].count, rows.count - gone, "{table}");
    }
    assert_eq!(fixture.rows(fixture.b.workspace).await, of_b);
    // Once more, and of nobody: nothing is there.
    for who in ["jane's", "nobody"] {
        let receipt = erase_person(&fixture.db, &scope, who, &key(), &|_| ()).await.unwrap();
        let receipt = receipt.verified(&key().public()).unwrap();
        assert!(receipt.tables.values().all(|rows| rows.before == 0 && rows.left == 0));
    }
    assert_eq!(fixture.rows(fixture.a.workspace).await, after);
}
