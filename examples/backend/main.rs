//! A backend: an administrator logs in, a cookie keeps the session, and each request enters its workspace with it.
//!
//! ```sh
//! cargo run -- up && eval "$(cargo run -q -- env)"
//! cargo run -q -- admin create you@example.com --superadmin   # then `admin set-password`
//! cargo run --example backend
//! ```

mod problem;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Path, State};
use axum::http::header::{COOKIE, HeaderMap, SET_COOKIE};
use axum::http::{StatusCode, request::Parts};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use diesel::prelude::*;
use secrecy::SecretString;
use serde::Deserialize;
use workspace_db::auth::{self, AdminSession, ClientInfo, Token};
use workspace_db::config::Config;
use workspace_db::id::{DocumentId, WorkspaceId};
use workspace_db::models::{Document, NewDocument};
use workspace_db::schema::documents;
use workspace_db::sql_types::Name;
use workspace_db::tenancy::{Database, InWorkspace, WorkspaceConnection};

use crate::problem::Problem;

type Answer<T> = Result<T, Problem>;

fn routes(db: Database) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/workspaces/{workspace}/documents", get(list).post(create))
        .route("/workspaces/{workspace}/documents/{document}", delete(remove))
        .with_state(db)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Database::open(&Config::from_env()?).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    // The address is that of the peer. Behind a proxy, take it from the header that your proxy sets.
    let service = routes(db).into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: SecretString,
}

async fn log_in(
    State(db): State<Database>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> Answer<impl IntoResponse> {
    // A cookie of an earlier session, even of one that has ended, distinguishes the owner's browser from strangers.
    let client =
        ClientInfo { address: Some(peer.ip()), device: session_cookie(&headers).ok(), ..ClientInfo::default() };
    let (_, token) = auth::log_in(&db, &credentials.email, &credentials.password, &client).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie(token.expose()))]))
}

/// Ends the session and keeps its cookie, which still identifies this browser.
async fn log_out(State(db): State<Database>, session: Session) -> Answer<StatusCode> {
    session.0.log_out(&db).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list(TenantConnection(mut ws): TenantConnection) -> Answer<Json<Vec<Document>>> {
    let all = documents::table.in_workspace(&ws).order(documents::created_at.desc()).limit(50);
    Ok(Json(all.load(&mut ws).await?))
}

#[derive(Deserialize)]
struct Title {
    title: Name,
}

async fn create(
    TenantConnection(mut ws): TenantConnection,
    Json(new): Json<Title>,
) -> Answer<(StatusCode, Json<Document>)> {
    let new = NewDocument::new(new.title.as_str());
    let made = documents::table.in_workspace(&ws).insert(&new).get_result(&mut ws).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn remove(
    TenantConnection(mut ws): TenantConnection,
    Path((_, document)): Path<(WorkspaceId, DocumentId)>,
) -> Answer<StatusCode> {
    let gone = documents::table.in_workspace(&ws).find(document).delete().execute(&mut ws).await?;
    Ok(if gone == 0 { StatusCode::NOT_FOUND } else { StatusCode::NO_CONTENT })
}

/// The administrator's session, from the cookie of the request.
struct Session(AdminSession);

impl FromRequestParts<Database> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, db: &Database) -> Answer<Self> {
        let token = session_cookie(&parts.headers)?;
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Ok(Self(auth::session(db, &token, address).await?))
    }
}

/// The connection of the request's session to the workspace of its path. Every route on a tenant's data takes it.
struct TenantConnection(WorkspaceConnection);

#[derive(Deserialize)]
struct WorkspacePath {
    workspace: WorkspaceId,
}

impl FromRequestParts<Database> for TenantConnection {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, db: &Database) -> Answer<Self> {
        let Session(session) = Session::from_request_parts(parts, db).await?;
        let Path(WorkspacePath { workspace }) = Path::from_request_parts(parts, db).await?;
        let scope = session.workspace(workspace, db).await?;
        Ok(Self(db.workspace(&scope).await?))
    }
}

/// Returns a cookie that scripts can't read, that forms of other sites don't send, and that requires TLS.
fn cookie(token: &str) -> String {
    format!("session={token}; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax")
}

fn session_cookie(headers: &HeaderMap) -> workspace_db::Result<Token> {
    let sent = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    sent.split("; ").find_map(|pair| pair.strip_prefix("session=")).unwrap_or_default().parse()
}
