//! What the URL says of TLS, in terms of rustls: libpq's parameters that tokio-postgres does not know.

use std::fs;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::DatabaseUrl;
use crate::error::{Error, Result};

/// What a connection is driven by.
pub(super) type Connection = tokio_postgres::Connection<
    tokio_postgres::Socket,
    <MakeRustlsConnect as MakeTlsConnect<tokio_postgres::Socket>>::Stream,
>;

/// The URL without libpq's TLS parameters, and what they ask for.
pub(super) fn settings(url: &DatabaseUrl) -> Result<(tokio_postgres::Config, MakeRustlsConnect)> {
    let (mut mode, mut root_file) = (None, None);
    for (name, value) in url.parameters() {
        match name.as_str() {
            "sslmode" => mode = Some(value),
            "sslrootcert" => root_file = Some(value),
            "sslcert" | "sslkey" | "sslpassword" | "sslcrl" => {
                return Err(Error::invalid(format!("{name} in the database URL is not supported"))
                    .remedy("log in with a password; client certificates are not taken"));
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
    let mut config: tokio_postgres::Config = parsed.as_str().parse().map_err(|error| {
        Error::invalid(format!("the database URL {url} has a parameter that can't be read")).caused_by(error)
    })?;
    config.ssl_mode(match mode.as_deref() {
        None | Some("prefer") if stays_here(&config) => SslMode::Disable,
        Some("disable") => SslMode::Disable,
        None | Some("prefer" | "require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(other) => {
            return Err(Error::invalid(format!("sslmode={other} in the database URL is not known"))
                .remedy("use disable, prefer, require, verify-ca or verify-full"));
        }
    });
    Ok((config, MakeRustlsConnect::new(client_config(root_file.as_deref())?)))
}

/// Whether every address that may be tried is of this machine; an address goes before the name beside it.
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
        || Error::invalid(format!("sslrootcert={path} can't be read")).remedy("give a PEM file of certificates");
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
