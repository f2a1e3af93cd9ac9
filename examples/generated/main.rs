//! A crate of your own with six tables that `workspace-db migrate generate` wrote, and a check that they keep workspaces
//! apart.
//!
//! `cargo run --example generated`. The generator and `diesel print-schema` wrote everything in `src` and `migrations`.
//! `generate::three_tables_are_generated_as_the_example_has_them` compares it with their output. Only this file was
//! written by hand.

#![expect(unreachable_pub, reason = "the models of a library are public, and an example is none")]
#![expect(clippy::option_option, reason = "in a changeset, nothing and NULL are two things")]
#![expect(clippy::wildcard_imports, reason = "as the Diesel CLI writes them")]

#[path = "src/models/mod.rs"]
mod models;
#[path = "src/registry.rs"]
mod registry;
#[path = "src/schema.rs"]
mod schema;
#[path = "src/sql_types.rs"]
mod sql_types;

use diesel::prelude::*;
use workspace_db::Result;
use workspace_db::config::Environment;
use workspace_db::db::migrations::Migrator;
use workspace_db::schema::documents;
use workspace_db::sql_types::{DIMENSIONS, DocumentStatus, Embedding, TextArray};
use workspace_db::tenancy::{InWorkspace as _, TENANT_TABLES as OURS, WorkspaceConnection, WorkspaceScope};
use workspace_db_testing::{TestDatabase, conformance, seed};

use crate::models::{
    Caption, CaptionChanges, DocumentTag, DocumentTagChanges, NewCaption, NewDocumentTag, NewPicture, NewPlayer,
    NewReview, NewTeam, Picture, PictureChanges, Player, PlayerChanges, Review, ReviewChanges, Team, TeamChanges,
};
use crate::registry::{PictureId, ReviewId, TENANT_TABLES, player_team, review_after, review_before, review_parent};
use crate::schema::{captions, document_tags, pictures, players, reviews, teams};
use crate::sql_types::{Urgency, Verdict};

#[tokio::main]
async fn main() -> Result<()> {
    let database = TestDatabase::new().await?;
    let migrator = Migrator::new(&database.url()?, Environment::Development)
        .with_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/generated/migrations"))?;
    for name in migrator.run(|_| ()).await? {
        println!("applied {name}");
    }
    let mut conn = database.connect().await?;
    let db = database.open(2).await?;
    for seeded in [seed(&mut conn, "a").await?, seed(&mut conn, "b").await?] {
        let scope = WorkspaceScope::unchecked(seeded.workspace, "an example");
        let mut ws = db.workspace(&scope).await?;
        let tag = NewDocumentTag::new(seeded.document, "urgent".to_owned());
        document_tags::table.in_workspace(&ws).insert(&tag).execute(&mut ws).await?;
        let later = DocumentTagChanges { tag: Some("later".to_owned()), ..DocumentTagChanges::default() };
        document_tags::table.in_workspace(&ws).find(tag.id).update().set(&later).execute(&mut ws).await?;
        let look = Embedding::try_from([0.5; DIMENSIONS])?;
        let words = TextArray::from_iter(["cat"]);
        let picture = NewPicture::new(DocumentStatus::Ready, look, words, serde_json::json!({}), 640);
        pictures::table.in_workspace(&ws).insert(&picture).execute(&mut ws).await?;
        let changes = PictureChanges { width: Some(320), ..PictureChanges::default() };
        pictures::table.in_workspace(&ws).find(picture.id).update().set(&changes).execute(&mut ws).await?;
        let caption = NewCaption::new(picture.id, "A cat.".to_owned());
        captions::table.in_workspace(&ws).insert(&caption).execute(&mut ws).await?;
        let author = CaptionChanges { author: Some(Some(seeded.admin_user)), ..CaptionChanges::default() };
        captions::table.in_workspace(&ws).find(caption.id).update().set(&author).execute(&mut ws).await?;
        let found: Vec<(Caption, Picture)> = captions::table
            .in_workspace(&ws)
            .inner_join(pictures::table)
            .select((Caption::as_select(), Picture::as_select()))
            .load(&mut ws)
            .await?;
        let tagged: Vec<(String, DocumentTag)> = documents::table
            .in_workspace(&ws)
            .inner_join(document_tags::table)
            .select((documents::title, DocumentTag::as_select()))
            .load(&mut ws)
            .await?;
        for ((caption, picture), (title, tag)) in found.iter().zip(&tagged) {
            println!(
                "{:?} below a picture of {} pixels; {title:?} is tagged {:?}",
                caption.text, picture.width, tag.tag
            );
        }
        assert_eq!((found.len(), tagged.len()), (1, 1));
        review(&mut ws, picture.id).await?;
        form_a_team(&mut ws).await?;
    }
    let tables: Vec<&str> = OURS.iter().chain(TENANT_TABLES).copied().collect();
    assert_eq!(conformance::violations(&database.config()?, &tables).await?, []);
    println!("{} tables keep workspaces apart", tables.len());
    Ok(())
}

/// Two keys to one table and a key to the own table are joined by their aliases.
async fn review(ws: &mut WorkspaceConnection, picture: PictureId) -> Result<()> {
    let verdicts = vec![Some(Verdict::After)];
    let first = NewReview::new(picture, picture, Verdict::Before, verdicts, "quick".to_owned(), 1);
    let answer = NewReview { id: ReviewId::generate(), parent_id: Some(first.id), ..first.clone() };
    reviews::table.in_workspace(&ws).insert(&vec![first.clone(), answer.clone()]).execute(ws).await?;
    let changes = ReviewChanges { urgency: Some(Some(Urgency::VeryHigh)), ..ReviewChanges::default() };
    reviews::table.in_workspace(&ws).find(first.id).update().set(&changes).execute(ws).await?;
    let urgent: Vec<(i32, i32, Option<Urgency>)> = reviews::table
        .in_workspace(&ws)
        .inner_join(review_before)
        .inner_join(review_after)
        .inner_join(review_parent)
        .select((
            review_before.field(pictures::width),
            review_after.field(pictures::width),
            review_parent.field(reviews::urgency),
        ))
        .load(ws)
        .await?;
    assert_eq!(urgent, [(320, 320, Some(Urgency::VeryHigh))]);
    // The column with the signs of a vector is not in the model, so the query names the model's columns.
    let all = reviews::table.in_workspace(&ws).select(Review::as_select());
    let page = all.load_page::<Review, _, _>(ws, reviews::created_at, None, 1).await?;
    assert!(page.next.is_some());
    Ok(())
}

/// Tables that refer to each other.
async fn form_a_team(ws: &mut WorkspaceConnection) -> Result<()> {
    let team = NewTeam::new("Blue".to_owned());
    let player = NewPlayer::new(team.id, "Ada".to_owned());
    teams::table.in_workspace(&ws).insert(&team).execute(ws).await?;
    players::table.in_workspace(&ws).insert(&player).execute(ws).await?;
    let lead = TeamChanges { lead_id: Some(Some(player.id)), ..TeamChanges::default() };
    teams::table.in_workspace(&ws).find(team.id).update().set(&lead).execute(ws).await?;
    let renamed = PlayerChanges { name: Some("Grace".to_owned()), ..PlayerChanges::default() };
    players::table.in_workspace(&ws).find(player.id).update().set(&renamed).execute(ws).await?;
    let leads: Vec<(Team, Player)> = teams::table
        .in_workspace(&ws)
        .inner_join(players::table)
        .select((Team::as_select(), Player::as_select()))
        .load(ws)
        .await?;
    let of: Vec<String> = players::table
        .in_workspace(&ws)
        .inner_join(player_team)
        .select(player_team.field(teams::name))
        .load(ws)
        .await?;
    assert_eq!((leads.len(), of), (1, vec!["Blue".to_owned()]));
    Ok(())
}
