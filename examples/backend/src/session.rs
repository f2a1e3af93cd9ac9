//! Log-in, the cookie of a session, and the scope of a request.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::header::{COOKIE, HeaderMap, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse};
use secrecy::SecretString;
use serde::Deserialize;
use workspace_db::auth::{self, AdminSession, ClientInfo, Token};
use workspace_db::id::WorkspaceId;
use workspace_db::tenancy::WorkspaceScope;

use crate::App;
use crate::problem::Answer;

#[derive(Deserialize)]
pub(crate) struct Credentials {
    email: String,
    password: SecretString,
}

pub(crate) async fn log_in(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> Answer<impl IntoResponse> {
    let client = client(peer, &headers);
    let (_, token) = auth::log_in(&app.db, &credentials.email, &credentials.password, &client).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie(token.expose()))]))
}

/// Ends the session and keeps its cookie, which still identifies this browser.
pub(crate) async fn log_out(State(app): State<App>, session: Session) -> Answer<StatusCode> {
    session.0.log_out(&app.db).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The page behind the link `/password#<secret>`. The part after `#` stays in the browser, so no log contains the secret.
pub(crate) async fn password_page() -> Html<&'static str> {
    Html(include_str!("password.html"))
}

#[derive(Deserialize)]
pub(crate) struct NewPassword {
    secret: String,
    password: SecretString,
}

pub(crate) async fn set_password(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(new): Json<NewPassword>,
) -> Answer<impl IntoResponse> {
    let client = client(peer, &headers);
    let (_, token) = auth::set_password(&app.db, &new.secret.parse()?, &new.password, &client).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie(token.expose()))]))
}

/// The administrator's session, from the cookie of the request.
pub(crate) struct Session(AdminSession);

impl FromRequestParts<App> for Session {
    type Rejection = crate::problem::Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let token = session_cookie(&parts.headers)?;
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Ok(Self(auth::session(&app.db, &token, address).await?))
    }
}

/// The right of the request's session to enter the workspace of its path. It holds no connection: a handler takes one by
/// `app.db.workspace(&scope)` when it needs one, and drops it before it waits for anything else.
pub(crate) struct Scope(pub(crate) WorkspaceScope);

#[derive(Deserialize)]
struct WorkspacePath {
    workspace: WorkspaceId,
}

impl FromRequestParts<App> for Scope {
    type Rejection = crate::problem::Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let Session(session) = Session::from_request_parts(parts, app).await?;
        let Path(WorkspacePath { workspace }) = Path::from_request_parts(parts, app).await?;
        Ok(Self(session.workspace(workspace, &app.db).await?))
    }
}

/// A cookie of an earlier session, even of one that has ended, distinguishes the owner's browser from strangers.
fn client(peer: SocketAddr, headers: &HeaderMap) -> ClientInfo {
    ClientInfo { address: Some(peer.ip()), device: session_cookie(headers).ok(), ..ClientInfo::default() }
}

/// Returns a cookie that scripts can't read, that forms of other sites don't send, and that requires TLS.
fn cookie(token: &str) -> String {
    format!("session={token}; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax")
}

fn session_cookie(headers: &HeaderMap) -> workspace_db::Result<Token> {
    let sent = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    sent.split("; ").find_map(|pair| pair.strip_prefix("session=")).unwrap_or_default().parse()
}
