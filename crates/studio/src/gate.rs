//! Access control: only a browser on this machine that has opened the link gets an answer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::AppState;
use super::params::Params;
use super::problem::{Problem, bare};
use workspace_db::sql_types::TokenHash;
use workspace_db::{Error, ErrorKind, Result};

/// Content security policy: only this server's scripts, styles and images, nothing inline, no eval, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Number of random bytes of a secret.
const SECRET: usize = 32;
/// Timeout of a request: five compared searches run one after another.
const REQUEST: Duration = Duration::from_secs(30);
/// Time without user activity after which a session ends.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Maximum number of printed links that were not opened yet.
const MOST_LINKS: usize = 100;

/// The one-time links and the sessions.
pub(super) struct Gate {
    address: SocketAddr,
    known: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    /// Hashes of one-time tokens.
    links: Vec<TokenHash>,
    /// Sessions by the hash of the cookie.
    sessions: HashMap<TokenHash, SessionEntry>,
}

/// A session that has not ended.
struct SessionEntry {
    /// Token that forms must contain.
    form_token: String,
    /// Time of the last request by the user.
    seen: Instant,
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
        Ok(Self { address, known: Mutex::default() })
    }

    /// Returns a one-time link.
    pub(super) fn link(&self) -> String {
        let Ok(token) = secret() else { return String::new() };
        let mut known = self.known();
        if known.links.len() == MOST_LINKS {
            known.links.remove(0);
        }
        known.links.push(TokenHash::of(token.as_bytes()));
        format!("http://{}/enter?token={token}", self.address)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a session for an unused token, and returns its cookie.
    fn open(&self, token: &str) -> Result<Option<String>> {
        let hash = TokenHash::of(token.as_bytes());
        let mut known = self.known();
        let Some(at) = known.links.iter().position(|link| *link == hash) else { return Ok(None) };
        known.links.remove(at);
        let (cookie, form_token) = (secret()?, secret()?);
        known.sessions.insert(TokenHash::of(cookie.as_bytes()), SessionEntry { form_token, seen: Instant::now() });
        Ok(Some(format!("{}={cookie}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name())))
    }

    /// Returns a name with the port, because cookies ignore ports and two studios may run.
    fn cookie_name(&self) -> String {
        format!("workspace_db_studio_{}", self.address.port())
    }

    fn session(&self, headers: &HeaderMap) -> Option<BrowserSession> {
        let name = self.cookie_name();
        let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(';'));
        let mut own = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
        let hash = TokenHash::of(own.next()?.1.as_bytes());
        let mut known = self.known();
        known.sessions.retain(|_, held| held.seen.elapsed() < IDLE);
        let held = known.sessions.get_mut(&hash)?;
        // Requests that an open page sends by itself, such as the jobs every two seconds, are no user activity.
        if !headers.contains_key("hx-request") {
            held.seen = Instant::now();
        }
        Some(BrowserSession { form_token: held.form_token.clone() })
    }

    /// Ends a session.
    fn close(&self, session: &BrowserSession) {
        self.known().sessions.retain(|_, held| held.form_token != session.form_token);
    }

    /// Returns true if the host is this studio's own. Another site whose name resolves to loopback has another name.
    fn is_own_host(&self, host: &str) -> bool {
        let port = self.address.port();
        host == self.address.to_string() || host == format!("localhost:{port}")
    }

    fn is_same_origin(&self, request: &Request) -> bool {
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
        .map_err(|error| Error::new(ErrorKind::Io, "the operating system gives no random bytes").caused_by(error))?;
    Ok(base16ct::lower::encode_string(&bytes))
}

/// Rejects requests of other sites' pages, and sets headers that restrict the studio's pages in the browser.
pub(super) async fn require_same_origin(State(shared): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let mut response = if shared.gate.is_same_origin(&request) {
        next.run(request).await
    } else {
        refused(StatusCode::FORBIDDEN, "This is asked from elsewhere. Open the address that the studio has printed.")
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer` a browser would also omit the origin of a form.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Admits requests of a session.
pub(super) async fn require_session(State(shared): State<Arc<AppState>>, mut request: Request, next: Next) -> Response {
    match shared.gate.session(request.headers()) {
        Some(session) => {
            request.extensions_mut().insert(session);
            // The timeout covers every wait. A dropped request has its statement cancelled and its transaction rolled back.
            tokio::time::timeout(REQUEST, next.run(request)).await.unwrap_or_else(|_| {
                refused(StatusCode::GATEWAY_TIMEOUT, "This took longer than half a minute and was ended.")
            })
        }
        None => refused(
            StatusCode::UNAUTHORIZED,
            "Open the link that the studio has printed. Each link lets one browser in; press Enter where the studio runs \
             for another.",
        ),
    }
}

/// Handles `GET /enter?token=`.
pub(super) async fn enter(State(shared): State<Arc<AppState>>, params: Params) -> Result<Response, Problem> {
    let Some(cookie) = shared.gate.open(params.value("token").unwrap_or_default())? else {
        return Ok(refused(
            StatusCode::UNAUTHORIZED,
            "This link was used, or is of a studio that has ended. Press Enter where the studio runs for another.",
        ));
    };
    let cookie = HeaderValue::from_str(&cookie).map_err(|error| Error::invalid("no cookie").caused_by(error))?;
    Ok((StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, HeaderValue::from_static("/"))]).into_response())
}

/// Handles `GET /leave`, which ends the session. Other sites can't end it, because their requests do not carry the cookie.
pub(super) async fn leave(
    State(shared): State<Arc<AppState>>,
    Extension(session): Extension<BrowserSession>,
) -> Response {
    shared.gate.close(&session);
    let how = html! { p { "Press Enter where the studio runs for a link that lets a browser in again." } };
    bare("The session has ended", &how).into_response()
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, bare("No answer", &html! { p { (why) } })).into_response()
}

/// The fields of a form that a page of this studio sent.
pub(super) struct PostedForm(pub(super) Params);

impl FromRequest<Arc<AppState>> for PostedForm {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, Problem> {
        let is_form =
            request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/x-www-form-urlencoded");
        let session = state.gate.session(request.headers());
        let body = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|error| Error::invalid("the form is too large").caused_by(error))?;
        let params = Params::parse(&body);
        match session {
            Some(session) if is_form && params.value("form_token") == Some(&session.form_token) => Ok(Self(params)),
            _ => Err(Error::new(ErrorKind::Forbidden, "the form is not of a page of this studio")
                .remedy("open the page again, and send it from there")
                .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_nobody_is_seen_and_an_open_page_is_nobody() {
        let gate = Gate::new("127.0.0.1:1".parse().unwrap()).unwrap();
        let link = gate.link();
        let cookie = gate.open(link.rsplit('=').next().unwrap()).unwrap().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        let age = |by: Duration| {
            gate.known().sessions.values_mut().for_each(|held| held.seen = held.seen.checked_sub(by).unwrap());
        };
        age(IDLE / 2);
        assert!(gate.session(&headers).is_some(), "somebody is seen");
        age(IDLE / 2);
        let mut by_itself = headers.clone();
        by_itself.insert("hx-request", HeaderValue::from_static("true"));
        assert!(gate.session(&by_itself).is_some(), "it has not ended yet");
        age(IDLE / 2);
        assert!(gate.session(&headers).is_none(), "a page that asks by itself kept it");
    }

    #[test]
    fn a_session_ends_on_request() {
        let gate = Gate::new("127.0.0.1:1".parse().unwrap()).unwrap();
        let link = gate.link();
        let cookie = gate.open(link.rsplit('=').next().unwrap()).unwrap().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        gate.close(&gate.session(&headers).unwrap());
        assert!(gate.session(&headers).is_none());
    }
}
