//! Settings from the environment.

use std::collections::BTreeSet;
use std::fs;

use workspace_db::config::settings;

#[test]
fn the_list_has_every_variable_that_is_read() {
    let mut read = BTreeSet::new();
    for path in crate::layers::source_folders().iter().flat_map(|folder| crate::docs::files(folder, ".rs")) {
        if ["settings.rs", "reference.rs"].iter().any(|file| path.ends_with(file)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // A name is a whole string literal; an abbreviation in a comment ends with an underscore.
        let names = text.split('"').filter(|part| {
            (part.starts_with("WORKSPACE_DB_") || part.starts_with("DATABASE_"))
                && part.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                && !part.ends_with('_')
        });
        read.extend(names.map(str::to_owned));
    }
    let listed: BTreeSet<String> = settings().into_iter().map(|setting| setting.name.to_owned()).collect();
    assert_eq!(read, listed);
}
