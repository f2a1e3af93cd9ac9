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
    bits_and_vectors_do_not_mix = "pass/bits_and_vectors_do_not_mix.rs",
    clear_text_is_no_secret = "pass/clear_text_is_no_secret.rs",
    embedding_of_another_length = "pass/embedding_of_another_length.rs",
    generated_column_is_not_inserted = "pass/generated_column_is_not_inserted.rs",
    id_of_another_table = "pass/id_of_another_table.rs",
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
