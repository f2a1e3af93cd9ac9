//! Rules that hold for every table, asked of the live catalog. Each first makes sure that it has something to look at.

use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl;
use rstest::rstest;
use workspace_db::sql_types::all_labels;
use workspace_db::testing::TestDatabase;

#[derive(Debug, diesel::QueryableByName)]
struct Object {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    holds: bool,
}

async fn objects(query: &str) -> Vec<Object> {
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    diesel::sql_query(query).load(&mut conn).await.unwrap()
}

/// Tables whose rows belong to a workspace: those with a column `workspace_id`.
const TENANT_TABLES: &str = "SELECT c.oid, c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id'";

/// Each query names objects and says whether the rule holds; `least` is how many there must be for it to mean anything.
#[rstest]
#[case::every_table_has_a_comment(13, "SELECT relname AS name, obj_description(oid, 'pg_class') IS NOT NULL AS holds
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT LIKE '\\_\\_%'".to_owned())]
#[case::every_column_has_a_comment(140, "SELECT c.relname || '.' || a.attname AS name, col_description(c.oid, a.attnum) IS NOT NULL AS holds
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_\\_%'".to_owned())]
#[case::every_enum_has_a_comment(8, "SELECT typname::text AS name, obj_description(oid, 'pg_type') IS NOT NULL AS holds
    FROM pg_type WHERE typtype = 'e'".to_owned())]
#[case::every_tenant_tables_primary_key_begins_with_the_workspace(11, format!("SELECT t.relname::text AS name, EXISTS (
        SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.conrelid = t.oid AND k.contype = 'p' AND a.attname = 'workspace_id') AS holds
    FROM ({TENANT_TABLES}) t"))]
#[case::every_unique_key_of_a_tenant_table_has_the_workspace(15, format!("SELECT i.indexrelid::regclass::text AS name, EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'workspace_id' AND a.attnum = ANY (i.indkey::int2[])) AS holds
    FROM ({TENANT_TABLES}) t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique"))]
#[case::every_tenant_table_goes_with_its_workspace(11, format!("SELECT t.relname::text AS name, EXISTS (
        SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'f' AND k.confrelid = 'workspaces'::regclass
          AND k.confdeltype = 'c' AND cardinality(k.conkey) = 1) AS holds
    FROM ({TENANT_TABLES}) t WHERE t.relname <> 'audit_log'"))]
#[case::a_foreign_key_between_tenant_tables_carries_the_workspace(6, format!("SELECT k.conname::text AS name, EXISTS (
        SELECT FROM generate_subscripts(k.conkey, 1) AS n
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[n] AND a.attname = 'workspace_id'
          JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[n] AND f.attname = 'workspace_id') AS holds
    FROM ({TENANT_TABLES}) t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
    WHERE k.confrelid IN (SELECT oid FROM ({TENANT_TABLES}) u)"))]
#[case::set_null_never_nulls_the_workspace(2, format!("SELECT k.conname::text AS name, NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = 'workspace_id'
          AND a.attnum = ANY (coalesce(k.confdelsetcols, k.conkey))) AS holds
    FROM ({TENANT_TABLES}) t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' AND k.confdeltype = 'n'"))]
#[case::every_foreign_key_is_the_beginning_of_an_index(19, "SELECT k.conname::text AS name, EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
          AND (SELECT array_agg(c ORDER BY c) FROM unnest(k.conkey) c)
            = (SELECT array_agg(c ORDER BY c) FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) c)) AS holds
    FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace".to_owned())]
#[case::every_constraint_is_named_after_its_table(40, "SELECT k.conname::text AS name, starts_with(k.conname, c.relname || '_') AS holds
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.connamespace = 'public'::regnamespace AND k.contype <> 'n' AND c.relname NOT LIKE '\\_\\_%'".to_owned())]
#[case::every_index_is_valid(25, "SELECT indexrelid::regclass::text AS name, indisvalid AS holds FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace".to_owned())]
#[case::ids_have_a_default_that_needs_no_extension(12, "SELECT attrelid::regclass::text AS name, pg_get_expr(adbin, adrelid) = 'gen_random_uuid()' AS holds
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attname = 'id' AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace".to_owned())]
#[case::no_trigger_is_needed(11, format!("SELECT t.relname::text AS name, NOT EXISTS (
        SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal) AS holds FROM ({TENANT_TABLES}) t"))]
#[tokio::test]
async fn the_catalog_obeys(#[case] least: usize, #[case] query: String) {
    let found = objects(&query).await;
    assert!(found.len() >= least, "only {} objects to look at, at least {least} were expected", found.len());
    let offenders: Vec<_> = found.iter().filter(|object| !object.holds).map(|object| &object.name).collect();
    assert!(offenders.is_empty(), "the rule does not hold for {offenders:?}");
}

/// The whole contract in one text: tables, columns, types, NOT NULL and defaults.
#[tokio::test]
async fn columns_and_defaults_are_those_of_the_contract() {
    let found = objects(
        "SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attnotnull THEN '!' ELSE '' END
            || coalesce(' = ' || pg_get_expr(d.adbin, d.adrelid), '') AS name, true AS holds
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_\\_%'
         ORDER BY c.relname, a.attnum",
    )
    .await;
    let found: Vec<_> = found.into_iter().map(|object| object.name).collect();
    let expected: Vec<_> = include_str!("contract.txt").lines().collect();
    let missing: Vec<_> = expected.iter().filter(|line| !found.iter().any(|f| f == *line)).collect();
    let surplus: Vec<_> = found.iter().filter(|line| !expected.contains(&line.as_str())).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
}

#[tokio::test]
async fn the_enums_labels_are_those_of_the_database() {
    let found = objects(
        "SELECT t.typname || ':' || string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) AS name, true AS holds
         FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname ORDER BY t.typname",
    )
    .await;
    let found: Vec<_> = found.into_iter().map(|object| object.name).collect();
    let mut ours: Vec<_> =
        all_labels().into_iter().map(|(name, labels)| format!("{name}:{}", labels.join(","))).collect();
    ours.sort();
    assert!(!found.is_empty());
    assert_eq!(found, ours);
}
