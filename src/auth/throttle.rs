//! Rate limits of logins, and of events of a workspace. They are exact across processes, and an attacker can't use them to
//! lock an owner out.
//!
//! Each bucket is a row with one timestamp, at which the bucket will be empty (generic cell rate algorithm, ITU-T
//! I.371). The row lock keeps it exact for any number of processes.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Bytea, Double};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::client::ClientInfo;
use super::email::lower;
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{admin_tokens, admin_users};
use crate::sql_types::{AdminTokenKind, TokenHash};
use crate::tenancy::{Access, Database, WorkspaceScope};

/// Rate of attempts: `burst` at once, then one every `seconds` seconds.
#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    seconds: f64,
}

const OF_ADDRESS: Rate = Rate { burst: 20, seconds: 3.0 };
/// Rate of all clients together whose address the backend does not know. A correct password refunds its attempt.
const OF_NO_ADDRESS: Rate = Rate { burst: 60, seconds: 1.0 };
/// Rate of all places together from which the account was never entered.
const OF_STRANGERS: Rate = Rate { burst: 10, seconds: 60.0 };
/// Rate of one place or device from which the account was entered before.
const OF_KNOWN: Rate = Rate { burst: 10, seconds: 10.0 };

impl Rate {
    /// Multiplies the rate by `factor`.
    fn times(self, factor: u32) -> Self {
        Self { burst: self.burst * factor, seconds: self.seconds / f64::from(factor) }
    }
}

/// Buckets in which an attempt was counted.
pub(super) struct Buckets {
    counted: Vec<Bucket>,
    /// True if the bucket of the account was full. The attempt is refused, and the error does not give this reason.
    pub(super) is_full: bool,
}

impl Buckets {
    /// Counts an attempt at the account of this email, which need not exist.
    ///
    /// A device or an address from which the account was entered before has its own bucket. Strangers who try passwords
    /// therefore fill only theirs. The networks of the address are counted too, except for such a device, because other
    /// clients at its address could fill those buckets. A full network bucket is an error, since it reveals nothing
    /// about an account.
    pub(super) async fn count(conn: &mut AsyncPgConnection, email: &str, client: &ClientInfo) -> Result<Self> {
        let address = client.address();
        let known = Familiarity::find(conn, email, client).await?;
        let mut counted = Vec::with_capacity(4);
        let networks = if matches!(known, Familiarity::Device) { Vec::new() } else { networks(address) };
        for network in networks {
            let decision = network.count(conn).await?;
            if !decision.allowed {
                return Err(Error::new(ErrorKind::Throttled, "too many attempts from this address")
                    .remedy(format!("try again in {:.0} s", decision.wait.max(1.0).ceil())));
            }
            counted.push(network);
        }
        let of_account = match (known, &client.device, address) {
            (Familiarity::Device, Some(device), _) => Bucket::new(&format!("device {}", device.expose()), OF_KNOWN),
            (Familiarity::Address, _, Some(address)) => {
                Bucket::new(&format!("account {email} from {address}"), OF_KNOWN)
            }
            _ => Bucket::new(&format!("account {email}"), OF_STRANGERS),
        };
        let is_full = !of_account.count(conn).await?.allowed;
        counted.push(of_account);
        Ok(Self { counted, is_full })
    }

    /// Refunds the counted attempt after a correct password.
    pub(super) async fn refund(&self, conn: &mut AsyncPgConnection) -> Result<()> {
        for bucket in &self.counted {
            bucket.refund(conn).await?;
        }
        Ok(())
    }
}

/// Place from which an account was entered before.
#[derive(Clone, Copy)]
enum Familiarity {
    Device,
    Address,
    No,
}

impl Familiarity {
    async fn find(conn: &mut AsyncPgConnection, email: &str, client: &ClientInfo) -> Result<Self> {
        let device = client.device.as_ref().map(Token::hash);
        let address = client.address().map(|address| address.to_string());
        let is_device = admin_tokens::token_hash.nullable().eq(&device);
        let known: Option<Option<bool>> = admin_tokens::table
            .inner_join(admin_users::table)
            .filter(lower(admin_users::email).eq(email))
            .filter(admin_tokens::kind.eq(AdminTokenKind::Session))
            .filter(is_device.or(admin_tokens::address.eq(&address)))
            .select(is_device)
            .order(is_device.desc().nulls_last())
            .first(conn)
            .await
            .optional()?;
        Ok(match known {
            Some(Some(true)) => Self::Device,
            Some(_) => Self::Address,
            None => Self::No,
        })
    }
}

struct Bucket {
    key: TokenHash,
    rate: Rate,
}

/// Returns the buckets of the client's networks, narrowest first. All sessions lock them in this order.
///
/// In IPv6, a host has a network of 64 bits, a household up to 256 of them and a company 65,536 (RIPE-690). Each wider
/// network has twice the rate of the narrower one, so that one part can't use up the whole rate.
fn networks(address: Option<IpAddr>) -> Vec<Bucket> {
    match address {
        None => vec![Bucket::new("no address", OF_NO_ADDRESS)],
        Some(IpAddr::V4(address)) => vec![Bucket::new(&format!("address {address}"), OF_ADDRESS)],
        Some(IpAddr::V6(address)) => [(64_u32, 1), (56, 2), (48, 4)]
            .map(|(prefix, factor)| {
                let host = 128 - prefix;
                let network = Ipv6Addr::from_bits(address.to_bits() >> host << host);
                Bucket::new(&format!("network {network}/{prefix}"), OF_ADDRESS.times(factor))
            })
            .into(),
    }
}

#[derive(QueryableByName)]
struct RateDecision {
    #[diesel(sql_type = Bool)]
    allowed: bool,
    #[diesel(sql_type = Double)]
    wait: f64,
}

impl Bucket {
    fn new(what: &str, rate: Rate) -> Self {
        Self { key: TokenHash::from_token(what.as_bytes()), rate }
    }

    async fn refund(&self, conn: &mut AsyncPgConnection) -> Result<()> {
        diesel::sql_query(
            "UPDATE login_throttles SET free_at = free_at - make_interval(secs => $2), refused_at = NULL WHERE key = $1",
        )
        .bind::<Bytea, _>(&self.key)
        .bind::<Double, _>(self.rate.seconds)
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Counts an attempt. A refused attempt writes as an allowed one does, so that both cost the same.
    async fn count(&self, conn: &mut AsyncPgConnection) -> Result<RateDecision> {
        const COUNT: &str = "
INSERT INTO login_throttles AS bucket (key, free_at) VALUES ($1, statement_timestamp() + make_interval(secs => $2))
ON CONFLICT (key) DO UPDATE SET (free_at, refused_at) = (
    SELECT CASE WHEN is_full THEN bucket.free_at ELSE after_it END, CASE WHEN is_full THEN statement_timestamp() END
    FROM (SELECT after_it, after_it > statement_timestamp() + make_interval(secs => $3) AS is_full
          FROM (SELECT greatest(bucket.free_at, statement_timestamp()) + make_interval(secs => $2) AS after_it) AS next) AS state
)
RETURNING refused_at IS NULL AS allowed,
    extract(epoch FROM free_at + make_interval(secs => $2 - $3) - statement_timestamp())::double precision AS wait";
        let counted = diesel::sql_query(COUNT)
            .bind::<Bytea, _>(&self.key)
            .bind::<Double, _>(self.rate.seconds)
            .bind::<Double, _>(self.rate.seconds * f64::from(self.rate.burst));
        Ok(counted.get_result(conn).await?)
    }
}

/// Rate limit of a key: `burst` at once, and `burst` in each window after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Number of events that are allowed at once, and in each window.
    pub burst: u32,
    /// Window in which the allowance fills up again.
    pub window: Duration,
}

/// Decision about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitDecision {
    /// The event is within the limit, and was counted.
    Allowed,
    /// The event exceeds the limit.
    Refused {
        /// Time until the next event is allowed.
        retry_after: Duration,
    },
}

/// Counts an event of the scope's workspace against a rate limit, exactly across all processes.
///
/// `key` names what is limited, such as `chat 203.0.113.7`; each workspace has its own. It is the algorithm of logins: one
/// row for each key, which `workspace-db retention` deletes once it is full again. It needs the platform's login.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if the burst is 0, or the window is shorter than a microsecond for each
/// event of the burst;
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) without the platform's login;
/// [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use std::time::Duration;
/// use workspace_db::auth::{RateLimit, RateLimitDecision, throttle};
/// use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: &Database, scope: &WorkspaceScope) -> workspace_db::Result<()> {
/// let limit = RateLimit { burst: 20, window: Duration::from_secs(60) };
/// if let RateLimitDecision::Refused { retry_after } = throttle(db, scope, "chat 203.0.113.7", limit).await? {
///     println!("429, Retry-After: {}", retry_after.as_secs());
/// }
/// # Ok(())
/// # }
/// ```
pub async fn throttle<A: Access>(
    db: &Database,
    scope: &WorkspaceScope<A>,
    key: &str,
    limit: RateLimit,
) -> Result<RateLimitDecision> {
    // The database counts microseconds.
    if limit.burst == 0 || limit.window < Duration::from_micros(limit.burst.into()) {
        return Err(Error::invalid(
            "a rate limit needs a burst above 0, and a window of a microsecond or more for each event",
        ));
    }
    let rate = Rate { burst: limit.burst, seconds: limit.window.as_secs_f64() / f64::from(limit.burst) };
    let bucket = Bucket::new(&format!("workspace {} {} {key}", scope.workspace(), limit.window.as_millis()), rate);
    let decision = db.platform(async |conn| bucket.count(conn).await).await?;
    Ok(match decision {
        RateDecision { allowed: true, .. } => RateLimitDecision::Allowed,
        RateDecision { wait, .. } => {
            RateLimitDecision::Refused { retry_after: Duration::from_secs_f64(wait.max(0.001)) }
        }
    })
}
