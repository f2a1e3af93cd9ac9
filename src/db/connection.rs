//! Connections outside of a pool.

use std::time::Duration;

use diesel_async::AsyncPgConnection;

use super::stream::MakeStream;
use super::tls;
use crate::config::DatabaseUrl;
use crate::error::{Error, ErrorKind, Result};

/// Maximum time that the server may take to answer a connection attempt if the URL has no `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a connection as the login of `url`, over TLS as `sslmode` requires.
///
/// | `sslmode` | connection |
/// |---|---|
/// | absent, `prefer` | plain on this machine; verified TLS elsewhere |
/// | `disable` | plain, to any server |
/// | `require`, `verify-ca`, `verify-full` | verified TLS |
///
/// Verified TLS requires a certificate that names the host and chains to a public authority, or to one in the PEM file
/// of `sslrootcert`. There is no TLS without verification. A plain connection rejects a server that requests the
/// password in clear text or by md5. It also rejects a password for a Unix socket in a folder that any account may
/// write.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable) if the server does not answer in time or rejects the login, or if the
/// certificate is invalid; [`is_invalid_input`](Error::is_invalid_input) if a parameter of the URL can't be read.
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// let url = "postgres://app:secret@localhost/platform".parse()?;
/// let mut conn = workspace_db::db::connect(&url).await?;
/// # drop(conn);
/// # Ok(())
/// # }
/// ```
pub async fn connect(url: &DatabaseUrl) -> Result<AsyncPgConnection> {
    let (client, connection) = dial(url).await?;
    AsyncPgConnection::try_from_client_and_connection(client, connection)
        .await
        .map_err(|error| unreachable(url, &error.to_string()).caused_by(error))
}

/// Returns true if [`connect`] requires a verified certificate from the server of `url`.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if a parameter of the URL can't be read.
///
/// ```
/// assert!(workspace_db::db::is_verified(&"postgres://app@db.example.com/platform".parse()?)?);
/// assert!(!workspace_db::db::is_verified(&"postgres://app@localhost/platform".parse()?)?);
/// # Ok::<(), workspace_db::Error>(())
/// ```
pub fn is_verified(url: &DatabaseUrl) -> Result<bool> {
    Ok(matches!(tls::settings(url)?.1, MakeStream::Verified(_)))
}

/// Opens a client of the driver, for COPY and SQLSTATEs, which Diesel's connection does not expose.
///
/// Nothing scopes it: it may do what the login may do. The task of the connection ends with the client.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if a parameter of the URL can't be read;
/// [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// # async fn example(owner: &workspace_db::config::DatabaseUrl) -> workspace_db::Result<()> {
/// let client = workspace_db::db::client(owner).await?;
/// client.batch_execute("COPY (SELECT 1) TO STDOUT").await?;
/// # Ok(())
/// # }
/// ```
pub async fn client(url: &DatabaseUrl) -> Result<tokio_postgres::Client> {
    let (client, connection) = dial(url).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Opens a client with settings of the session, to which RESET returns. Options in the URL take precedence.
pub(crate) async fn client_with(url: &DatabaseUrl, settings: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = dial_with(url, |config| {
        let asked_for = config.get_options().map(|options| format!(" {options}")).unwrap_or_default();
        config.options(format!("{settings}{asked_for}"));
    })
    .await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Default values of the settings with which PostgreSQL reads and writes its catalog. A role or a database may have
/// others.
pub(crate) const CATALOG_SETTINGS: &str = "SET standard_conforming_strings = on; SET quote_all_identifiers = off; \
    SET IntervalStyle = postgres; SET DateStyle = ISO; SET row_security = on";

/// Opens a client that reads the catalog in the migrated schema, independent of settings of the role or the database.
///
/// # Errors
///
/// Same as [`client`].
///
/// ```no_run
/// # async fn example(owner: &workspace_db::config::DatabaseUrl) -> workspace_db::Result<()> {
/// let client = workspace_db::db::catalog_client(owner).await?;
/// let tables = client.query("SELECT relname FROM pg_catalog.pg_class WHERE relkind = 'r'", &[]).await?;
/// # drop(tables);
/// # Ok(())
/// # }
/// ```
pub async fn catalog_client(url: &DatabaseUrl) -> Result<tokio_postgres::Client> {
    let client = client(url).await?;
    client.batch_execute(CATALOG_SETTINGS).await?;
    let schema = "SELECT pg_catalog.set_config('search_path', quote_ident(n.nspname) || ', public', false)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = '__diesel_schema_migrations' AND c.relkind = 'r'
        ORDER BY n.nspname = current_schema() DESC, n.nspname = 'public' DESC, n.nspname LIMIT 1";
    client.query(schema, &[]).await?;
    Ok(client)
}

pub(super) async fn dial(url: &DatabaseUrl) -> Result<(tokio_postgres::Client, tls::Connection)> {
    dial_with(url, |_| ()).await
}

async fn dial_with(
    url: &DatabaseUrl,
    configure: impl FnOnce(&mut tokio_postgres::Config),
) -> Result<(tokio_postgres::Client, tls::Connection)> {
    let (mut config, tls) = tls::settings(url)?;
    configure(&mut config);
    let timeout = *config.get_connect_timeout().unwrap_or(&CONNECT_TIMEOUT);
    config.connect_timeout(timeout);
    // The timeout of tokio-postgres ends with the TCP handshake. This one also covers a server that accepts and never
    // answers.
    let patience = timeout * u32::try_from(config.get_hosts().len().max(1)).unwrap_or(u32::MAX);
    let connected = tokio::time::timeout(patience, config.connect(tls)).await;
    connected
        .map_err(|elapsed| {
            unreachable(url, &format!("no response within {} s", patience.as_secs())).caused_by(elapsed)
        })?
        .map_err(|error| unreachable(url, &innermost(&error)).caused_by(error))
}

pub(super) fn unreachable(url: &DatabaseUrl, cause: &str) -> Error {
    Error::new(ErrorKind::Unreachable, format!("can't connect to {url}: {cause}")).remedy(
        "check the address and the password, and that the server is running; without DATABASE_URL, \
         `workspace-db up` starts its own server",
    )
}

/// Returns the innermost message of the chain, which says more than "error connecting to server".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}
