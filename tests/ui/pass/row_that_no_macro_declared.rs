use diesel::prelude::*;
use workspace_db::schema::*;

#[derive(Insertable)]
#[diesel(table_name = documents)]
struct Titled {
    title: &'static str,
}

#[derive(AsChangeset)]
#[diesel(table_name = documents)]
struct Retitled {
    title: &'static str,
}

workspace_db::tenant_rows! {
    documents: Titled, Retitled;
}

pub fn main() {
    let _ = (Titled { title: "a" }, Retitled { title: "b" });
}
