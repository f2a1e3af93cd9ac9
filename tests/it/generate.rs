//! `migrate generate` and `migrate check`, as a new user walks through them.

use std::fs;
use std::path::Path;
use std::process::Command;

use workspace_db_testing::TestDatabase;

use crate::cli::Shell;
use crate::folder::Folder;
use crate::skipped;

/// The crate that the walk ends with; `cargo run --example generated` proves that it keeps workspaces apart.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/generated");

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// A shell whose database belongs to the test.
fn shell(database: &TestDatabase) -> Shell {
    Shell::new()
        .with("DATABASE_URL", database.url().unwrap().expose().to_owned())
        .with("DATABASE_APP_URL", database.app_url().unwrap().expose().to_owned())
        .with("DATABASE_PLATFORM_URL", database.platform_url().unwrap().expose().to_owned())
}

/// What somebody writes by hand, one table after the other.
const WRITTEN: [(&str, &str, &[&str]); 3] = [
    (
        "create_document_tags",
        "diesel::table! {
    /// Words that a workspace puts on its documents.
    document_tags (workspace_id, id) {
        id -> Uuid,
        workspace_id -> Uuid,
        document_id -> Uuid,
        /// The word, in lower case.
        tag -> Text,
        created_at -> Timestamptz,
    }
}
",
        &["--unique", "document_id,tag"],
    ),
    (
        "create_pictures",
        "diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;

    /// Pictures that visitors send, and what they look like.
    pictures (workspace_id, id) {
        id -> Uuid,
        workspace_id -> Uuid,
        /// The talk in which it came, if it is kept.
        conversation_id -> Nullable<Uuid>,
        status -> DocumentStatus,
        /// What it shows, as an embedding of 1536 dimensions.
        look -> Vector,
        words -> Array<Nullable<Text>>,
        metadata -> Jsonb,
        /// Width in pixels.
        width -> Int4,
        /// Day on which it was taken, where the picture says so.
        taken_on -> Nullable<Date>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}
",
        &[],
    ),
    (
        "create_captions",
        "diesel::table! {
    /// What people write below a picture.
    captions (workspace_id, id) {
        id -> Uuid,
        workspace_id -> Uuid,
        picture_id -> Uuid,
        /// Who wrote it, while the account is there.
        author -> Nullable<Uuid>,
        text -> Text,
        created_at -> Timestamptz,
    }
}
",
        &["--references", "author=admin_users"],
    ),
];

/// The text, or its words alone for whoever can't run rustfmt, as the account of another: then lines break elsewhere.
fn comparable(text: String) -> String {
    if Command::new("rustfmt").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return text;
    }
    text.split_whitespace().collect::<String>().replace(",}", "}").replace(",)", ")")
}

/// Three tables, from `schema.rs` to a check that passes, without a line of SQL by hand; what comes out is the example, byte for byte.
#[tokio::test]
async fn three_tables_are_generated_as_the_example_has_them() {
    let database = TestDatabase::new().await.unwrap();
    let shell = shell(&database);
    let folder = Folder::new();
    let root = folder.path().to_str().unwrap().to_owned();
    let migrations = format!("{root}/migrations");
    let diesel_toml = text(format!("{EXAMPLE}/diesel.toml"));
    let (settings, _) = diesel_toml.split_once("filter = ").unwrap();
    folder.write("diesel.toml", format!("{settings}filter = {{ only_tables = [] }}\n"));
    let mut schema = String::new();
    for (name, table, options) in WRITTEN {
        schema.push_str(table);
        folder.write("src/schema.rs", &schema);
        let arguments =
            [&["migrate", "generate", name, "--crate-folder", &root, "--migrations", &migrations], options].concat();
        fs::create_dir_all(&migrations).unwrap();
        let said = shell.succeed(&arguments);
        assert!(said.contains(&format!("_{name}/up.sql")) && said.contains("wrote    src/registry.rs"), "{said}");
        let applied = shell.json(&["migrate", "run", "--migrations", &migrations]);
        assert!(applied["applied"][0].as_str().unwrap().ends_with(name), "{applied}");
    }
    // `diesel print-schema` prints these tables, and none of the library.
    assert_eq!(text(folder.path().join("diesel.toml")), diesel_toml);
    let checked = shell.json(&["migrate", "check", "--crate-folder", &root, "--migrations", &migrations]);
    assert_eq!(checked["status"], "pass", "{checked:#}");
    assert!(checked["files"].as_array().unwrap().len() >= 13 && checked["database"].as_array().unwrap().len() >= 13);
    for file in ["registry.rs", "models/mod.rs", "models/captions.rs", "models/document_tags.rs", "models/pictures.rs"]
    {
        let (made, expected) = (text(folder.path().join("src").join(file)), text(format!("{EXAMPLE}/src/{file}")));
        assert_eq!(comparable(made), comparable(expected), "examples/generated/src/{file} is another");
    }
    let mut made: Vec<_> = fs::read_dir(&migrations).unwrap().map(|entry| entry.unwrap().path()).collect();
    made.sort();
    let mut expected: Vec<_> =
        fs::read_dir(format!("{EXAMPLE}/migrations")).unwrap().map(|entry| entry.unwrap().path()).collect();
    expected.sort();
    assert_eq!((made.len(), expected.len()), (3, 3));
    for (made, expected) in made.iter().zip(&expected) {
        for file in ["up.sql", "down.sql"] {
            assert_eq!(
                text(made.join(file)),
                text(expected.join(file)),
                "{} is another",
                expected.join(file).display()
            );
        }
    }
    let reverted = shell.json(&["migrate", "revert", "-n", "3", "--yes", "--migrations", &migrations]);
    assert_eq!(reverted["reverted"].as_array().unwrap().len(), 3);
}

/// In this repository what is generated goes where the others of its kind are.
#[tokio::test]
async fn a_table_of_this_repository_is_registered_among_the_others() {
    let database = TestDatabase::new().await.unwrap();
    let shell = shell(&database);
    let root = crate::repository();
    let folder = Folder::new();
    for file in ["Cargo.toml", "diesel.toml", "src/id.rs", "src/tenancy/registry.rs", "src/models/mod.rs"] {
        folder.write(file, text(root.join(file)));
    }
    folder.write("src/schema.rs", text(root.join("src/schema.rs")) + WRITTEN[0].1);
    shell.succeed(&["migrate", "generate", "create_document_tags", "--crate-folder", folder.path().to_str().unwrap()]);
    let made = |file: &str| text(folder.path().join(file));
    let registry = made("src/tenancy/registry.rs");
    for part in [
        "\n    document_chunks: DocumentChunkId,\n    document_tags: DocumentTagId,\n    documents: DocumentId,\n",
        "\n    document_tags.document_id => documents;\n",
        " DocumentTagId,",
        " document_tags,",
    ] {
        assert!(registry.contains(part), "{part:?} is not in {registry}");
    }
    assert!(made("src/id.rs").contains("    pub DocumentTagId, \"a document tag\";\n}"));
    let models = made("src/models/mod.rs");
    assert!(models.contains("mod document_chunks;\nmod document_tags;\nmod documents;\n"), "{models}");
    assert!(
        models.contains("pub use self::document_tags::{DocumentTag, DocumentTagChanges, NewDocumentTag};"),
        "{models}"
    );
    let model = made("src/models/document_tags.rs");
    assert!(
        model.contains("use crate::id::{DocumentId, DocumentTagId, WorkspaceId};")
            && model.contains("crate::tenant_rows! {"),
        "{model}"
    );
}

/// What a table may lack, how it comes to lack it, and what is said.
#[tokio::test]
async fn a_table_that_lacks_something_is_found_in_the_files_and_in_the_database() {
    let database = TestDatabase::new().await.unwrap();
    let shell = shell(&database);
    let whole = text(format!("{EXAMPLE}/migrations/{}/up.sql", newest_first()[1]));
    let lacking = [
        ("SELECT workspace_db_isolate('pictures');", "", "policies", "pictures: does not have row-level security"),
        (
            "PRIMARY KEY (workspace_id, id)",
            "PRIMARY KEY (id)",
            "keys",
            "pictures: has no primary key that begins with workspace_id",
        ),
        (
            "FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id)",
            "FOREIGN KEY (conversation_id) REFERENCES conversations (id)",
            "",
            "",
        ),
        (
            "CREATE INDEX pictures_conversation_id_idx ON pictures (workspace_id, conversation_id);",
            "",
            "missing_indexes",
            "pictures_conversation_id_fkey",
        ),
        (
            "CREATE INDEX pictures_look_bits_idx ON pictures (workspace_id, id) INCLUDE (look_bits);",
            "",
            "vector_columns",
            "pictures.look",
        ),
        ("COMMENT ON COLUMN pictures.width IS 'Width in pixels.';", "", "comments", "pictures.width"),
    ];
    for (line, instead, check, said) in lacking {
        assert!(whole.contains(line), "{line:?} is not in the example");
        let folder = Folder::new();
        folder.write("migrations/2999-01-01-000000_create_pictures/up.sql", whole.replace(line, instead));
        folder.write("migrations/2999-01-01-000000_create_pictures/down.sql", "DROP TABLE pictures;");
        folder.write("src/registry.rs", "\nworkspace_db::tenant_tables! {\n    pictures: PictureId,\n}\n");
        folder.write("src/models/pictures.rs", "");
        let root = folder.path().to_str().unwrap().to_owned();
        let migrations = format!("{root}/migrations");
        let arguments = ["migrate", "check", "--crate-folder", &root, "--migrations", &migrations];
        if check.is_empty() {
            // Such a key finds nothing to refer to: no table of this library has the id alone as a key.
            let error = shell.fails(&arguments, 1);
            assert!(error.contains("create_pictures, line 1 of up.sql"), "{error}");
            continue;
        }
        let in_files = shell.run(&[&arguments[..], &["--files"]].concat()).out;
        assert!(in_files.contains(said) && in_files.contains(&format!("files     {check}")), "{in_files}");
        shell.succeed(&["migrate", "run", "--migrations", &migrations]);
        let in_both = shell.run(&arguments).out;
        assert!(in_both.contains(&format!("database  {check}")) && in_both.matches(said).count() >= 2, "{in_both}");
        shell.succeed(&["migrate", "revert", "--yes", "--migrations", &migrations]);
    }
    // Registered nowhere, and without a model.
    let folder = Folder::new();
    folder.write("migrations/2999-01-01-000000_create_pictures/up.sql", &whole);
    folder.write("migrations/2999-01-01-000000_create_pictures/down.sql", "DROP TABLE pictures;");
    let root = folder.path().to_str().unwrap().to_owned();
    let migrations = format!("{root}/migrations");
    let arguments = ["migrate", "check", "--files", "--crate-folder", &root, "--migrations", &migrations];
    assert!(shell.run(&arguments).out.contains("pictures: has a workspace_id column but is not registered"));
    folder.write("src/registry.rs", "\nworkspace_db::tenant_tables! {\n    pictures: PictureId,\n}\n");
    let said = shell.run(&arguments);
    assert_eq!(said.code, 10, "{}", said.out);
    assert!(said.out.contains("pictures has no src/models/pictures.rs"), "{}", said.out);
}

fn newest_first() -> Vec<String> {
    let entries = fs::read_dir(format!("{EXAMPLE}/migrations")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_by(|a, b| b.cmp(a));
    names
}

#[tokio::test]
async fn what_can_not_be_generated_is_told_and_nothing_is_written() {
    let database = TestDatabase::new().await.unwrap();
    let shell = shell(&database);
    for (table, options, said) in [
        (
            "t (id, workspace_id) { id -> Uuid, workspace_id -> Uuid, }",
            &[][..],
            "needs the primary key (workspace_id, id)",
        ),
        ("t (workspace_id, id) { id -> Int4, workspace_id -> Uuid, }", &[][..], "needs the column id -> Uuid"),
        (
            "t (workspace_id, id) { id -> Uuid, workspace_id -> Uuid, price -> Numeric, }",
            &[][..],
            "t.price in src/schema.rs is Numeric",
        ),
        (
            "t (workspace_id, id) { id -> Uuid, workspace_id -> Uuid, of -> Uuid, }",
            &["--references", "of=nowhere"][..],
            "t.of can't reference nowhere",
        ),
        (
            "t (workspace_id, id) { id -> Uuid, workspace_id -> Uuid, tag -> Text, }",
            &["--unique", "tga"][..],
            "no new table in src/schema.rs has tga",
        ),
    ] {
        let folder = Folder::new();
        folder.write("diesel.toml", text(format!("{EXAMPLE}/diesel.toml")));
        folder.write("src/schema.rs", format!("diesel::table! {{ {table} }}\n"));
        let root = folder.path().to_str().unwrap();
        let error = shell.fails(&[&["migrate", "generate", "create_t", "--crate-folder", root], options].concat(), 2);
        assert!(error.contains(said), "{error}");
        assert!(!folder.path().join("src/registry.rs").exists() && !folder.path().join("migrations").exists());
    }
    let folder = Folder::new();
    let root = folder.path().to_str().unwrap();
    assert!(
        shell
            .fails(&["migrate", "generate", "Create T", "--crate-folder", root], 2)
            .contains("is not a valid migration name")
    );
    assert!(
        shell.fails(&["migrate", "generate", "create_t", "--crate-folder", root], 1).contains("diesel print-schema")
    );
    shell.succeed(&["migrate", "revert", "--yes"]);
    assert!(
        shell.fails(&["migrate", "generate", "create_t", "--crate-folder", root], 1).contains("migrate run` first")
    );
}

/// The stock command line takes every enum for another column, and would drop it with all that is in it.
#[tokio::test]
async fn a_new_column_is_found_by_the_diesel_command_line_and_no_enum_is_dropped() {
    let Some(diesel) = std::env::var_os("WORKSPACE_DB_TEST_DIESEL") else {
        skipped("a new column: WORKSPACE_DB_TEST_DIESEL names no Diesel CLI");
        return;
    };
    let database = TestDatabase::new().await.unwrap();
    let path = format!("{}:{}", Path::new(&diesel).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let shell = shell(&database).with("PATH", path);
    let folder = Folder::new();
    folder.write("diesel.toml", text(concat!(env!("CARGO_MANIFEST_DIR"), "/../../diesel.toml")));
    let schema = text(concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/schema.rs"));
    let column = "documents (workspace_id, id) {\n";
    assert!(schema.contains(column));
    folder.write(
        "src/schema.rs",
        schema.replace(
            column,
            &format!("{column}        reviewed_at -> Nullable<Timestamptz>,\n        kind -> Nullable<JobStatus>,\n"),
        ),
    );
    folder.write("Cargo.toml", "[package]\nname = \"workspace-db\"\n");
    let said =
        shell.json(&["migrate", "generate", "review_documents", "--crate-folder", folder.path().to_str().unwrap()]);
    assert_eq!(said["skipped"], serde_json::json!([]), "{said:#}");
    let migration = Path::new(said["migration"].as_str().unwrap()).to_owned();
    let up = text(migration.join("up.sql"));
    assert_eq!(
        up,
        "ALTER TABLE \"documents\" ADD COLUMN \"reviewed_at\" TIMESTAMPTZ;\n\nALTER TABLE \"documents\" ADD COLUMN \"kind\" job_status;\n"
    );
    let down = text(migration.join("down.sql"));
    assert_eq!(
        down,
        "ALTER TABLE \"documents\" DROP COLUMN \"reviewed_at\";\n\nALTER TABLE \"documents\" DROP COLUMN \"kind\";\n"
    );
    shell.succeed(&["migrate", "run", "--migrations", folder.path().join("migrations").to_str().unwrap()]);
}

#[tokio::test]
async fn a_changed_function_becomes_a_migration() {
    let database = TestDatabase::new().await.unwrap();
    let shell = shell(&database);
    let functions = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql/functions");
    let folder = Folder::new();
    let root = folder.path().to_str().unwrap().to_owned();
    let generate = |functions: &str| {
        ["migrate", "generate", "change_functions", "--crate-folder", &root, "--functions", functions]
            .map(str::to_owned)
    };
    let same = generate(functions);
    let said = shell.fails(&same.each_ref().map(String::as_str), 1);
    assert!(said.contains("matches the database") && said.contains("matching_chunks.sql"), "{said}");

    let triggers = text(format!("{functions}/transfer/enable_triggers.sql"));
    folder.write("functions/transfer/enable_triggers.sql", triggers.replace("tgenabled = 'D'", "tgenabled = 'R'"));
    folder.write("functions/added.sql", "CREATE OR REPLACE FUNCTION added(a int) RETURNS int LANGUAGE sql RETURN a;");
    let changed = generate(&format!("{root}/functions"));
    let said = shell.json(&changed.each_ref().map(String::as_str));
    let migration = Path::new(said["migration"].as_str().unwrap()).to_owned();
    let (up, down) = (text(migration.join("up.sql")), text(migration.join("down.sql")));
    assert!(up.contains("FUNCTION added") && up.contains("tgenabled = 'R'"), "{up}");
    assert!(down.contains("DROP FUNCTION added(integer);") && down.contains("tgenabled = 'D'"), "{down}");
    let migrations = format!("{root}/migrations");
    shell.succeed(&["migrate", "run", "--migrations", &migrations]);
    assert!(shell.run(&["migrate", "status"]).out.contains("workspace_db_enable_triggers"));
    shell.succeed(&["migrate", "revert", "--yes", "--migrations", &migrations]);
    assert!(
        !shell.run(&["migrate", "status"]).out.contains("workspace_db_enable_triggers"),
        "down.sql did not bring it back"
    );
}
