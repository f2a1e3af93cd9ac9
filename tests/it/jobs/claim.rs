//! Who gets which job, and when.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use workspace_db::id::WorkspaceId;
use workspace_db::jobs::{ClaimRequest, ClaimedJob, claim, enqueue, enqueue_all, pause, resume};
use workspace_db::models::Document;
use workspace_db::schema::{documents, jobs};
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::{InWorkspace as _, PlatformScope};
use workspace_db_testing::workspace;

use super::{Fixture, Write, next, scope};

fn titles(claimed: &[ClaimedJob]) -> Vec<String> {
    claimed.iter().map(|claimed| claimed.arguments::<Write>().unwrap().title).collect()
}

fn by_workspace(claimed: &[ClaimedJob]) -> BTreeMap<WorkspaceId, usize> {
    let mut counts = BTreeMap::new();
    for claimed in claimed {
        *counts.entry(claimed.job.workspace_id).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn within_a_workspace_priority_and_then_age_decide() {
    let fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let now = Utc::now();
    let at = |title: &str, minutes| Write::titled(title).at(now + TimeDelta::minutes(minutes));
    let jobs = [
        at("third", -1),
        at("second", -2),
        at("first", -1).priority(1),
        at("not yet", 1).priority(0),
        at("fourth", -9).priority(6),
    ];
    enqueue_all(&mut ws, jobs).await.unwrap();
    let mut order = Vec::new();
    for _ in 0..4 {
        order.extend(titles(&fixture.claim(1).await));
    }
    assert_eq!(order, ["first", "second", "third", "fourth"]);
    assert_eq!(fixture.claim(10).await.len(), 0, "what is not due is not claimed");
}

#[tokio::test]
async fn a_claimed_job_is_leased_and_not_claimed_again() {
    let mut fixture = Fixture::new().await;
    let id = enqueue(&mut fixture.a().await, Write::titled("x")).await.unwrap().id();
    let claimed = fixture.claim(10).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.job.id).collect::<Vec<_>>(), [id]);
    let row = fixture.row(id).await;
    assert_eq!((row.status, row.attempts, row.leased_by.as_deref()), (JobStatus::Running, 1, Some("a test")));
    assert_eq!(row.lease_expires_at.unwrap() - row.heartbeat_at.unwrap(), TimeDelta::seconds(30));
    assert_eq!(fixture.claim(10).await.len(), 0);
    assert_eq!(claim(&fixture.db, &ClaimRequest { queue: "another".to_owned(), ..next(10) }).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_claimed_job_gives_the_scope_of_its_workspace_and_of_no_other() {
    let fixture = Fixture::new().await;
    enqueue(&mut fixture.a().await, Write::titled("a")).await.unwrap();
    enqueue(&mut fixture.b().await, Write::titled("b")).await.unwrap();
    for scope in [&fixture.a, &fixture.b] {
        let new = workspace_db::models::NewDocument::new(scope.workspace().to_string());
        let mut ws = fixture.db.workspace(scope).await.unwrap();
        documents::table.in_workspace(scope).insert(&new).execute(&mut ws).await.unwrap();
    }
    for claimed in fixture.claim(10).await {
        let mut ws = fixture.db.workspace(claimed.scope()).await.unwrap();
        let seen: Vec<Document> = documents::table.in_workspace(claimed.scope()).load(&mut ws).await.unwrap();
        let own = claimed.job.workspace_id;
        assert_eq!(
            seen.iter().map(|seen| (seen.workspace_id, seen.title.clone())).collect::<Vec<_>>(),
            [(own, own.to_string())]
        );
        let other = if own == fixture.a.workspace() { &fixture.b } else { &fixture.a };
        let elsewhere = documents::table.in_workspace(other).load::<Document>(&mut ws).await.unwrap_err();
        assert!(elsewhere.is_invalid_input(), "{elsewhere}");
        let raw: i64 = ws
            .under_row_security("a test", async |conn| {
                Ok::<_, workspace_db::Error>(diesel_async::RunQueryDsl::get_result(jobs::table.count(), conn).await?)
            })
            .await
            .unwrap();
        assert_eq!(raw, 1, "raw SQL sees the jobs of this workspace");
    }
}

#[tokio::test]
async fn workspaces_share_a_claim_and_what_some_leave_goes_to_others() {
    let fixture = Fixture::new().await;
    enqueue_all(&mut fixture.a().await, (0..500).map(Write::titled)).await.unwrap();
    enqueue_all(&mut fixture.b().await, (0..10).map(Write::titled)).await.unwrap();
    let shares = by_workspace(&fixture.claim(12).await);
    assert_eq!(shares, BTreeMap::from([(fixture.a.workspace(), 6), (fixture.b.workspace(), 6)]));
    let shares = by_workspace(&fixture.claim(40).await);
    assert_eq!(shares, BTreeMap::from([(fixture.a.workspace(), 36), (fixture.b.workspace(), 4)]));
    let shares = by_workspace(&fixture.claim(400).await);
    assert_eq!(shares, BTreeMap::from([(fixture.a.workspace(), 400)]), "alone, it has everything");
}

#[tokio::test]
async fn turns_go_round_one_job_at_a_time() {
    let mut fixture = Fixture::new().await;
    let mut workspaces = vec![fixture.a.workspace(), fixture.b.workspace()];
    for n in 0..38 {
        workspaces.push(workspace(&mut fixture.conn, &format!("w{n}")).await.unwrap().id);
    }
    workspaces.sort_unstable();
    for id in &workspaces {
        let mut ws = fixture.db.workspace(&scope(*id)).await.unwrap();
        enqueue_all(&mut ws, (0..3).map(Write::titled)).await.unwrap();
    }
    let mut after = None;
    let mut order = Vec::new();
    for _ in 0..120 {
        let claimed = claim(&fixture.db, &ClaimRequest { after, ..next(1) }).await.unwrap();
        after = Some(claimed[0].job.workspace_id);
        order.extend(after);
    }
    let thrice: Vec<_> = workspaces.iter().cycle().take(120).copied().collect();
    assert_eq!(order, thrice);
}

/// A claim looks at sixteen workspaces at a time. Those here give nothing, and the next one has first a job that is not due.
#[tokio::test]
async fn the_first_workspace_beyond_a_window_is_not_passed_over() {
    let mut fixture = Fixture::new().await;
    let mut last = fixture.b.workspace();
    for n in 0..16 {
        last = last.max(workspace(&mut fixture.conn, &format!("w{n}")).await.unwrap().id);
    }
    let all: Vec<WorkspaceId> = diesel_async::RunQueryDsl::load(
        workspace_db::schema::workspaces::table.select(workspace_db::schema::workspaces::id),
        &mut fixture.conn,
    )
    .await
    .unwrap();
    for id in all.iter().filter(|id| **id != fixture.a.workspace()) {
        let mut ws = fixture.db.workspace(&scope(*id)).await.unwrap();
        if *id == last {
            let tomorrow = Utc::now() + TimeDelta::days(1);
            enqueue(&mut ws, Write::titled("not yet").priority(1).at(tomorrow)).await.unwrap();
        }
        enqueue(&mut ws, Write::titled("due")).await.unwrap();
    }
    fixture.sql(&format!("UPDATE workspaces SET is_active = id = '{last}'")).await;
    assert_eq!(titles(&fixture.claim(1).await), ["due"]);
}

#[tokio::test]
async fn an_archived_workspace_waits_and_does_not_stand_in_the_way() {
    let mut fixture = Fixture::new().await;
    enqueue(&mut fixture.a().await, Write::titled("a")).await.unwrap();
    enqueue(&mut fixture.b().await, Write::titled("b")).await.unwrap();
    fixture.sql("UPDATE workspaces SET is_active = false WHERE slug = 'a'").await;
    assert_eq!(titles(&fixture.claim(1).await), ["b"]);
    assert_eq!(fixture.claim(1).await.len(), 0);
    fixture.sql("UPDATE workspaces SET is_active = true").await;
    assert_eq!(titles(&fixture.claim(1).await), ["a"]);
}

#[tokio::test]
async fn a_paused_queue_gives_nothing_until_it_is_resumed() {
    let fixture = Fixture::new().await;
    let operator = PlatformScope::unchecked("a test");
    enqueue(&mut fixture.a().await, Write::titled("x")).await.unwrap();
    assert!(pause(&fixture.db, &operator, "default").await.unwrap().paused_at.is_some());
    assert_eq!(fixture.claim(10).await.len(), 0);
    assert_eq!(resume(&fixture.db, &operator, "default").await.unwrap().paused_at, None);
    assert_eq!(fixture.claim(10).await.len(), 1);
    let wrong = pause(&fixture.db, &operator, "").await.unwrap_err();
    assert!(wrong.is_invalid_input(), "{wrong}");
}

#[tokio::test]
async fn what_an_operator_does_to_a_queue_is_in_the_audit_log() {
    use workspace_db::auth::{AuditFilter, audit_log};
    let fixture = Fixture::new().await;
    let operator = PlatformScope::unchecked("a test");
    pause(&fixture.db, &operator, "default").await.unwrap();
    resume(&fixture.db, &operator, "default").await.unwrap();
    workspace_db::jobs::limit(&fixture.db, &operator, "default", Some(3)).await.unwrap();
    let actions = audit_log(&fixture.db, &operator, &AuditFilter::default(), 10).await.unwrap();
    let mut actions: Vec<_> = actions.into_iter().map(|entry| entry.action).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["queue.limit", "queue.pause", "queue.resume"]);
}

/// A claim of two among three workspaces, of which somebody holds the jobs of the first two.
#[tokio::test]
async fn jobs_that_others_hold_do_not_keep_a_claim_from_the_next_workspaces() {
    let mut fixture = Fixture::new().await;
    let c = workspace(&mut fixture.conn, "c").await.unwrap().id;
    let mut all = [fixture.a.workspace(), fixture.b.workspace(), c];
    all.sort_unstable();
    for id in all {
        enqueue(&mut fixture.db.workspace(&scope(id)).await.unwrap(), Write::titled(id)).await.unwrap();
    }
    let mut other = fixture.database.connect().await.unwrap();
    let claimed = diesel_async::AsyncConnection::transaction(&mut other, async |tx| {
        let hold = format!("SELECT FROM jobs WHERE workspace_id <> '{}' FOR UPDATE", all[2]);
        diesel_async::RunQueryDsl::execute(diesel::sql_query(hold), tx).await?;
        Ok::<_, diesel::result::Error>(titles(&fixture.claim(2).await))
    })
    .await
    .unwrap();
    assert_eq!(claimed, [all[2].to_string()]);
}
