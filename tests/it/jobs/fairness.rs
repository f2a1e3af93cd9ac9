//! A large workspace before a thousand small ones: how many jobs are started before theirs. What it costs in time, the
//! benchmark says.
//!
//! `WORKSPACE_DB_JOBS_LARGE` is the number of jobs of the large one, `WORKSPACE_DB_JOBS_SMALL` that of small workspaces.

use workspace_db::id::WorkspaceId;
use workspace_db::jobs::{claim, enqueue_all};
use workspace_db_testing::workspace;

use super::{Fixture, Write, next, scope};

const EACH: u64 = 10;

/// Claims until the small workspaces have had all their jobs, as a worker does, and returns how many jobs had been
/// claimed before each of theirs.
async fn places(fixture: &Fixture, small: &[WorkspaceId], together: usize) -> Vec<usize> {
    let mut claims = next(together);
    let (mut places, mut claimed_before) = (Vec::new(), 0);
    while places.len() < small.len() * usize::try_from(EACH).unwrap() {
        let claimed = claim(&fixture.db, &claims).await.unwrap();
        assert!(!claimed.is_empty(), "there are jobs, and none was claimed");
        for claimed in &claimed {
            if small.binary_search(&claimed.job.workspace_id).is_ok() {
                places.push(claimed_before);
            }
            claimed_before += 1;
        }
        claims.advance(&claimed);
    }
    places.sort_unstable();
    places
}

#[rstest::rstest]
#[case::one_at_a_time(1)]
#[case::many_together(100)]
#[tokio::test]
async fn small_workspaces_do_not_wait_for_a_large_one(#[case] together: usize) {
    let large = crate::size("WORKSPACE_DB_JOBS_LARGE", 2_000, 5_000);
    let workspaces = crate::size("WORKSPACE_DB_JOBS_SMALL", 20, 50);
    let mut fixture = Fixture::new().await;
    let mut small = Vec::new();
    for n in 0..workspaces {
        small.push(workspace(&mut fixture.conn, &format!("w{n}")).await.unwrap().id);
    }
    small.sort_unstable();
    let fill = async |fixture: &Fixture| {
        for id in &small {
            let mut ws = fixture.db.workspace(&scope(*id)).await.unwrap();
            enqueue_all(&mut ws, (0..EACH).map(Write::titled)).await.unwrap();
        }
    };
    fill(&fixture).await;
    let without = places(&fixture, &small, together).await;
    fixture.sql("DELETE FROM jobs").await;
    enqueue_all(&mut fixture.a().await, (0..large).map(Write::titled)).await.unwrap();
    fill(&fixture).await;
    let with = places(&fixture, &small, together).await;
    let p99 = |places: &[usize]| places[places.len() * 99 / 100];
    println!("p99 of the place in the queue: {} alone, {} behind {large} of one workspace", p99(&without), p99(&with));
    assert!(p99(&with) <= 2 * p99(&without), "{} against {}", p99(&with), p99(&without));
}
