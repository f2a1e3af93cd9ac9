//! TLS settings of the URL for rustls: parameters of libpq that tokio-postgres does not know.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::stream::{MakeStream, Stream};
use crate::config::DatabaseUrl;
use crate::error::{Error, Result};

/// Future that drives a connection.
pub(super) type Connection = tokio_postgres::Connection<tokio_postgres::Socket, Stream>;

/// Returns the URL without libpq's TLS parameters, and the stream that they require.
pub(super) fn settings(url: &DatabaseUrl) -> Result<(tokio_postgres::Config, MakeStream)> {
    let (mut mode, mut root_file) = (None, None);
    for (name, value) in url.parameters() {
        match name.as_str() {
            "sslmode" => mode = Some(value),
            "sslrootcert" => root_file = Some(value),
            "sslcert" | "sslkey" | "sslpassword" | "sslcrl" => {
                return Err(Error::invalid(format!("{name} in the database URL is not supported"))
                    .remedy("log in with a password; client certificates are not supported"));
            }
            _ => {}
        }
    }
    let mut parsed = url.parsed();
    let others = parsed
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !["sslmode=", "sslrootcert="].iter().any(|name| pair.starts_with(name)));
    let others = others.collect::<Vec<_>>().join("&");
    parsed.set_query(Some(others.as_str()).filter(|others| !others.is_empty()));
    let mut config: tokio_postgres::Config = parsed
        .as_str()
        .parse()
        .map_err(|error| Error::invalid(format!("the database URL {url} has an invalid parameter")).caused_by(error))?;
    let is_verified = match mode.as_deref() {
        None | Some("prefer") => !stays_here(&config),
        Some("disable") => false,
        Some("require" | "verify-ca" | "verify-full") => true,
        Some(other) => {
            return Err(Error::invalid(format!("sslmode={other} in the database URL is unknown"))
                .remedy("use disable, prefer, require, verify-ca or verify-full"));
        }
    };
    if is_verified {
        config.ssl_mode(SslMode::Require);
        return Ok((config, MakeStream::Verified(MakeRustlsConnect::new(client_config(root_file.as_deref())?))));
    }
    prepare_plain(&mut config)?;
    Ok((config, MakeStream::Plain))
}

/// Makes the driver pass the bare socket of a plain connection, whose stream protects the password.
///
/// The driver never passes a Unix socket. If the URL has a password, the folder of the socket must not be open to every
/// account.
fn prepare_plain(config: &mut tokio_postgres::Config) -> Result<()> {
    let hosts = config.get_hosts().to_vec();
    let sockets: Vec<&Path> = hosts.iter().filter_map(folder_of).collect();
    if sockets.is_empty() {
        if hosts.is_empty() {
            // The driver requires a name to verify, even if nothing is verified.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        return Ok(());
    }
    if sockets.len() < hosts.len() {
        return Err(Error::invalid("the database URL has both Unix sockets and network addresses")
            .remedy("use only one of the two kinds"));
    }
    let is_open = |folder: &&Path| fs::metadata(folder).is_ok_and(|found| found.mode() & 0o002 != 0);
    if let (Some(folder), Some(_)) = (sockets.into_iter().find(is_open), config.get_password()) {
        return Err(Error::invalid(format!(
            "any account of this machine can create a socket in {} and would receive the password",
            folder.display()
        ))
        .remedy("put the server's socket into its own folder (unix_socket_directories), or use 127.0.0.1"));
    }
    config.ssl_mode(SslMode::Disable);
    Ok(())
}

fn folder_of(host: &Host) -> Option<&Path> {
    match host {
        Host::Tcp(_) => None,
        #[cfg(unix)]
        Host::Unix(folder) => Some(folder),
    }
}

/// Returns true if all hosts and addresses of the URL are on this machine. An address takes precedence over its host.
fn stays_here(config: &tokio_postgres::Config) -> bool {
    let (names, addresses) = (config.get_hosts(), config.get_hostaddrs());
    !(names.is_empty() && addresses.is_empty())
        && names.iter().all(is_this_machine)
        && addresses.iter().all(std::net::IpAddr::is_loopback)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn client_config(root_file: Option<&str>) -> Result<ClientConfig> {
    let roots = match root_file {
        Some(path) => roots_of(path)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| {
            Error::invalid("rustls has no protocol version in common with its provider").caused_by(error)
        })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn roots_of(path: &str) -> Result<RootCertStore> {
    let wrong =
        || Error::invalid(format!("sslrootcert={path} can't be read")).remedy("set it to a PEM file with certificates");
    let pem = fs::read(path).map_err(|error| wrong().caused_by(error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong().caused_by(error))?;
        roots.add(certificate).map_err(|error| wrong().caused_by(error))?;
    }
    if roots.is_empty() {
        return Err(wrong());
    }
    Ok(roots)
}
