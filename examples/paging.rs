//! Results that exceed a screen or the memory: pages by keyset, and a stream.
//!
//! `cargo run --example paging`

use futures_util::TryStreamExt as _;
use workspace_db::models::{AnalyticsEvent, NewAnalyticsEvent};
use workspace_db::schema::analytics_events;
use workspace_db::tenancy::{InWorkspace as _, PageKey, WorkspaceScope};
use workspace_db_testing::{TestDatabase, seed};

#[tokio::main]
async fn main() -> workspace_db::Result<()> {
    let database = TestDatabase::new().await?;
    let here = seed(&mut database.connect().await?, "here").await?;
    let db = database.open(2).await?;
    let scope = WorkspaceScope::unchecked(here.workspace, "an example");
    let mut ws = db.workspace(&scope).await?;
    let many: Vec<_> = (0..120).map(|_| NewAnalyticsEvent::new("page.viewed")).collect();
    analytics_events::table.in_workspace(&ws).insert(&many).execute(&mut ws).await?;

    let mut after: Option<PageKey> = None;
    loop {
        let page = analytics_events::table
            .in_workspace(&ws)
            .load_page::<AnalyticsEvent, _, _>(&mut ws, analytics_events::created_at, after, 50)
            .await?;
        println!("a page of {}", page.rows.len());
        // As text, the key can be part of a link, and is parsed from it.
        let Some(link) = page.next.map(|key| key.to_string()) else { break };
        after = Some(link.parse()?);
    }

    let mut events = analytics_events::table.in_workspace(&ws).load_stream::<AnalyticsEvent>(&mut ws).await?;
    let mut count = 0;
    while let Some(event) = events.try_next().await? {
        count += usize::from(event.event_type == "page.viewed");
    }
    println!("{count} came by stream");
    Ok(())
}
