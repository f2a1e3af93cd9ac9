//! Access control: only a browser on this machine that has opened the link gets an answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::gate::BrowserSession;
use super::params::Params;
use super::problem::{Problem, bare};
use super::state::AppState;
use workspace_db::{Error, ErrorKind};

/// Content security policy: only this server's scripts, styles and images, nothing inline, no eval, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Timeout of a request: five compared searches run one after another.
const REQUEST: Duration = Duration::from_secs(30);

/// Rejects requests of other sites' pages, and sets headers that restrict the studio's pages in the browser.
pub(super) async fn require_same_origin(State(shared): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let mut response = if shared.gate.is_same_origin(&request) {
        next.run(request).await
    } else {
        error_page(
            StatusCode::FORBIDDEN,
            "This request comes from another site. Open the link that the studio printed.",
        )
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
pub(super) async fn require_browser_session(
    State(shared): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    match shared.gate.browser_session(request.headers()) {
        Some(session) => {
            request.extensions_mut().insert(session);
            // The timeout covers every wait. A dropped request has its statement cancelled and its transaction rolled back.
            tokio::time::timeout(REQUEST, next.run(request)).await.unwrap_or_else(|_| {
                error_page(StatusCode::GATEWAY_TIMEOUT, "This took longer than 30 seconds and was cancelled.")
            })
        }
        None => error_page(
            StatusCode::UNAUTHORIZED,
            "Open the link that the studio printed. Each link admits one browser. For another link, press Enter in the \
             terminal of the studio.",
        ),
    }
}

/// Handles `GET /enter?token=`.
pub(super) async fn enter(State(shared): State<Arc<AppState>>, params: Params) -> Result<Response, Problem> {
    let Some(cookie) = shared.gate.open(params.value("token").unwrap_or_default())? else {
        return Ok(error_page(
            StatusCode::UNAUTHORIZED,
            "This link was already used, or its studio has stopped. For another link, press Enter in the terminal of the \
             studio.",
        ));
    };
    let cookie = HeaderValue::from_str(&cookie)
        .map_err(|error| Error::invalid("the session cookie is not valid").caused_by(error))?;
    Ok((StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, HeaderValue::from_static("/"))]).into_response())
}

/// Handles `GET /leave`, which ends the session. Other sites can't end it, because their requests do not carry the cookie.
pub(super) async fn leave(
    State(shared): State<Arc<AppState>>,
    Extension(session): Extension<BrowserSession>,
) -> Response {
    shared.gate.close(&session);
    let how = html! { p { "For a new link, press Enter in the terminal of the studio." } };
    bare("The session has ended", &how).into_response()
}

fn error_page(status: StatusCode, why: &str) -> Response {
    (status, bare("The request failed", &html! { p { (why) } })).into_response()
}

/// The fields of a form that a page of this studio sent.
pub(super) struct PostedForm(pub(super) Params);

impl FromRequest<Arc<AppState>> for PostedForm {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, Problem> {
        let is_form =
            request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/x-www-form-urlencoded");
        let session = state.gate.browser_session(request.headers());
        let body = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|error| Error::invalid("the form is too large").caused_by(error))?;
        let params = Params::parse(&body);
        match session {
            Some(session) if is_form && params.value("form_token") == Some(&session.form_token) => Ok(Self(params)),
            _ => Err(Error::new(ErrorKind::Forbidden, "the form does not come from a page of this studio")
                .remedy("reload the page, and submit the form again")
                .into()),
        }
    }
}
