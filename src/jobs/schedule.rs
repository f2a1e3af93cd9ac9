//! Jobs that come again and again, by the calendar.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt as _;
use uuid::Uuid;

use super::kind::{JobKind, to_payload};
use crate::error::{Error, Kind, Result};
use crate::id::{JobId, JobScheduleId, WorkspaceId};
use crate::models::{JobSchedule, NewJobSchedule};
use crate::schema::{job_schedules, jobs, workspaces};
use crate::tenancy::{Database, FunctionCall, MayWrite, WorkspaceConnection, load_each};

/// Occurrences of one schedule that one pass enqueues; what it missed beyond that, the next pass does.
const CATCH_UP: usize = 100;
/// The shortest time between two occurrences.
const LEAST_INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// The most schedules of one workspace.
const MOST_SCHEDULES: i64 = 100;
/// The most occurrences that a schedule makes up for, about; the latest ones.
const MOST_MISSED: i32 = 2_000;

/// A job that a workspace has done again and again.
///
/// The fields are those of cron, `minute hour day month weekday`, or six with the second first. They are wall-clock time
/// of a time zone: where the clock skips an hour, what was to be done in it is done at its end; where an hour comes
/// twice, what has a fixed time is done in the first, what is done each so many minutes goes on through both.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use workspace_db::jobs::{JobKind, NewSchedule};
///
/// #[derive(Serialize, Deserialize)]
/// struct Digest {}
/// impl JobKind for Digest {
///     const NAME: &'static str = "digest";
/// }
///
/// let mondays = NewSchedule::new("weekly digest", "0 8 * * MON", Digest {}).in_zone("Europe/Amsterdam");
/// # drop(mondays);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a schedule does nothing before it is given to `schedule`"]
pub struct NewSchedule<K> {
    name: String,
    cron: String,
    time_zone: String,
    arguments: K,
}

impl<K: JobKind> NewSchedule<K> {
    /// By the calendar of UTC. The name says which schedule of its workspace it is.
    pub fn new(name: impl Into<String>, cron: impl Into<String>, arguments: K) -> Self {
        Self { name: name.into(), cron: cron.into(), time_zone: "UTC".to_owned(), arguments }
    }

    /// By the calendar of a time zone, by its name in the IANA database.
    pub fn in_zone(self, time_zone: impl Into<String>) -> Self {
        Self { time_zone: time_zone.into(), ..self }
    }
}

/// Has a job enqueued in the connection's workspace at every occurrence from now on, and returns the schedule.
///
/// One of that name is changed; if its calendar stays the same, so does its next occurrence, so that this can be said at
/// every start of a program. Each occurrence gets one job, due at its time, whichever of the workers comes first, also
/// those that were missed while none ran, of which the latest 2,000 are made up for. A workspace has at most 100 schedules,
/// and each fires at most once a minute.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) where the fields or the time zone can't be read, where there is no occurrence
/// ever, as of 30 February, or more than one a minute, or where the name is empty or has more than 100 characters;
/// [`is_conflict`](Error::is_conflict) where the workspace has 100 schedules of other names; as [`enqueue`](super::enqueue()).
pub async fn schedule<K: JobKind>(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    new: NewSchedule<K>,
) -> Result<JobSchedule> {
    let calendar = Calendar::parse(&new.cron, &new.time_zone)?;
    // The server's clock, as for everything here: this machine's may be wrong.
    let today: Vec<DateTime<Utc>> =
        FunctionCall::<_, _, Timestamptz>::new("clock_timestamp", "rows", ()).load_in(ws).await?;
    let moment = today.into_iter().next().unwrap_or_else(Utc::now);
    let next_at = calendar.after(moment)?.ok_or_else(|| {
        Error::invalid(format!("a schedule of {:?} never fires", new.cron))
            .about("cron")
            .remedy("name a day that comes")
    })?;
    if calendar.fires_too_often(next_at)? {
        let what = format!("a schedule of {:?} fires more often than once a minute", new.cron);
        return Err(Error::invalid(what).about("cron").remedy("name one second of the minute"));
    }
    let row = NewJobSchedule {
        id: JobScheduleId::generate(),
        workspace_id: ws.workspace(),
        payload: to_payload(&new.arguments)?,
        name: new.name,
        cron: new.cron,
        time_zone: new.time_zone,
        job_type: K::NAME.to_owned(),
        queue: K::QUEUE.to_owned(),
        priority: K::PRIORITY,
        max_attempts: i32::try_from(K::MAX_ATTEMPTS).unwrap_or(i32::MAX),
        next_at: Some(next_at),
    };
    ws.internal_sql(async move |conn| {
        // Whoever adds another waits here, and then counts this one.
        let lock =
            "SELECT pg_advisory_xact_lock(hashtextextended('schedules ' || current_setting('app.workspace_id'), 0))";
        diesel::sql_query(lock).execute(conn).await?;
        let others = job_schedules::table.filter(job_schedules::workspace_id.eq(row.workspace_id));
        let others: i64 = others.filter(job_schedules::name.ne(&row.name)).count().get_result(conn).await?;
        if others >= MOST_SCHEDULES {
            let what = format!("the workspace has {others} schedules already, and may have {MOST_SCHEDULES}");
            return Err(Error::new(Kind::Conflict, what).remedy("end one of them first"));
        }
        Ok(upsert(&mut &*conn, &row).await?)
    })
    .await
}

async fn upsert(conn: &mut &AsyncPgConnection, new: &NewJobSchedule) -> QueryResult<JobSchedule> {
    use diesel::upsert::excluded;
    let is_same = job_schedules::cron
        .eq(excluded(job_schedules::cron))
        .and(job_schedules::time_zone.eq(excluded(job_schedules::time_zone)));
    diesel::insert_into(job_schedules::table)
        .values(new)
        .on_conflict((job_schedules::workspace_id, job_schedules::name))
        .do_update()
        .set((
            job_schedules::cron.eq(excluded(job_schedules::cron)),
            job_schedules::time_zone.eq(excluded(job_schedules::time_zone)),
            job_schedules::job_type.eq(excluded(job_schedules::job_type)),
            job_schedules::queue.eq(excluded(job_schedules::queue)),
            job_schedules::payload.eq(excluded(job_schedules::payload)),
            job_schedules::priority.eq(excluded(job_schedules::priority)),
            job_schedules::max_attempts.eq(excluded(job_schedules::max_attempts)),
            job_schedules::next_at.eq(diesel::dsl::case_when(
                is_same.and(job_schedules::next_at.is_not_null()),
                job_schedules::next_at,
            )
            .otherwise(excluded(job_schedules::next_at))),
            job_schedules::updated_at.eq(now),
        ))
        .returning(JobSchedule::as_returning())
        .get_result(conn)
        .await
}

/// Ends the schedule of that name in the connection's workspace; jobs that it has enqueued stay.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) where the workspace has none of that name.
pub async fn unschedule(ws: &mut WorkspaceConnection<impl MayWrite>, name: &str) -> Result<()> {
    let (workspace, name) = (ws.workspace(), name.to_owned());
    let of_that_name = job_schedules::workspace_id.eq(workspace).and(job_schedules::name.eq(name.clone()));
    let deleted = ws
        .internal(|mut conn| {
            async move { diesel::delete(job_schedules::table.filter(of_that_name)).execute(&mut conn).await }.boxed()
        })
        .await?;
    match deleted {
        0 => Err(Error::new(Kind::NotFound, format!("the workspace has no schedule {name:?}"))),
        _ => Ok(()),
    }
}

/// A part of a pass over the schedules that are due.
pub(super) struct FiredBatch {
    /// The queues that have got jobs.
    pub(super) queues: Vec<String>,
    /// Schedules that did not fire, each with the reason.
    pub(super) failed: Vec<(Uuid, String)>,
    /// Where the pass goes on; `None` where it has seen all of them.
    pub(super) next: Option<ScheduleKey>,
}

/// Of a schedule, in the order of a pass.
pub(super) type ScheduleKey = (WorkspaceId, JobScheduleId);

/// Enqueues what is due by at most so many schedules after a place, in every workspace.
///
/// A schedule and its jobs are one transaction, and whoever has it keeps the others out, so that no occurrence gets two
/// jobs and none gets none. A pass comes by each once, so that none holds the others up, however much it has missed.
pub(super) async fn fire_due(db: &Database, after: Option<ScheduleKey>, most: usize) -> Result<FiredBatch> {
    db.platform(async |conn| {
        let (workspace, id) = after.unwrap_or((WorkspaceId::from(Uuid::nil()), JobScheduleId::from(Uuid::nil())));
        let due: Vec<ScheduleKey> = job_schedules::table
            .select((job_schedules::workspace_id, job_schedules::id))
            .filter(job_schedules::next_at.le(now))
            .filter(
                job_schedules::workspace_id
                    .gt(workspace)
                    .or(job_schedules::workspace_id.eq(workspace).and(job_schedules::id.gt(id))),
            )
            .order((job_schedules::workspace_id, job_schedules::id))
            .limit(i64::try_from(most).unwrap_or(i64::MAX))
            .load(conn)
            .await?;
        if due.is_empty() {
            return Ok(FiredBatch { queues: Vec::new(), failed: Vec::new(), next: None });
        }
        // The workspace first, as whoever deletes it has it first.
        let open: Vec<WorkspaceId> = workspaces::table
            .select(workspaces::id)
            .filter(workspaces::is_active.and(workspaces::id.eq_any(due.iter().map(|(workspace, _)| *workspace))))
            .for_key_share()
            .skip_locked()
            .load(conn)
            .await?;
        let free = JobSchedule::query()
            .filter(job_schedules::workspace_id.eq_any(open))
            .filter(job_schedules::id.eq_any(due.iter().map(|(_, id)| *id)))
            .filter(job_schedules::next_at.le(now))
            .for_no_key_update()
            .skip_locked();
        let free = load_each::<JobSchedule>(free, conn).await?;
        let moment = diesel::select(now.into_sql::<Timestamptz>()).get_result(conn).await?;
        let (mut queues, mut failed) = (Vec::new(), Vec::new());
        for schedule in free {
            let schedule = match schedule {
                Ok(schedule) => schedule,
                Err(unreadable) => {
                    failed.push((unreadable.id().unwrap_or_default(), unreadable.to_string()));
                    continue;
                }
            };
            match conn.transaction(async |conn| fire(conn, &schedule, moment).await).await {
                Ok(()) => queues.push(schedule.queue),
                Err(error) if error.is_unreachable() => return Err(error),
                // It stays due: another worker may know a time zone that this one does not.
                Err(error) => {
                    let why = format!("{:?} of workspace {}: {error}", schedule.name, schedule.workspace_id);
                    failed.push((*schedule.id.as_uuid(), why));
                }
            }
        }
        let next = due.last().copied().filter(|_| due.len() == most);
        Ok::<_, Error>(FiredBatch { queues, failed, next })
    })
    .await
}

async fn fire(conn: &mut AsyncPgConnection, schedule: &JobSchedule, moment: DateTime<Utc>) -> Result<()> {
    let calendar = Calendar::parse(&schedule.cron, &schedule.time_zone)?;
    let (occurrences, next_at) = calendar.up_to(moment, schedule.next_at)?;
    let rows: Vec<_> = occurrences
        .into_iter()
        .map(|at| {
            (
                jobs::workspace_id.eq(schedule.workspace_id),
                jobs::id.eq(JobId::generate()),
                jobs::job_type.eq(&schedule.job_type),
                jobs::queue.eq(&schedule.queue),
                jobs::payload.eq(&schedule.payload),
                jobs::priority.eq(schedule.priority),
                jobs::max_attempts.eq(schedule.max_attempts),
                jobs::scheduled_at.eq(at),
            )
        })
        .collect();
    diesel::insert_into(jobs::table).values(rows).execute(conn).await?;
    diesel::update(job_schedules::table.find((schedule.workspace_id, schedule.id)))
        .set((job_schedules::next_at.eq(next_at), job_schedules::fired_at.eq(now), job_schedules::updated_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Those that are due, and the one that comes then.
type Occurrences = (Vec<DateTime<Utc>>, Option<DateTime<Utc>>);

/// When a schedule fires.
struct Calendar {
    cron: Cron,
    time_zone: Tz,
}

impl Calendar {
    fn parse(cron: &str, time_zone: &str) -> Result<Self> {
        let time_zone = time_zone.parse().map_err(|_| {
            Error::invalid(format!("{time_zone:?} is no time zone"))
                .about("time_zone")
                .remedy("give its name in the IANA database, such as Europe/Amsterdam")
        })?;
        let cron = cron.parse().map_err(|error: croner::errors::CronError| {
            Error::invalid(format!("{cron:?} is no schedule: {error}"))
                .about("cron")
                .remedy("give five fields, `minute hour day month weekday`, or six with the second first")
                .caused_by(error)
        })?;
        Ok(Self { cron, time_zone })
    }

    /// The first occurrence after a moment, if there is one.
    fn after(&self, moment: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        use croner::errors::CronError;
        match self.cron.find_next_occurrence(&moment.with_timezone(&self.time_zone), false) {
            Ok(next) => Ok(Some(next.with_timezone(&Utc))),
            Err(CronError::TimeSearchLimitExceeded) => Ok(None),
            Err(error) => Err(Error::invalid(format!("{:?} can't be computed: {error}", self.cron.as_str()))
                .about("cron")
                .caused_by(error)),
        }
    }

    /// Whether a minute has more than one: of three in a row, two are then of one minute.
    fn fires_too_often(&self, first: DateTime<Utc>) -> Result<bool> {
        let Some(second) = self.after(first)? else { return Ok(false) };
        let third = self.after(second)?;
        Ok(second - first < LEAST_INTERVAL || third.is_some_and(|third| third - second < LEAST_INTERVAL))
    }

    /// The first occurrence to make up for: the first that was missed, or the first within reach, which is as far back as the
    /// most occurrences take that may be made up for, by the next fifty of them.
    fn within_reach(&self, moment: DateTime<Utc>, first: DateTime<Utc>) -> Result<DateTime<Utc>> {
        const SAMPLE: i32 = 50;
        let (mut last, mut seen) = (moment, 0);
        while let Some(next) = self.after(last)?.filter(|_| seen < SAMPLE) {
            (last, seen) = (next, seen + 1);
        }
        let reach = (last - moment) / seen.max(1) * MOST_MISSED;
        if seen == 0 || moment - first <= reach {
            return Ok(first);
        }
        let from = self.after(moment - reach)?.unwrap_or(first);
        tracing::warn!(cron = self.cron.as_str(), missed_since = %first, made_up_since = %from, "a schedule missed too much");
        Ok(from)
    }

    /// The occurrences from one on that are not after a moment, at most one a minute whatever the row says.
    fn up_to(&self, moment: DateTime<Utc>, first: Option<DateTime<Utc>>) -> Result<Occurrences> {
        let first = first.map(|first| self.within_reach(moment, first)).transpose()?;
        let (mut occurrences, mut next) = (Vec::new(), first);
        while let Some(at) = next.filter(|at| *at <= moment && occurrences.len() < CATCH_UP) {
            occurrences.push(at);
            next = self.after(at + LEAST_INTERVAL - TimeDelta::seconds(1))?;
        }
        Ok((occurrences, next))
    }
}
