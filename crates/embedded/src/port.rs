//! Free ports of this machine.

use std::net::{Ipv4Addr, TcpListener};

use workspace_db::{Error, ErrorKind, Result};

/// Returns a port of 127.0.0.1 that no program listens on at this moment.
///
/// # Errors
///
/// Returns an error if the system has no free port.
pub fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Error::new(ErrorKind::Io, "no free port on 127.0.0.1").caused_by(error))
}
