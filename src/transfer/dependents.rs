//! Rows that depend on a workspace, or on a person's rows in it, in tables that no archive contains. These tables are in
//! other schemas, or have no `workspace_id` and refer to a table that has one.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::GenericClient;

use super::content::PEOPLE;
use super::layout::Layout;
use super::selection::Selection;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;

/// Table with the condition of its rows that depend on the selected rows.
pub(super) struct DependentTable {
    /// Name with its schema, quoted for SQL.
    pub(super) name: String,
    /// Foreign keys or column by which the rows depend.
    by: String,
    condition: String,
    /// Number of these rows.
    pub(super) rows: u64,
    /// True if the rows are deleted together with the rows that they depend on.
    is_cascading: bool,
}

const KEYS: &str = "
SELECT format('%I.%I', cn.nspname, child.relname), format('%I.%I', pn.nspname, parent.relname), f.conname::text, f.confdeltype::text,
    (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(f.conkey) WITH ORDINALITY AS u (attnum, n)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.attnum),
    (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(f.confkey) WITH ORDINALITY AS u (attnum, n)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.attnum)
FROM pg_constraint f
JOIN pg_class child ON child.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = child.relnamespace
JOIN pg_class parent ON parent.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = parent.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0 ORDER BY 1, 3";

/// Query for the tables of the schema and their names in SQL.
const NAMES: &str = "
SELECT c.relname::text, format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.oid = current_schema()::regnamespace";

/// Query for tables of other schemas that have a `workspace_id`.
const SCOPED: &str = "
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped AND a.atttypid = 'uuid'::regtype
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.oid <> current_schema()::regnamespace
    AND n.nspname NOT LIKE 'workspace\\_db\\_%' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1";

impl DependentTable {
    /// Finds all tables with rows that depend on the selected rows, and counts these rows.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if the platform login may not read such a table, or not all of its rows.
    pub(super) async fn of(
        client: &impl GenericClient,
        layout: &Layout,
        selection: Selection,
        workspace: WorkspaceId,
    ) -> Result<Vec<Self>> {
        let ArchivedTables { names: carried, mut meant } =
            ArchivedTables::of(client, layout, selection, workspace).await?;
        for name in carried.iter().filter(|name| meant.contains_key(*name)) {
            reject_hidden(client, name).await?;
        }
        let keys = client.query(KEYS, &[]).await?;
        let mut found: Vec<Self> = Vec::new();
        // Tables with a `workspace_id` of their own, which selects their rows whatever they refer to.
        let mut scoped: BTreeSet<String> = BTreeSet::new();
        if selection == Selection::Workspace {
            for row in client.query(SCOPED, &[]).await? {
                let name: String = row.get(0);
                let is_cascading = keys.iter().any(|key| {
                    let (child, parent, columns): (&str, &str, &str) = (key.get(0), key.get(1), key.get(4));
                    child == name
                        && meant.contains_key(parent)
                        && columns == "workspace_id"
                        && key.get::<_, &str>(3) == "c"
                });
                let condition = format!("workspace_id = '{workspace}'::uuid");
                meant.insert(name.clone(), condition.clone());
                scoped.insert(name.clone());
                found.push(Self { name, by: "its column workspace_id".to_owned(), condition, rows: 0, is_cascading });
            }
        }
        let mut followed: BTreeSet<(String, String)> = BTreeSet::new();
        loop {
            let known = followed.len();
            for key in &keys {
                let (child, parent, by): (String, String, String) = (key.get(0), key.get(1), key.get(2));
                let is_known = carried.contains(&child) || scoped.contains(&child) || child == parent;
                let Some(rows) = meant.get(&parent).filter(|_| !is_known) else { continue };
                if !followed.insert((child.clone(), by.clone())) {
                    continue;
                }
                let (columns, of): (String, String) = (key.get(4), key.get(5));
                let condition = format!("({columns}) IN (SELECT {of} FROM {parent} WHERE {rows})");
                let goes_along = found.iter().filter(|one| one.name == parent).all(|one| one.is_cascading);
                let is_cascading = goes_along && key.get::<_, &str>(3) == "c";
                match found.iter_mut().find(|one| one.name == child) {
                    None => found.push(Self { name: child.clone(), by, condition, rows: 0, is_cascading }),
                    // By another foreign key, other rows may depend on the workspace.
                    Some(one) => {
                        one.by = format!("{}, {by}", one.by);
                        one.condition = format!("{} OR {condition}", one.condition);
                        one.is_cascading &= is_cascading;
                    }
                }
                let condition = found.iter().find(|one| one.name == child).map(|one| one.condition.clone());
                meant.extend(condition.map(|condition| (child, condition)));
            }
            if followed.len() == known {
                break;
            }
        }
        for one in &mut found {
            one.rows = one.count(client).await?;
        }
        Ok(found)
    }

    async fn count(&self, client: &impl GenericClient) -> Result<u64> {
        let may = "SELECT has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
            FROM pg_class c WHERE c.oid = to_regclass($1)";
        let may = client.query_one(may, &[&self.name]).await.is_ok_and(|row| row.get(0));
        if !may {
            let what = format!(
                "{} depends on the workspace through {}, but the platform role may not read it",
                self.name, self.by
            );
            return Err(Error::new(ErrorKind::Conflict, what)
                .remedy(format!("GRANT SELECT ON {} TO workspace_platform, and USAGE on its schema", self.name)));
        }
        reject_hidden(client, &self.name).await?;
        let count = format!("SELECT count(*) FROM {} WHERE {}", self.name, self.condition);
        Ok(client.query_one(&count, &[]).await?.get::<_, i64>(0).unsigned_abs())
    }

    /// Returns an error if rows depend on the workspace that no archive would contain.
    pub(super) fn reject_unarchived(dependents: &[Self]) -> Result<()> {
        let remedy =
            "put the table into the schema of the other tables with a workspace_id column, or delete its rows first";
        refuse(dependents.iter().find(|one| one.rows > 0), "an archive can't contain such a table", remedy)
    }

    /// Returns an error if rows depend on the workspace that would not be deleted with it.
    pub(super) fn reject_unerased(dependents: &[Self]) -> Result<()> {
        let remedy = "delete them first, or make the foreign key ON DELETE CASCADE";
        let stays = dependents.iter().find(|one| one.rows > 0 && !one.is_cascading);
        refuse(stays, "would not be deleted with it", remedy)
    }
}

/// Tables that an archive contains.
struct ArchivedTables {
    /// Names with their schema, quoted for SQL.
    names: Vec<String>,
    /// Condition of a table's selected rows, if any are selected.
    meant: BTreeMap<String, String>,
}

impl ArchivedTables {
    async fn of(
        client: &impl GenericClient,
        layout: &Layout,
        selection: Selection,
        workspace: WorkspaceId,
    ) -> Result<Self> {
        let qualified: BTreeMap<String, String> =
            client.query(NAMES, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut carried = Self { names: Vec::new(), meant: BTreeMap::new() };
        for table in &layout.tables {
            let Some(name) = qualified.get(&table.name) else { continue };
            let condition = selection.condition(table, workspace).filter(|_| table.name != PEOPLE);
            carried.meant.extend(condition.map(|condition| (name.clone(), condition)));
            carried.names.push(name.clone());
        }
        Ok(carried)
    }
}

/// Rejects an erasure if other rows refer to the rows that it deletes. Such a row may be another person's comment. If the
/// key has no workspace, it may be a row of another workspace, which a cascade would delete.
pub(super) async fn reject_referenced(
    client: &impl GenericClient,
    layout: &Layout,
    selection: Selection,
    workspace: WorkspaceId,
) -> Result<()> {
    let ArchivedTables { names, meant } = ArchivedTables::of(client, layout, selection, workspace).await?;
    for key in client.query(KEYS, &[]).await? {
        let (child, parent, by, on_delete): (&str, &str, &str, &str) = (key.get(0), key.get(1), key.get(2), key.get(3));
        let (columns, of): (&str, &str) = (key.get(4), key.get(5));
        let Some(of_parent) = meant.get(parent).filter(|_| names.iter().any(|name| name == child)) else { continue };
        let is_within = selection == Selection::Workspace && columns.split(", ").any(|column| column == "workspace_id");
        // `SET NULL` and `SET DEFAULT` keep the row.
        if is_within || !["a", "r", "c"].contains(&on_delete) {
            continue;
        }
        let of_child = meant.get(child).map_or("false", String::as_str);
        let others = format!(
            "SELECT count(*) FROM {child} WHERE ({columns}) IN (SELECT {of} FROM {parent} WHERE {of_parent}) AND ({of_child}) IS NOT TRUE"
        );
        let rows = client.query_one(&others, &[]).await?.get::<_, i64>(0);
        if rows > 0 {
            let what = format!(
                "{rows} rows of {child} reference through {by} rows that would be deleted, but would not be deleted themselves"
            );
            return Err(Error::new(ErrorKind::Conflict, what).remedy(
                "delete them first, let them reference other rows, or make the foreign key ON DELETE SET NULL",
            ));
        }
    }
    Ok(())
}

/// Query that returns true if row-level security may hide rows of the table from the current role.
const HIDES: &str = "
SELECT row_security_active(c.oid) AND (
    NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', 'r')
        AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND EXISTS (SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role(r, 'USAGE')))
    OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd IN ('*', 'r')
        AND pg_get_expr(p.polqual, p.polrelid) <> 'true' AND EXISTS (SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role(r, 'USAGE'))))
FROM pg_class c WHERE c.oid = to_regclass($1)";

/// Returns an error if row-level security may hide rows. They would remain, and the receipt would say that none are left.
async fn reject_hidden(client: &impl GenericClient, name: &str) -> Result<()> {
    if !client.query_one(HIDES, &[&name]).await?.get::<_, bool>(0) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, format!("row-level security hides rows of {name} from the platform"))
        .remedy("add a policy TO workspace_platform USING (true), and remove policies AS RESTRICTIVE that hide them"))
}

fn refuse(table: Option<&DependentTable>, why: &str, remedy: &str) -> Result<()> {
    let Some(DependentTable { name, by, rows, .. }) = table else { return Ok(()) };
    let what = format!("{rows} rows of {name} depend on the workspace through {by}, and {why}");
    Err(Error::new(ErrorKind::Conflict, what).remedy(remedy))
}
