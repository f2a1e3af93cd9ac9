//! The one-time links, and the sessions of the browsers that opened one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};
use workspace_db::sql_types::TokenHash;
use workspace_db::{Error, ErrorKind, Result};

/// Number of random bytes of a secret.
const SECRET: usize = 32;
/// Time without user activity after which a session ends.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Maximum number of printed links that were not opened yet.
const MAX_LINKS: usize = 100;

/// The one-time links and the sessions.
pub(super) struct Gate {
    address: SocketAddr,
    entries: Mutex<GateEntries>,
}

#[derive(Default)]
struct GateEntries {
    /// Hashes of one-time tokens.
    links: Vec<TokenHash>,
    /// Sessions by the hash of the cookie.
    sessions: HashMap<TokenHash, BrowserSessionEntry>,
}

/// A session that has not ended.
struct BrowserSessionEntry {
    /// Token that forms must contain.
    form_token: String,
    /// Time of the last request by the user.
    last_seen: Instant,
}

/// The session of an admitted browser. Its forms must contain the token, so that forms of other sites have no effect.
#[derive(Clone)]
pub(super) struct BrowserSession {
    pub(super) form_token: String,
}

impl Gate {
    pub(super) fn new(address: SocketAddr) -> Result<Self> {
        // Fails at the start if there are no random bytes, and not at a later request.
        secret()?;
        Ok(Self { address, entries: Mutex::default() })
    }

    /// Returns a one-time link.
    pub(super) fn link(&self) -> String {
        let Ok(token) = secret() else { return String::new() };
        let mut entries = self.entries();
        if entries.links.len() == MAX_LINKS {
            entries.links.remove(0);
        }
        entries.links.push(TokenHash::from_token(token.as_bytes()));
        format!("http://{}/enter?token={token}", self.address)
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, GateEntries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a session for an unused token, and returns its cookie.
    pub(super) fn open(&self, token: &str) -> Result<Option<String>> {
        let hash = TokenHash::from_token(token.as_bytes());
        let mut entries = self.entries();
        let Some(at) = entries.links.iter().position(|link| *link == hash) else { return Ok(None) };
        entries.links.remove(at);
        let (cookie, form_token) = (secret()?, secret()?);
        entries.sessions.insert(
            TokenHash::from_token(cookie.as_bytes()),
            BrowserSessionEntry { form_token, last_seen: Instant::now() },
        );
        Ok(Some(format!("{}={cookie}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name())))
    }

    /// Returns a name with the port, because cookies ignore ports and two studios may run.
    fn cookie_name(&self) -> String {
        format!("workspace_db_studio_{}", self.address.port())
    }

    pub(super) fn browser_session(&self, headers: &HeaderMap) -> Option<BrowserSession> {
        let name = self.cookie_name();
        let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(';'));
        let mut own = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
        let hash = TokenHash::from_token(own.next()?.1.as_bytes());
        let mut entries = self.entries();
        entries.sessions.retain(|_, held| held.last_seen.elapsed() < IDLE);
        let held = entries.sessions.get_mut(&hash)?;
        // Requests that an open page sends by itself, such as the jobs every two seconds, are no user activity.
        if !headers.contains_key("hx-request") {
            held.last_seen = Instant::now();
        }
        Some(BrowserSession { form_token: held.form_token.clone() })
    }

    /// Ends a session.
    pub(super) fn close(&self, session: &BrowserSession) {
        self.entries().sessions.retain(|_, held| held.form_token != session.form_token);
    }

    /// Returns true if the host is this studio's own. Another site whose name resolves to loopback has another name.
    fn is_own_host(&self, host: &str) -> bool {
        let port = self.address.port();
        host == self.address.to_string() || host == format!("localhost:{port}")
    }

    pub(super) fn is_same_origin(&self, request: &Request) -> bool {
        let text = |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
        let host_is_own = text(&HOST).is_some_and(|host| self.is_own_host(host));
        host_is_own
            && match text(&ORIGIN) {
                Some(origin) => origin.strip_prefix("http://").is_some_and(|host| self.is_own_host(host)),
                None => request.method().is_safe(),
            }
    }
}

fn secret() -> Result<String> {
    let mut bytes = [0; SECRET];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Io, "the operating system provides no random bytes").caused_by(error))?;
    Ok(base16ct::lower::encode_string(&bytes))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_session_ends_when_nobody_is_seen_and_an_open_page_is_nobody() {
        let gate = Gate::new("127.0.0.1:1".parse().unwrap()).unwrap();
        let link = gate.link();
        let cookie = gate.open(link.rsplit('=').next().unwrap()).unwrap().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        let age = |by: Duration| {
            gate.entries()
                .sessions
                .values_mut()
                .for_each(|held| held.last_seen = held.last_seen.checked_sub(by).unwrap());
        };
        age(IDLE / 2);
        assert!(gate.browser_session(&headers).is_some(), "somebody is seen");
        age(IDLE / 2);
        let mut by_itself = headers.clone();
        by_itself.insert("hx-request", HeaderValue::from_static("true"));
        assert!(gate.browser_session(&by_itself).is_some(), "it has not ended yet");
        age(IDLE / 2);
        assert!(gate.browser_session(&headers).is_none(), "a page that asks by itself kept it");
    }

    #[test]
    fn a_session_ends_on_request() {
        let gate = Gate::new("127.0.0.1:1".parse().unwrap()).unwrap();
        let link = gate.link();
        let cookie = gate.open(link.rsplit('=').next().unwrap()).unwrap().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        gate.close(&gate.browser_session(&headers).unwrap());
        assert!(gate.browser_session(&headers).is_none());
    }
}
