use diesel::prelude::*;
use workspace_db::id::WorkspaceId;
use workspace_db::schema::*;
use workspace_db::tenancy::NewRows;

#[derive(Insertable)]
#[diesel(table_name = documents)]
struct Planted {
    workspace_id: WorkspaceId,
    title: &'static str,
}

struct Anywhere(WorkspaceId);

impl NewRows for Anywhere {
    type Table = documents::table;
    type InWorkspace = Planted;

    fn count(&self) -> usize {
        1
    }

    fn in_workspace(self, _: WorkspaceId) -> Planted {
        Planted { workspace_id: self.0, title: "planted" }
    }
}

fn main() {}
