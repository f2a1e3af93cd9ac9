//! Client of a login, as far as the backend knows it.

use std::net::IpAddr;
use std::time::Duration;

use super::token::Token;

/// Client that sent a request, as far as the backend knows it.
///
/// Behind a proxy, set the address that the proxy vouches for. A client that can write its own address bypasses the
/// throttle.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// Network address. All clients without an address share one allowance of failed logins.
    pub address: Option<IpAddr>,
    /// Name of the session in lists, such as the browser. At most 200 characters are kept.
    pub name: Option<String>,
    /// Last session token of this device, even an expired one. It lets the owner log in while strangers try passwords.
    pub device: Option<Token>,
    /// Lifetime of a session that a login starts; 7 days by default, at most 30.
    pub session_lifetime: Option<Duration>,
}

impl ClientInfo {
    /// Returns the address; an IPv4-mapped IPv6 address becomes IPv4.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address.map(|address| address.to_canonical())
    }
}
