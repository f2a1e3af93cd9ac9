//! `migrate generate` and `migrate check`, as a new user walks through them.

use std::fs;
use std::path::{Path, PathBuf};
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

fn text_or_empty(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Every file of a folder with its text.
fn contents(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut all: Vec<_> = crate::docs::files(folder, "").into_iter().map(|path| (path.clone(), text(path))).collect();
    all.sort();
    all
}

/// A shell whose database belongs to the test.
fn shell(database: &TestDatabase) -> Shell {
    Shell::new()
        .with("DATABASE_URL", database.url().unwrap().expose().to_owned())
        .with("DATABASE_APP_URL", database.app_url().unwrap().expose().to_owned())
        .with("DATABASE_PLATFORM_URL", database.platform_url().unwrap().expose().to_owned())
}

/// What somebody writes by hand, one table after the other.
const WRITTEN: [(&str, &str, &[&str]); 4] = [
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
    (
        "create_reviews",
        "diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    /// Reviews of two pictures, side by side.
    reviews (workspace_id, id) {
        id -> Uuid,
        workspace_id -> Uuid,
        /// The review that it answers.
        parent_id -> Nullable<Uuid>,
        before_id -> Uuid,
        after_id -> Uuid,
        verdict -> Verdict,
        urgency -> Nullable<Urgency>,
        verdicts -> Array<Nullable<Verdict>>,
        #[sql_name = \"type\"]
        type_ -> Text,
        order -> Int4,
        /// The text that it searches, as an embedding of 1536 dimensions.
        question -> Nullable<workspace_db::sql_types::Vector>,
        created_at -> Timestamptz,
    }
}
diesel::table! {
    /// Groups of people.
    teams (workspace_id, id) {
        id -> Uuid,
        workspace_id -> Uuid,
        lead_id -> Nullable<Uuid>,
        name -> Text,
    }
}
diesel::table! {
    /// People of a group.
    players (workspace_id, id) {
        id -> Uuid,
        workspace_id -> Uuid,
        team_id -> Uuid,
        name -> Text,
    }
}
",
        &["--references", "before_id=pictures", "--references", "after_id=pictures", "--references", "lead_id=players"],
    ),
];

/// An enum that the crate declares and the database lacks.
const SQL_TYPES: &str = "//! Enums of this crate.

workspace_db::pg_enums! {
    /// Result of a review.
    Verdict = \"verdict\" {
        /// The first picture is better.
        Before = \"before\",
        /// The second picture is better.
        After = \"after\",
    }
}
";

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
    folder.write("src/main.rs", "//! A program.\n\nfn main() {}\n");
    folder.write("src/sql_types.rs", SQL_TYPES);
    // An enum that the database has and the crate does not declare.
    let by_hand = "migrations/2026-11-26-220145_create_urgency";
    for file in ["up.sql", "down.sql"] {
        folder.write(&format!("{by_hand}/{file}"), text(format!("{EXAMPLE}/{by_hand}/{file}")));
    }
    shell.succeed(&["migrate", "run", "--migrations", &migrations]);
    for (name, table, options) in WRITTEN {
        let schema = text_or_empty(folder.path().join("src/schema.rs")) + table;
        folder.write("src/schema.rs", &schema);
        let arguments =
            [&["migrate", "generate", name, "--crate-folder", &root, "--migrations", &migrations], options].concat();
        fs::create_dir_all(&migrations).unwrap();
        let said = shell.succeed(&arguments);
        assert!(said.contains(&format!("_{name}/up.sql")) && said.contains("wrote    src/registry.rs"), "{said}");
        let before = contents(folder.path());
        let again = shell.succeed(&arguments[..arguments.len() - options.len() - 2]);
        assert!(again.contains("skipped  everything") && again.contains(&format!("{name} is pending")), "{again}");
        assert_eq!(contents(folder.path()), before, "a second run changed a file");
        let applied = shell.json(&["migrate", "run", "--migrations", &migrations]);
        assert!(applied["applied"][0].as_str().unwrap().ends_with(name), "{applied}");
    }
    // `diesel print-schema` prints these tables, and none of the library.
    assert_eq!(text(folder.path().join("diesel.toml")), diesel_toml);
    let checked = shell.json(&["migrate", "check", "--crate-folder", &root, "--migrations", &migrations]);
    assert_eq!(checked["status"], "pass", "{checked:#}");
    assert!(checked["files"].as_array().unwrap().len() >= 13 && checked["database"].as_array().unwrap().len() >= 13);
    let main = text(folder.path().join("src/main.rs"));
    assert_eq!(main, "//! A program.\n\nfn main() {}\n\nmod models;\nmod registry;\nmod schema;\nmod sql_types;\n");
    let schema = text(folder.path().join("src/schema.rs"));
    assert!(schema.contains("        look -> Vector,\n        /// Signs of the components of look, generated from it.\n        look_bits -> workspace_db::sql_types::Bit,\n"), "{schema}");
    assert!(schema.contains("        question_bits -> Nullable<workspace_db::sql_types::Bit>,\n"), "{schema}");
    for file in [
        "registry.rs",
        "sql_types.rs",
        "models/mod.rs",
        "models/captions.rs",
        "models/document_tags.rs",
        "models/pictures.rs",
        "models/players.rs",
        "models/reviews.rs",
        "models/teams.rs",
    ] {
        let (made, expected) = (text(folder.path().join("src").join(file)), text(format!("{EXAMPLE}/src/{file}")));
        assert_eq!(comparable(made), comparable(expected), "examples/generated/src/{file} is another");
    }
    let mut made: Vec<_> = fs::read_dir(&migrations).unwrap().map(|entry| entry.unwrap().path()).collect();
    made.sort();
    let mut expected: Vec<_> =
        fs::read_dir(format!("{EXAMPLE}/migrations")).unwrap().map(|entry| entry.unwrap().path()).collect();
    expected.sort();
    assert_eq!((made.len(), expected.len()), (5, 5));
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
    let reverted = shell.json(&["migrate", "revert", "-n", "5", "--yes", "--migrations", &migrations]);
    assert_eq!(reverted["reverted"].as_array().unwrap().len(), 5);
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
    let whole = text(format!("{EXAMPLE}/migrations/{}/up.sql", migration_of("pictures")));
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

/// Folder of the example's migration that creates an object.
fn migration_of(name: &str) -> String {
    let mut entries = fs::read_dir(format!("{EXAMPLE}/migrations")).unwrap();
    let is_it = |folder: &String| folder.ends_with(&format!("_create_{name}"));
    entries.find_map(|entry| entry.unwrap().file_name().into_string().ok().filter(is_it)).unwrap()
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
            "t (workspace_id, id) { id -> Uuid, workspace_id -> Uuid, kind -> Kind, }",
            &[][..],
            "`diesel print-schema` calls it LinkKind",
        ),
        (
            "#[sql_name = \"order\"] t (workspace_id, id) { id -> Uuid, workspace_id -> Uuid, }",
            &[][..],
            "order in src/schema.rs has another name in Rust",
        ),
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
        folder.write("src/kinds.rs", "workspace_db::pg_enums! { Kind = \"link_kind\" { A = \"a\" } }");
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

/// A crate with the table `document_tags`, which the database has.
struct WithTags {
    _database: TestDatabase,
    shell: Shell,
    folder: Folder,
}

impl WithTags {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let made = Self { shell: shell(&database), folder: Folder::new(), _database: database };
        let folder = &made.folder;
        folder.write("diesel.toml", text(format!("{EXAMPLE}/diesel.toml")));
        let name = migration_of("urgency");
        for file in ["up.sql", "down.sql"] {
            folder.write(&format!("migrations/{name}/{file}"), text(format!("{EXAMPLE}/migrations/{name}/{file}")));
        }
        folder.write("migrations/2998-12-31-235959_by_hand/up.sql", "SELECT 1;");
        folder.write("migrations/2998-12-31-235959_by_hand/down.sql", "SELECT 1;");
        made.migrate("run", &[]);
        folder.write("src/schema.rs", WRITTEN[0].1);
        made.generate("create_document_tags", &["--unique", "document_id,tag"]);
        made.migrate("run", &[]);
        made
    }

    /// Passes the arguments of an action on this crate to `run`.
    fn on_crate<R>(&self, action: &[&str], options: &[&str], run: impl FnOnce(&Shell, &[&str]) -> R) -> R {
        let root = self.folder.path().to_str().unwrap();
        let migrations = format!("{root}/migrations");
        let of_crate = ["--crate-folder", root, "--migrations", &migrations];
        run(&self.shell, &[&["migrate"], action, &of_crate, options].concat())
    }

    fn migrate(&self, action: &str, options: &[&str]) {
        let migrations = self.folder.path().join("migrations");
        self.shell.succeed(&[&["migrate", action, "--migrations", migrations.to_str().unwrap()], options].concat());
    }

    fn generate(&self, name: &str, options: &[&str]) -> serde_json::Value {
        self.on_crate(&["generate", name], options, Shell::json)
    }

    fn fails_to_generate(&self, name: &str, code: i32) -> String {
        self.on_crate(&["generate", name], &[], |shell, arguments| shell.fails(arguments, code))
    }
}

/// Columns of a table that exists: of a registered one, and a column of the user's on a table of this crate.
#[tokio::test]
async fn new_columns_have_their_comments_keys_and_checks() {
    let with_tags = WithTags::new().await;
    let folder = &with_tags.folder;
    let model = text(folder.path().join("src/models/document_tags.rs"));

    let columns = "        created_at -> Timestamptz,
        /// Who's to blame.
        author_id -> Nullable<Uuid>,
        /// The tag that it is below.
        parent_id -> Nullable<Uuid>,
        look -> Nullable<workspace_db::sql_types::Vector>,
        urgency -> Nullable<Urgency>,
";
    let documents = "diesel::table! {
    documents (workspace_id, id) {
        id -> Uuid,
        workspace_id -> Uuid,
        title -> Text,
        /// When somebody read it.
        reviewed_at -> Nullable<Timestamptz>,
    }
}
";
    let table = WRITTEN[0].1.replace("        created_at -> Timestamptz,\n", columns);
    folder.write("src/schema.rs", table + documents);
    let said = with_tags.generate("review_documents", &["--references", "author_id=admin_users"]);
    let skipped = said["skipped"].to_string();
    for part in [
        "add `pub author_id: Option<AdminUserId>`, `pub parent_id: Option<DocumentTagId>`, `pub look: Option<Embedding>`",
        "add `pub reviewed_at: Option<DateTime<Utc>>`",
    ] {
        assert!(skipped.contains(part), "{part} is not in {skipped}");
    }
    let migration = Path::new(said["migration"].as_str().unwrap()).to_owned();
    assert!(migration.ends_with("2999-01-01-000001_review_documents"), "{migration:?}");
    let up = text(migration.join("up.sql"));
    let expected = "ALTER TABLE document_tags
    ADD COLUMN author_id uuid,
    ADD COLUMN parent_id uuid,
    ADD COLUMN look vector(1536),
    ADD COLUMN look_bits bit(1536) GENERATED ALWAYS AS (binary_quantize(look)::bit(1536)) STORED,
    ADD COLUMN urgency urgency,
    ADD CONSTRAINT document_tags_author_id_fkey
        FOREIGN KEY (author_id) REFERENCES admin_users (id) ON DELETE SET NULL (author_id),
    ADD CONSTRAINT document_tags_parent_id_fkey
        FOREIGN KEY (workspace_id, parent_id) REFERENCES document_tags (workspace_id, id) ON DELETE SET NULL (parent_id),
    ADD CONSTRAINT document_tags_look_check CHECK (vector_norm(look) BETWEEN 1e-15 AND 1e15);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX document_tags_author_id_idx ON document_tags (author_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX document_tags_parent_id_idx ON document_tags (workspace_id, parent_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX document_tags_look_bits_idx ON document_tags (workspace_id, id) INCLUDE (look_bits);
COMMENT ON COLUMN document_tags.author_id IS 'Who''s to blame.';
COMMENT ON COLUMN document_tags.parent_id IS 'The tag that it is below.';
COMMENT ON COLUMN document_tags.look IS 'The look.';
COMMENT ON COLUMN document_tags.look_bits IS 'Signs of the components of look, generated from it.';
COMMENT ON COLUMN document_tags.urgency IS 'The urgency.';

ALTER TABLE documents
    ADD COLUMN reviewed_at timestamptz,
    ADD CONSTRAINT documents_reviewed_at_readable CHECK (workspace_db_is_readable(reviewed_at));
COMMENT ON COLUMN documents.reviewed_at IS 'When somebody read it.';
";
    assert_eq!(up.trim_end(), expected.trim_end());
    assert_eq!(text(folder.path().join("src/models/document_tags.rs")), model, "a model is the user's");
    let registry = text(folder.path().join("src/registry.rs"));
    assert!(registry.contains("\nuse workspace_db::schema::documents;\n"), "{registry}");
    assert!(text(folder.path().join("diesel.toml")).contains("\"documents\""));
    assert!(registry.contains("    document_tags.parent_id => document_tags as DocumentTagParent;\n"), "{registry}");
    assert!(text(folder.path().join("src/sql_types.rs")).contains("VeryHigh = \"very high\""));
    with_tags.migrate("run", &[]);
    let checked = with_tags.on_crate(&["check"], &[], Shell::json);
    assert_eq!(checked["status"], "pass", "{checked:#}");
    with_tags.migrate("revert", &["--yes"]);
    with_tags.migrate("run", &[]);
}

/// A column without a default: of the user's table with a note, and of ours not at all.
#[tokio::test]
async fn a_required_column_is_told_and_refused_on_our_tables() {
    let with_tags = WithTags::new().await;
    let folder = &with_tags.folder;
    let documents = "diesel::table! {\n    documents (workspace_id, id) {\n        id -> Uuid,\n        workspace_id -> Uuid,\n        title -> Text,\n    }\n}\n";
    let schema = text(folder.path().join("src/schema.rs")) + documents;
    let rank = |before: &str| schema.replace(before, &format!("{before}        rank -> Int4,\n"));
    folder.write("src/schema.rs", rank("        title -> Text,\n"));
    let error = with_tags.fails_to_generate("rank", 2);
    assert!(error.contains("documents.rank must be Nullable"), "{error}");
    folder.write("src/schema.rs", rank("        tag -> Text,\n"));
    let said = with_tags.generate("rank_tags", &[]);
    let up = text(Path::new(said["migration"].as_str().unwrap()).join("up.sql"));
    assert!(up.starts_with("-- Fails if the table has rows, because rank has no default.\n"), "{up}");
    let before = contents(folder.path());
    let again = with_tags.generate("rank_tags", &[]);
    assert!(again["skipped"][0].as_str().unwrap().contains("rank_tags is pending"), "{again:#}");
    assert_eq!(contents(folder.path()), before, "a second run changed a file");
    // Another column, which the pending migration does not add.
    let more = text(folder.path().join("src/schema.rs"))
        .replace("        rank -> Int4,\n", "        rank -> Int4,\n        more -> Nullable<Int4>,\n");
    folder.write("src/schema.rs", more);
    let error = with_tags.fails_to_generate("more", 1);
    assert!(error.contains("migrate run` first"), "{error}");
}

/// The stock command line takes every enum for another column, and would drop it with all that is in it.
#[tokio::test]
async fn a_dropped_column_is_found_by_the_diesel_command_line_and_no_enum_is_dropped() {
    let Some(diesel) = std::env::var_os("WORKSPACE_DB_TEST_DIESEL") else {
        skipped("a dropped column: WORKSPACE_DB_TEST_DIESEL names no Diesel CLI");
        return;
    };
    let database = TestDatabase::new().await.unwrap();
    let path = format!("{}:{}", Path::new(&diesel).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let shell = shell(&database).with("PATH", path);
    let folder = Folder::new();
    folder.write("diesel.toml", text(concat!(env!("CARGO_MANIFEST_DIR"), "/../../diesel.toml")));
    let schema = text(concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/schema.rs"));
    let column = "documents (workspace_id, id) {\n";
    let dropped = "        comment -> Nullable<Text>,\n";
    assert!(schema.contains(column) && schema.matches(dropped).count() == 1);
    folder.write(
        "src/schema.rs",
        schema.replace(dropped, "").replace(column, &format!("{column}        kind -> Nullable<JobStatus>,\n")),
    );
    folder.write("Cargo.toml", "[package]\nname = \"workspace-db\"\n");
    let said =
        shell.json(&["migrate", "generate", "review_documents", "--crate-folder", folder.path().to_str().unwrap()]);
    let migration = Path::new(said["migration"].as_str().unwrap()).to_owned();
    let up = text(migration.join("up.sql"));
    assert_eq!(
        up,
        "ALTER TABLE documents\n    ADD COLUMN kind job_status;\nCOMMENT ON COLUMN documents.kind IS 'The kind.';\n\nALTER TABLE \"feedback\" DROP COLUMN \"comment\";\n"
    );
    let down = text(migration.join("down.sql"));
    assert_eq!(
        down,
        "ALTER TABLE \"feedback\" ADD COLUMN \"comment\" TEXT;\n\nALTER TABLE documents\n    DROP COLUMN kind;\n"
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
