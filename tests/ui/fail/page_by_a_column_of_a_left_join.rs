use workspace_db::id::DocumentId;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, ascending};

type Row = (DocumentId, String);

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let joined = documents::table.in_workspace(&ws).left_join(datasources::table);
    let order = (ascending(datasources::name), ascending(documents::id));
    let rows = joined.select((documents::id, documents::title));
    let page = rows.load_page_by(ws, order, None, 9, |row: &Row| (row.1.clone(), row.0)).await?;
    drop(page);
    Ok(())
}

fn main() {}
