//! The tenant tables that the sources of a crate register.

use std::fs;
use std::path::Path;

/// Returns the tables that the sources register, in either place.
pub(super) fn registered(root: &Path) -> Vec<String> {
    let texts = ["src/registry.rs", "src/tenancy/registry.rs"]
        .map(|file| fs::read_to_string(root.join(file)).unwrap_or_default());
    let blocks = texts.iter().filter_map(|text| {
        let (_, rest) = text.split_once("tenant_tables! {").or_else(|| text.split_once("\nregister! {"))?;
        rest.split_once("\n}").map(|(block, _)| block)
    });
    let names = blocks.flat_map(str::lines).filter_map(|line| line.split([':', ',', '=']).next());
    names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
