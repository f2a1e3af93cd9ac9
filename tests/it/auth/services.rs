//! Tokens of services.

use base64::Engine as _;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::auth::{self, ServiceScope, Token};
use workspace_db::models::{Document, NewDocument};
use workspace_db::schema::{documents, service_tokens, workspaces};
use workspace_db::sql_types::ServiceAccess;
use workspace_db::tenancy::InWorkspace;

use super::Fixture;

#[tokio::test]
async fn a_service_reads_or_writes_its_own_workspace() {
    let fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let name = "crawler".parse().unwrap();
    let (row, writer) = auth::create_service_token(&fixture.db, &owner, &name, ServiceAccess::Write, 30).await.unwrap();
    let (_, reader) = auth::create_service_token(&fixture.db, &owner, &name, ServiceAccess::Read, 30).await.unwrap();

    let scope = auth::service(&fixture.db, &writer).await.unwrap().write().unwrap();
    assert_eq!(scope.workspace(), fixture.a.workspace);
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    documents::table.in_workspace(&scope).insert(&NewDocument::new("crawled")).execute(&mut ws).await.unwrap();

    let service = auth::service(&fixture.db, &reader).await.unwrap();
    assert!(service.write().unwrap_err().is_forbidden());
    let reads = service.read();
    let mut ws = fixture.db.workspace(&reads).await.unwrap();
    let titles: Vec<Document> = documents::table.in_workspace(&reads).load(&mut ws).await.unwrap();
    assert_eq!(titles.len(), 2);

    let listed = auth::service_tokens(&fixture.db, &owner).await.unwrap();
    assert!(listed.iter().find(|listed| listed.id == row.id).unwrap().last_used_at.is_some());
    auth::revoke_service_token(&fixture.db, &owner, row.id).await.unwrap();
    assert!(auth::service(&fixture.db, &writer).await.unwrap_err().is_unauthenticated());
    assert!(auth::revoke_service_token(&fixture.db, &owner, row.id).await.unwrap_err().is_not_found());
    let elsewhere =
        fixture.log_in("root@example.com").await.administer(fixture.b.workspace, &fixture.db).await.unwrap();
    let theirs = auth::service_tokens(&fixture.db, &elsewhere).await.unwrap();
    assert!(theirs.iter().all(|token| token.workspace_id == fixture.b.workspace));
    let mine = auth::service_tokens(&fixture.db, &owner).await.unwrap()[0].id;
    assert!(auth::revoke_service_token(&fixture.db, &elsewhere, mine).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_services_token_is_bound_to_the_workspace_in_it_and_is_nobodys_session() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let name = "crawler".parse().unwrap();
    let (_, token) = auth::create_service_token(&fixture.db, &owner, &name, ServiceAccess::Write, 30).await.unwrap();
    assert!(auth::session(&fixture.db, &token, None).await.unwrap_err().is_unauthenticated());
    let (_, session) = fixture.enter("root@example.com").await;
    assert!(auth::service(&fixture.db, &session).await.unwrap_err().is_unauthenticated());

    // Its secret behind another workspace's id is no token there.
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut bytes = base64.decode(token.expose().trim_start_matches("wdb_service_")).unwrap();
    bytes[..16].copy_from_slice(fixture.b.workspace.as_uuid().as_bytes());
    let moved: Token = format!("wdb_service_{}", base64.encode(bytes)).parse().unwrap();
    assert!(auth::service(&fixture.db, &moved).await.unwrap_err().is_unauthenticated());

    assert!(matches!(auth::service(&fixture.db, &token).await.unwrap(), ServiceScope::Writes(_)));
    let archived = workspaces::is_active.eq(false);
    diesel::update(workspaces::table.find(fixture.a.workspace)).set(archived).execute(&mut fixture.conn).await.unwrap();
    assert!(auth::service(&fixture.db, &token).await.unwrap_err().is_unauthenticated());
    let active = workspaces::is_active.eq(true);
    diesel::update(workspaces::table.find(fixture.a.workspace)).set(active).execute(&mut fixture.conn).await.unwrap();
    let past = service_tokens::expires_at.eq(diesel::dsl::now);
    diesel::update(service_tokens::table).set(past).execute(&mut fixture.conn).await.unwrap();
    assert!(auth::service(&fixture.db, &token).await.unwrap_err().is_unauthenticated());
}
