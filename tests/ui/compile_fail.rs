//! What must not compile does not, with an error that a user can read; its twin beside it does.
//!
//! A case is a file in `fail/`, named by the rule, with its `.stderr`; `pass/` holds the same code done right. The twins
//! are modules of this test, so that they are built with it: as cases of trybuild they would be linked one by one.

use std::io::Write as _;

macro_rules! twins {
    ($($name:ident = $path:literal,)+) => {
        $(#[path = $path] mod $name;)+

        #[test]
        fn every_case_has_a_twin_that_runs() {
            $($name::main();)+
            let mut cases: Vec<_> = std::fs::read_dir("fail")
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
                .collect();
            cases.sort();
            assert_eq!(cases, [$(stringify!($name)),+]);
        }
    };
}

twins! {
    administration_with_a_scope_that_writes = "pass/administration_with_a_scope_that_writes.rs",
    bits_and_vectors_do_not_mix = "pass/bits_and_vectors_do_not_mix.rs",
    boxed_subquery_in_an_assignment = "pass/boxed_subquery_in_an_assignment.rs",
    boxed_subquery_without_a_scope = "pass/boxed_subquery_without_a_scope.rs",
    bulk_insert_without_a_workspace = "pass/bulk_insert_without_a_workspace.rs",
    change_of_the_workspace = "pass/change_of_the_workspace.rs",
    changeset_that_touches_the_role = "pass/changeset_that_touches_the_role.rs",
    clear_text_is_no_secret = "pass/clear_text_is_no_secret.rs",
    column_of_a_table_that_is_not_joined = "pass/column_of_a_table_that_is_not_joined.rs",
    comparison_in_rust = "pass/comparison_in_rust.rs",
    distance_to_a_vector_of_another_length = "pass/distance_to_a_vector_of_another_length.rs",
    embedding_of_another_length = "pass/embedding_of_another_length.rs",
    execute_of_a_query = "pass/execute_of_a_query.rs",
    filter_after_the_set_of_an_update = "pass/filter_after_the_set_of_an_update.rs",
    filter_before_the_set_of_an_upsert = "pass/filter_before_the_set_of_an_upsert.rs",
    find_by_the_id_of_another_table = "pass/find_by_the_id_of_another_table.rs",
    find_in_a_table_without_ids = "pass/find_in_a_table_without_ids.rs",
    generated_column_is_not_inserted = "pass/generated_column_is_not_inserted.rs",
    global_table_in_a_workspace = "pass/global_table_in_a_workspace.rs",
    id_in_the_place_of_a_scope = "pass/id_in_the_place_of_a_scope.rs",
    id_of_another_table = "pass/id_of_another_table.rs",
    insert_into_another_table = "pass/insert_into_another_table.rs",
    insert_of_a_row_that_names_its_workspace = "pass/insert_of_a_row_that_names_its_workspace.rs",
    insert_select_with_the_workspace = "pass/insert_select_with_the_workspace.rs",
    join_with_a_condition_of_ones_own = "pass/join_with_a_condition_of_ones_own.rs",
    join_without_a_declared_relation = "pass/join_without_a_declared_relation.rs",
    load_through_a_shared_connection = "pass/load_through_a_shared_connection.rs",
    member_made_through_a_scope = "pass/member_made_through_a_scope.rs",
    operation_that_is_not_scoped = "pass/operation_that_is_not_scoped.rs",
    or_filter_that_escapes_the_scope = "pass/or_filter_that_escapes_the_scope.rs",
    page_by_a_column_of_a_left_join = "pass/page_by_a_column_of_a_left_join.rs",
    page_of_rows_without_a_key = "pass/page_of_rows_without_a_key.rs",
    privileged_parts_of_the_library = "pass/privileged_parts_of_the_library.rs",
    query_without_a_scope = "pass/query_without_a_scope.rs",
    query_without_a_scope_or_async = "pass/query_without_a_scope_or_async.rs",
    raw_sql_on_a_workspace_connection = "pass/raw_sql_on_a_workspace_connection.rs",
    relation_of_ones_own = "pass/relation_of_ones_own.rs",
    row_that_no_macro_declared = "pass/row_that_no_macro_declared.rs",
    rows_that_do_not_fit = "pass/rows_that_do_not_fit.rs",
    scope_after_a_filter = "pass/scope_after_a_filter.rs",
    scope_made_of_an_id = "pass/scope_made_of_an_id.rs",
    set_without_update = "pass/set_without_update.rs",
    subquery_without_a_scope = "pass/subquery_without_a_scope.rs",
    text_in_the_place_of_an_id = "pass/text_in_the_place_of_an_id.rs",
    union_of_an_unscoped_query = "pass/union_of_an_unscoped_query.rs",
    update_by_primary_key_without_a_scope = "pass/update_by_primary_key_without_a_scope.rs",
    upsert_without_the_workspace_in_its_target = "pass/upsert_without_the_workspace_in_its_target.rs",
    write_with_a_scope_that_reads = "pass/write_with_a_scope_that_reads.rs",
}

/// Maximum length of a message, so that a user reads it to its end.
const LONGEST: usize = 2_000;

/// Cases with longer messages, and the reason.
const LONGER: [(&str, &str); 9] = [
    ("boxed_subquery_in_an_assignment", "the compiler lists the types between the statement and the box"),
    ("boxed_subquery_without_a_scope", "the compiler lists the types between the query and the box"),
    ("distance_to_a_vector_of_another_length", "the compiler lists Diesel's expressions"),
    ("page_by_a_column_of_a_left_join", "the message is Diesel's, about a column that can be NULL"),
    ("page_of_rows_without_a_key", "the compiler repeats a message about an `async fn` three times"),
    ("privileged_parts_of_the_library", "nine mistakes"),
    ("rows_that_do_not_fit", "the message is Diesel's"),
    ("subquery_without_a_scope", "Diesel's bound on a join fails too"),
    ("write_with_a_scope_that_reads", "three mistakes"),
];

#[test]
fn a_message_is_short() {
    let cases = std::fs::read_dir("fail").unwrap().map(|entry| entry.unwrap().path());
    let messages = cases.filter(|path| path.extension().is_some_and(|extension| extension == "stderr"));
    let mut longer: Vec<String> = messages
        .filter(|path| std::fs::read_to_string(path).unwrap().len() > LONGEST)
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    longer.sort();
    assert_eq!(longer, LONGER.map(|(case, _)| case));
}

/// The compiler whose words the `.stderr` files have.
const WORDED_BY: &str = "rustc 1.95.";

#[test]
fn what_breaks_a_rule_does_not_compile() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(WORDED_BY) {
        // Not by `eprintln`, which the test harness keeps to itself.
        let mut err = std::io::stderr();
        writeln!(err, "SKIPPED: the .stderr files are in the words of {WORDED_BY}x, this is {version}").unwrap();
        return;
    }
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
