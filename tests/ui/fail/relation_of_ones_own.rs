use diesel::prelude::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, JoinsTo, WorkspaceConnection};

struct Mine;

impl JoinsTo<documents::table, Mine> for (document_chunks::table, ()) {
    type On = diesel::dsl::Eq<documents::workspace_id, documents::workspace_id>;

    fn on() -> Self::On {
        documents::workspace_id.eq(documents::workspace_id)
    }
}

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<Vec<String>> {
    let chunks = document_chunks::table.in_workspace(&ws);
    chunks.inner_join::<_, Mine>(documents::table).select(documents::title).load(ws).await
}

fn main() {}
