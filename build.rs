//! Embeds the files of the migrations unchanged, and runs again after a change to them.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=migrations");
    let mut folders: Vec<_> =
        fs::read_dir("migrations")?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    let mut entries = Vec::new();
    for folder in folders {
        let name = folder.file_name().and_then(|name| name.to_str()).ok_or("a migration's name is not UTF-8")?;
        let (up, down) = (fs::read_to_string(folder.join("up.sql"))?, fs::read_to_string(folder.join("down.sql"))?);
        let metadata = fs::read_to_string(folder.join("metadata.toml")).ok();
        entries.push(format!("({name:?}, {up:?}, {down:?}, {metadata:?})"));
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), format!("&[{}]", entries.join(",\n")))?;
    Ok(())
}
