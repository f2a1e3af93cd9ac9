//! How often a login may be tried: exact across processes, and nothing with which to lock an owner out.
//!
//! Each bucket is a row: the generic cell rate algorithm (ITU-T I.371), whose one timestamp says when the bucket will be
//! empty. The row's lock makes it exact however many processes ask at once.

use std::net::IpAddr;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Bytea, Double};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Client;
use crate::error::{Error, Kind, Result};
use crate::schema::{admin_tokens, admin_users};
use crate::sql_types::{AdminTokenKind, TokenHash};

/// So many attempts at once, and then one in so many seconds.
#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    seconds: f64,
}

const OF_ADDRESS: Rate = Rate { burst: 20, seconds: 3.0 };
/// From where the account was never entered, all such places together.
const OF_STRANGERS: Rate = Rate { burst: 10, seconds: 60.0 };
/// From one place or device where it was.
const OF_KNOWN: Rate = Rate { burst: 10, seconds: 10.0 };

/// The bucket that an attempt was counted in.
pub(super) struct Bucket {
    key: TokenHash,
    rate: Rate,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Bool)]
    allowed: bool,
    #[diesel(sql_type = Double)]
    wait: f64,
}

impl Bucket {
    /// Counts an attempt of that address. One that is refused tells nothing of any account.
    pub(super) async fn of_address(conn: &mut AsyncPgConnection, address: IpAddr) -> Result<Self> {
        let bucket = Self { key: TokenHash::of(format!("address {address}").as_bytes()), rate: OF_ADDRESS };
        let counted = bucket.count(conn).await?;
        if counted.allowed {
            return Ok(bucket);
        }
        Err(Error::new(Kind::Throttled, "too many attempts from this address")
            .remedy(format!("try again in {:.0} s", counted.wait.max(1.0).ceil())))
    }

    /// Counts an attempt at that account, which need not exist, and says whether it is refused.
    ///
    /// A device or an address from which the account was entered before has a bucket of its own, so that strangers who
    /// try passwords fill theirs alone.
    pub(super) async fn of_account(conn: &mut AsyncPgConnection, email: &str, client: &Client) -> Result<(Self, bool)> {
        let device = client.device.as_ref().map(super::Token::hash);
        let address = client.address.map(|address| address.to_string());
        let query = admin_tokens::table
            .inner_join(admin_users::table)
            .filter(super::lower(admin_users::email).eq(email))
            .filter(admin_tokens::kind.eq(AdminTokenKind::Session))
            .filter(admin_tokens::token_hash.nullable().eq(&device).or(admin_tokens::address.eq(&address)))
            .select(admin_tokens::token_hash.nullable().eq(&device))
            .order(admin_tokens::token_hash.nullable().eq(&device).desc().nulls_last())
            .limit(1);
        let known: Option<Option<bool>> = query.first(conn).await.optional()?;
        let (name, rate) = match (known, &client.device, &address) {
            (Some(Some(true)), Some(device), _) => (format!("device {}", device.expose()), OF_KNOWN),
            (Some(_), _, Some(address)) => (format!("account {email} from {address}"), OF_KNOWN),
            _ => (format!("account {email}"), OF_STRANGERS),
        };
        let bucket = Self { key: TokenHash::of(name.as_bytes()), rate };
        let counted = bucket.count(conn).await?;
        Ok((bucket, !counted.allowed))
    }

    /// Takes back what was counted: the attempt was a good one.
    pub(super) async fn refund(&self, conn: &mut AsyncPgConnection) -> Result<()> {
        diesel::sql_query(
            "UPDATE login_throttles SET free_at = free_at - make_interval(secs => $2), refused_at = NULL WHERE key = $1",
        )
        .bind::<Bytea, _>(&self.key)
        .bind::<Double, _>(self.rate.seconds)
        .execute(conn)
        .await?;
        Ok(())
    }

    /// A refused attempt writes as an allowed one does, so that both cost the same.
    async fn count(&self, conn: &mut AsyncPgConnection) -> Result<Counted> {
        const COUNT: &str = "
INSERT INTO login_throttles AS bucket (key, free_at) VALUES ($1, statement_timestamp() + make_interval(secs => $2))
ON CONFLICT (key) DO UPDATE SET (free_at, refused_at) = (
    SELECT CASE WHEN full_at THEN bucket.free_at ELSE after_it END, CASE WHEN full_at THEN statement_timestamp() END
    FROM (SELECT after_it, after_it > statement_timestamp() + make_interval(secs => $3) AS full_at
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
