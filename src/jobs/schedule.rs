//! Schedules: jobs that recur by the calendar.

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
use crate::error::{Error, ErrorKind, Result};
use crate::id::{JobId, JobScheduleId, WorkspaceId};
use crate::models::{JobSchedule, NewJobSchedule};
use crate::schema::{job_schedules, jobs, workspaces};
use crate::tenancy::{Database, FunctionCall, MayWrite, WorkspaceConnection, load_each};

/// Maximum number of occurrences of one schedule that one pass enqueues; the next pass enqueues the rest.
const CATCH_UP: usize = 100;
/// Shortest time between two occurrences.
const MIN_INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// Maximum number of schedules of one workspace.
const MAX_SCHEDULES: i64 = 100;
/// Approximate maximum number of missed occurrences that a schedule makes up for; the latest ones count.
const MAX_MISSED: i32 = 2_000;

/// Recurring job of a workspace.
///
/// The fields are those of cron, `minute hour day month weekday`, or six with the second first. They are wall-clock
/// times of a time zone. If the clock skips an hour, the occurrences of this hour fire at its end. If an hour comes
/// twice, a fixed time fires in the first one, and a repetition by minutes continues through both.
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
    /// Creates a schedule by the calendar of UTC. The name identifies it in its workspace.
    pub fn new(name: impl Into<String>, cron: impl Into<String>, arguments: K) -> Self {
        Self { name: name.into(), cron: cron.into(), time_zone: "UTC".to_owned(), arguments }
    }

    /// Sets the time zone, by its name in the IANA database.
    pub fn in_zone(self, time_zone: impl Into<String>) -> Self {
        Self { time_zone: time_zone.into(), ..self }
    }
}

/// Enqueues a job in the connection's workspace at every occurrence from now on, and returns the schedule.
///
/// A schedule with the same name is updated. If its calendar is unchanged, its next occurrence stays, so a program can
/// call this at every start.
///
/// Each occurrence gets one job, due at its time, whichever worker is first. Occurrences that were missed while no
/// worker ran are made up for, up to about the latest 2,000. A workspace has at most 100 schedules, and each fires at
/// most once a minute.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if the fields or the time zone can't be parsed; if there is no
/// occurrence, as for 30 February, or more than one a minute; if the name is empty or has more than 100 characters;
/// [`is_conflict`](Error::is_conflict) if the workspace has 100 schedules of other names; otherwise the same as
/// [`enqueue`](super::enqueue()).
pub async fn schedule<K: JobKind>(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    new: NewSchedule<K>,
) -> Result<JobSchedule> {
    let calendar = Calendar::parse(&new.cron, &new.time_zone)?;
    // The server's clock, because this machine's clock may be wrong.
    let today: Vec<DateTime<Utc>> =
        FunctionCall::<_, _, Timestamptz>::new("clock_timestamp", "rows", ()).load_in(ws).await?;
    let moment = today.into_iter().next().unwrap_or_else(Utc::now);
    let next_at = calendar.after(moment)?.ok_or_else(|| {
        Error::invalid(format!("a schedule of {:?} never fires", new.cron))
            .about("cron")
            .remedy("choose a date that exists")
    })?;
    if calendar.fires_too_often(next_at)? {
        let what = format!("a schedule of {:?} fires more often than once a minute", new.cron);
        return Err(Error::invalid(what).about("cron").remedy("set the second field to one value"));
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
        // The lock makes concurrent calls wait, so that each of them counts the schedules of the others.
        let lock =
            "SELECT pg_advisory_xact_lock(hashtextextended('schedules ' || current_setting('app.workspace_id'), 0))";
        diesel::sql_query(lock).execute(conn).await?;
        let others = job_schedules::table.filter(job_schedules::workspace_id.eq(row.workspace_id));
        let others: i64 = others.filter(job_schedules::name.ne(&row.name)).count().get_result(conn).await?;
        if others >= MAX_SCHEDULES {
            let what = format!("the workspace already has {others} schedules; the maximum is {MAX_SCHEDULES}");
            return Err(Error::new(ErrorKind::Conflict, what).remedy("delete one of them first"));
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

/// Ends the schedule with this name in the connection's workspace; jobs that it has enqueued remain.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no schedule with this name.
pub async fn unschedule(ws: &mut WorkspaceConnection<impl MayWrite>, name: &str) -> Result<()> {
    let (workspace, name) = (ws.workspace(), name.to_owned());
    let of_that_name = job_schedules::workspace_id.eq(workspace).and(job_schedules::name.eq(name.clone()));
    let deleted = ws
        .internal(|mut conn| {
            async move { diesel::delete(job_schedules::table.filter(of_that_name)).execute(&mut conn).await }.boxed()
        })
        .await?;
    match deleted {
        0 => Err(Error::new(ErrorKind::NotFound, format!("the workspace has no schedule {name:?}"))),
        _ => Ok(()),
    }
}

/// Part of a pass over the due schedules.
pub(super) struct FiredBatch {
    /// Queues that have received jobs.
    pub(super) queues: Vec<String>,
    /// Schedules that did not fire, each with the reason.
    pub(super) failed: Vec<(Uuid, String)>,
    /// Key from which the pass resumes; `None` if the pass is complete.
    pub(super) next: Option<ScheduleKey>,
}

/// Key of a schedule, in the order of a pass.
pub(super) type ScheduleKey = (WorkspaceId, JobScheduleId);

/// Enqueues the due jobs of at most `limit` schedules after a key, in all workspaces.
///
/// A schedule and its jobs change in one transaction, and its lock keeps other workers out. So each occurrence gets
/// exactly one row in `jobs`. A pass visits each schedule once, so a schedule with many missed occurrences does not
/// delay the others.
pub(super) async fn fire_due(db: &Database, after: Option<ScheduleKey>, limit: usize) -> Result<FiredBatch> {
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
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .load(conn)
            .await?;
        if due.is_empty() {
            return Ok(FiredBatch { queues: Vec::new(), failed: Vec::new(), next: None });
        }
        // Lock the workspace first: a deletion of the workspace takes its locks in this order too.
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
                // The schedule stays due: another worker may know a time zone that this worker does not.
                Err(error) => {
                    let why = format!("{:?} of workspace {}: {error}", schedule.name, schedule.workspace_id);
                    failed.push((*schedule.id.as_uuid(), why));
                }
            }
        }
        let next = due.last().copied().filter(|_| due.len() == limit);
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

/// Due occurrences, and the next one after them.
type Occurrences = (Vec<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Calendar of a schedule.
struct Calendar {
    cron: Cron,
    time_zone: Tz,
}

impl Calendar {
    fn parse(cron: &str, time_zone: &str) -> Result<Self> {
        let time_zone = time_zone.parse().map_err(|_| {
            Error::invalid(format!("{time_zone:?} is not a time zone"))
                .about("time_zone")
                .remedy("use a name from the IANA time zone database, such as Europe/Amsterdam")
        })?;
        let cron = cron.parse().map_err(|error: croner::errors::CronError| {
            Error::invalid(format!("{cron:?} is not a valid cron expression: {error}"))
                .about("cron")
                .remedy("use five fields, `minute hour day month weekday`, or six with the second first")
                .caused_by(error)
        })?;
        Ok(Self { cron, time_zone })
    }

    /// Returns the first occurrence after a time, if there is one.
    fn after(&self, moment: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        use croner::errors::CronError;
        match self.cron.find_next_occurrence(&moment.with_timezone(&self.time_zone), false) {
            Ok(next) => Ok(Some(next.with_timezone(&Utc))),
            Err(CronError::TimeSearchLimitExceeded) => Ok(None),
            Err(error) => {
                Err(Error::invalid(format!("the next time of {:?} can't be computed: {error}", self.cron.as_str()))
                    .about("cron")
                    .caused_by(error))
            }
        }
    }

    /// Returns true if a minute has several occurrences: then two of three successive ones are in one minute.
    fn fires_too_often(&self, first: DateTime<Utc>) -> Result<bool> {
        let Some(second) = self.after(first)? else { return Ok(false) };
        let third = self.after(second)?;
        Ok(second - first < MIN_INTERVAL || third.is_some_and(|third| third - second < MIN_INTERVAL))
    }

    /// Returns the first occurrence to make up for: the first missed one, or the first one within reach. The reach is
    /// the time span of as many occurrences as may be made up for, estimated from the next fifty.
    fn within_reach(&self, moment: DateTime<Utc>, first: DateTime<Utc>) -> Result<DateTime<Utc>> {
        const SAMPLE: i32 = 50;
        let (mut last, mut seen) = (moment, 0);
        while let Some(next) = self.after(last)?.filter(|_| seen < SAMPLE) {
            (last, seen) = (next, seen + 1);
        }
        let reach = (last - moment) / seen.max(1) * MAX_MISSED;
        if seen == 0 || moment - first <= reach {
            return Ok(first);
        }
        let from = self.after(moment - reach)?.unwrap_or(first);
        tracing::warn!(cron = self.cron.as_str(), missed_since = %first, made_up_since = %from, "a schedule missed more runs than it can make up");
        Ok(from)
    }

    /// Returns the occurrences from `first` up to a time, at most one a minute whatever the row states.
    fn up_to(&self, moment: DateTime<Utc>, first: Option<DateTime<Utc>>) -> Result<Occurrences> {
        let first = first.map(|first| self.within_reach(moment, first)).transpose()?;
        let (mut occurrences, mut next) = (Vec::new(), first);
        while let Some(at) = next.filter(|at| *at <= moment && occurrences.len() < CATCH_UP) {
            occurrences.push(at);
            next = self.after(at + MIN_INTERVAL - TimeDelta::seconds(1))?;
        }
        Ok((occurrences, next))
    }
}
