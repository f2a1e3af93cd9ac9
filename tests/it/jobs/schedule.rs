//! Schedules: each occurrence gets one job, whoever fires it and whenever.

use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use rstest::rstest;
use serde::{Deserialize, Serialize};
use workspace_db::jobs::{JobKind, NewSchedule, Outcome, RunningJob, schedule, unschedule};
use workspace_db::models::JobSchedule;
use workspace_db::schema::{job_schedules, jobs, workspaces};

use super::process::Process;
use super::{Fixture, Write};

fn each(cron: &str) -> NewSchedule<Write> {
    NewSchedule::new("digest", cron, Write { title: "digest".to_owned() })
}

impl Fixture {
    /// As if the schedules had last been looked at then.
    async fn last_fired(&mut self, at: DateTime<Utc>) {
        diesel::update(job_schedules::table).set(job_schedules::next_at.eq(at)).execute(&mut self.conn).await.unwrap();
    }

    /// The times of the jobs, in order.
    async fn due(&mut self) -> Vec<DateTime<Utc>> {
        let times: Vec<Option<DateTime<Utc>>> =
            jobs::table.select(jobs::scheduled_at).order(jobs::scheduled_at).load(&mut self.conn).await.unwrap();
        times.into_iter().flatten().collect()
    }

    async fn schedules(&mut self) -> Vec<JobSchedule> {
        JobSchedule::query().load(&mut self.conn).await.unwrap()
    }

    /// Has workers look until every schedule has been brought up to date.
    async fn catch_up(&mut self, workers: usize) {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                let mut stopped = stopped.clone();
                tokio::spawn(self.bystander().run(async move { drop(stopped.wait_for(|stop| *stop).await) }))
            })
            .collect();
        self.until("SELECT NOT EXISTS (SELECT FROM job_schedules WHERE next_at <= now()) AS met").await;
        stop.send_replace(true);
        for worker in workers {
            worker.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_schedule_is_changed_by_its_name_and_ends() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let first = schedule(&mut ws, each("0 3 * * *").in_zone("Europe/Amsterdam")).await.unwrap();
    let next = first.next_at.unwrap().with_timezone(&chrono_tz::Europe::Amsterdam);
    assert_eq!(next.format("%H:%M:%S").to_string(), "03:00:00");
    // Said again at the next start of the program: the next occurrence stays, be it overdue.
    let overdue = Utc::now() - TimeDelta::days(1);
    fixture.last_fired(overdue).await;
    let same = schedule(&mut ws, each("0 3 * * *").in_zone("Europe/Amsterdam")).await.unwrap();
    assert_eq!((same.id, same.next_at.map(|at| at.timestamp_micros())), (first.id, Some(overdue.timestamp_micros())));
    let other = schedule(&mut ws, each("0 4 * * *").in_zone("Europe/Amsterdam")).await.unwrap();
    assert!(other.id == first.id && other.next_at.unwrap() > Utc::now());
    // One that has ended begins anew.
    fixture.sql("UPDATE job_schedules SET next_at = NULL").await;
    let again = schedule(&mut ws, each("0 4 * * *").in_zone("Europe/Amsterdam")).await.unwrap();
    assert_eq!(again.next_at, other.next_at);
    // A workspace has its own.
    schedule(&mut fixture.b().await, each("0 3 * * *")).await.unwrap();
    unschedule(&mut ws, "digest").await.unwrap();
    let none = unschedule(&mut ws, "digest").await.unwrap_err();
    assert!(none.is_not_found(), "{none}");
    assert_eq!(
        fixture.schedules().await.iter().map(|left| left.workspace_id).collect::<Vec<_>>(),
        [fixture.b.workspace()]
    );
}

#[rstest]
#[case::no_cron("whenever", "UTC", "cron")]
#[case::four_fields("* * * *", "UTC", "cron")]
#[case::minute_61("61 * * * *", "UTC", "cron")]
#[case::never("0 0 30 2 *", "UTC", "cron")]
#[case::each_second("* * * * * *", "UTC", "cron")]
#[case::twice_in_one_minute_a_day("0,59 0 3 * * *", "UTC", "cron")]
#[case::no_zone("0 0 * * *", "Europe/Atlantis", "time_zone")]
#[tokio::test]
async fn a_schedule_that_cannot_fire_is_refused(#[case] cron: &str, #[case] zone: &str, #[case] field: &str) {
    let fixture = Fixture::new().await;
    let error = schedule(&mut fixture.a().await, each(cron).in_zone(zone)).await.unwrap_err();
    assert!(error.is_invalid_input() && error.field() == Some(field), "{error}");
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once() {
    let mut fixture = Fixture::new().await;
    schedule(&mut fixture.a().await, each("*/10 * * * *")).await.unwrap();
    let start = (Utc::now() - TimeDelta::days(3)).duration_trunc(TimeDelta::minutes(10)).unwrap();
    fixture.last_fired(start).await;
    fixture.catch_up(4).await;
    let due = fixture.due().await;
    let expected: Vec<_> = (0..due.len()).map(|n| start + TimeDelta::minutes(10 * i64::try_from(n).unwrap())).collect();
    assert_eq!(due, expected);
    let last = *due.last().unwrap();
    assert!(last <= Utc::now() && last + TimeDelta::minutes(20) > Utc::now(), "{last}");
}

/// In Amsterdam the clock went from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October 2026.
#[rstest]
#[case::skipped_hour("30 2 * * *", "2026-03-28T01:30:00Z", &["03-28 02:30", "03-29 03:00", "03-30 02:30"])]
#[case::repeated_hour("30 2 * * *", "2026-10-24T00:30:00Z", &["10-24 02:30", "10-25 02:30", "10-26 02:30"])]
#[case::half_hours_in_spring("*/30 1-3 29 3 *", "2026-03-29T00:00:00Z", &["03-29 01:00", "03-29 01:30", "03-29 03:00", "03-29 03:30"])]
#[case::half_hours_in_autumn("*/30 2 25 10 *", "2026-10-25T00:00:00Z", &["10-25 02:00", "10-25 02:30", "10-25 02:00", "10-25 02:30"])]
#[tokio::test]
async fn a_change_of_the_clock_neither_skips_nor_repeats(
    #[case] cron: &str,
    #[case] first: &str,
    #[case] expected: &[&str],
) {
    let mut fixture = Fixture::new().await;
    schedule(&mut fixture.a().await, each(cron).in_zone("Europe/Amsterdam")).await.unwrap();
    fixture.last_fired(first.parse().unwrap()).await;
    fixture.catch_up(2).await;
    let due = fixture.due().await;
    let local: Vec<String> = due
        .iter()
        .take(expected.len())
        .map(|at| at.with_timezone(&chrono_tz::Europe::Amsterdam).format("%m-%d %H:%M").to_string())
        .collect();
    assert_eq!(local, expected);
    assert!(due.windows(2).all(|pair| pair[0] < pair[1]), "{due:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stays_due_and_keeps_nobody_waiting() {
    let mut fixture = Fixture::new().await;
    schedule(&mut fixture.a().await, each("0 0 1 1 *")).await.unwrap();
    schedule(&mut fixture.b().await, each("0 0 1 1 *")).await.unwrap();
    let due = "UPDATE job_schedules SET next_at = '2026-01-01', time_zone = CASE WHEN workspace_id = (
        SELECT id FROM workspaces WHERE slug = 'a') THEN 'Mars/Olympus' ELSE time_zone END";
    fixture.sql(due).await;
    let worker = tokio::spawn(fixture.bystander().run(std::future::pending()));
    fixture.until("SELECT count(*) = 1 AS met FROM job_schedules WHERE next_at > now()").await;
    assert_eq!(fixture.due().await.len(), 1);
    // Until a worker comes that knows the time zone.
    fixture.sql("UPDATE job_schedules SET time_zone = 'UTC'").await;
    fixture.until("SELECT count(*) = 2 AS met FROM job_schedules WHERE next_at > now()").await;
    assert_eq!(fixture.due().await, ["2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap(); 2]);
    worker.abort();
}

/// More schedules than one transaction takes, each of them behind by more than one pass makes up for.
#[tokio::test]
async fn schedules_that_are_far_behind_do_not_hold_the_others_up() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    for n in 0..60 {
        let often = NewSchedule::new(format!("{n}"), "* * * * *", Write { title: "often".to_owned() });
        schedule(&mut ws, often).await.unwrap();
    }
    fixture.last_fired(Utc::now() - TimeDelta::days(7)).await;
    let last = schedule(&mut ws, each("0 0 1 1 *")).await.unwrap();
    fixture.sql(&format!("UPDATE job_schedules SET next_at = '2026-01-01' WHERE id = '{}'", last.id)).await;
    let worker = tokio::spawn(fixture.bystander().run(std::future::pending()));
    fixture.until(&format!("SELECT next_at > now() AS met FROM job_schedules WHERE id = '{}'", last.id)).await;
    worker.abort();
    let behind = fixture.schedules().await.into_iter().filter(|left| left.next_at < Some(Utc::now())).count();
    assert_eq!(behind, 60);
}

/// Whoever deletes a workspace has its row before those of its schedules; who fires must not have them the other way round.
#[tokio::test]
async fn a_workspace_that_is_being_deleted_is_left_out() {
    let mut fixture = Fixture::new().await;
    schedule(&mut fixture.a().await, each("0 0 1 1 *")).await.unwrap();
    schedule(&mut fixture.b().await, each("0 0 1 1 *")).await.unwrap();
    fixture.sql("UPDATE job_schedules SET next_at = '2026-01-01'").await;
    let mut other = fixture.database.connect().await.unwrap();
    let a = fixture.a.workspace();
    let worker = tokio::spawn(fixture.bystander().run(std::future::pending()));
    other
        .transaction(async |tx| {
            // As a deletion begins.
            diesel::sql_query(format!("SELECT FROM workspaces WHERE id = '{a}' FOR UPDATE")).execute(tx).await?;
            fixture.until("SELECT count(*) = 1 AS met FROM job_schedules WHERE next_at > now()").await;
            diesel::delete(workspaces::table.find(a)).execute(tx).await?;
            Ok::<_, diesel::result::Error>(())
        })
        .await
        .unwrap();
    worker.abort();
    assert_eq!(
        fixture.schedules().await.iter().map(|left| left.workspace_id).collect::<Vec<_>>(),
        [fixture.b.workspace()]
    );
}

#[derive(Serialize, Deserialize)]
struct Tick {}
impl JobKind for Tick {
    const NAME: &'static str = "tick";
    // Nobody works it off, so that the jobs stay where they can be counted.
    const QUEUE: &'static str = "calendar";
}

/// Twelve schedules that are five weeks behind, over the night in which Amsterdam's clock went back, and three schedulers of
/// which one is killed again and again. Each hour there is one occurrence: the time line has no gaps, whatever clocks show.
#[tokio::test(flavor = "multi_thread")]
async fn schedulers_that_are_killed_leave_no_occurrence_out_and_do_none_twice() {
    let seed = crate::seed_of(6);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut fixture = Fixture::new().await;
    for n in 0..12 {
        let hourly = NewSchedule::new(format!("hourly {n}"), "0 * * * *", Tick {}).in_zone("Europe/Amsterdam");
        let mut ws = if n % 2 == 0 { fixture.a().await } else { fixture.b().await };
        schedule(&mut ws, hourly).await.unwrap();
    }
    let start = "2026-10-20T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    fixture.last_fired(start).await;
    let start_process =
        |database: &_, n: usize| Process::start(database, &format!("scheduler-{n}"), Duration::from_secs(2), None);
    let mut schedulers: Vec<Process> = (0..3).map(|n| start_process(&fixture.database, n)).collect();
    for part in 1..8 {
        fixture.until(&format!("SELECT count(*) >= {} AS met FROM jobs", part * 1_000)).await;
        schedulers.swap_remove(random.usize(0..3)).kill();
        schedulers.push(start_process(&fixture.database, part + 3));
    }
    fixture.until("SELECT NOT EXISTS (SELECT FROM job_schedules WHERE next_at <= now()) AS met").await;
    drop(schedulers);
    let due = fixture.due().await;
    let hours = due.len() / 12;
    let expected: Vec<_> = (0..hours).map(|n| start + TimeDelta::hours(i64::try_from(n).unwrap())).collect();
    let twelve_times: Vec<_> = expected.iter().flat_map(|at| [*at; 12]).collect();
    assert_eq!(due, twelve_times);
    assert!(expected[hours - 1] + TimeDelta::hours(2) > Utc::now());
}

/// A row that another program wrote, which fires each second since 1970: once a minute, and not for all of that time.
#[tokio::test]
async fn what_was_missed_beyond_reach_is_left_out() {
    let mut fixture = Fixture::new().await;
    schedule(&mut fixture.a().await, each("* * * * *")).await.unwrap();
    let mut conn = fixture.database.connect().await.unwrap();
    diesel::sql_query("UPDATE job_schedules SET cron = '* * * * * *', next_at = '1970-01-01'")
        .execute(&mut conn)
        .await
        .unwrap();
    fixture.catch_up(1).await;
    let due = fixture.due().await;
    // Two thousand seconds are half an hour.
    assert!((30..=40).contains(&due.len()), "{}", due.len());
    assert!(due.windows(2).all(|pair| pair[1] - pair[0] >= TimeDelta::minutes(1)), "{due:?}");
    assert!(*due.last().unwrap() > Utc::now() - TimeDelta::minutes(3), "{due:?}");
}

#[tokio::test]
async fn a_workspace_has_a_hundred_schedules_and_no_more() {
    let fixture = Fixture::new().await;
    let racers = (0..4).map(|racer| {
        let fixture = &fixture;
        async move {
            let (mut made, mut refused) = (0, 0);
            for n in 0..30 {
                let new = NewSchedule::new(format!("{racer} {n}"), "0 0 * * *", Write { title: "digest".to_owned() });
                match schedule(&mut fixture.a().await, new).await {
                    Ok(_) => made += 1,
                    Err(error) if error.is_conflict() => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            (made, refused)
        }
    });
    let counts = futures_util::future::join_all(racers).await;
    assert_eq!((counts.iter().map(|count| count.0).sum(), counts.iter().map(|count| count.1).sum()), (100, 20));
}

#[tokio::test]
async fn what_a_schedule_enqueues_runs() {
    let mut fixture = Fixture::new().await;
    schedule(&mut fixture.a().await, each("* * * * *")).await.unwrap();
    fixture.last_fired(Utc::now() - TimeDelta::seconds(30)).await;
    let (ran, mut has_run) = tokio::sync::mpsc::unbounded_channel();
    let worker = fixture.worker().handle(move |job: RunningJob<Write>| {
        ran.send((job.scope().workspace(), job.arguments.title.clone())).unwrap();
        async { Ok::<_, workspace_db::Error>(Outcome::Done) }
    });
    let running = tokio::spawn(worker.run(std::future::pending()));
    let seen = tokio::time::timeout(Duration::from_secs(10), has_run.recv()).await.unwrap().unwrap();
    assert_eq!(seen, (fixture.a.workspace(), "digest".to_owned()));
    running.abort();
    assert_eq!(fixture.schedules().await[0].job_type, Write::NAME);
}
