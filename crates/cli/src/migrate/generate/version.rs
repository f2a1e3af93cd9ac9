//! The version of a new migration.

use std::fs;
use std::path::Path;

use chrono::{Datelike as _, NaiveDateTime, TimeDelta, Utc};

/// Returns the current time in the format of the Diesel CLI, or the second after the last migration of the folder or of
/// `names` if that is later.
pub(super) fn next<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let in_folder = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let last = in_folder.chain(names.map(str::to_owned)).filter_map(|name| time_of(&name)).max();
    let after_last = last.and_then(|last| last.checked_add_signed(TimeDelta::seconds(1)));
    let now = Utc::now().naive_utc();
    after_last.map_or(now, |after_last| after_last.max(now)).format("%Y-%m-%d-%H%M%S").to_string()
}

/// Returns the time in the name of a migration: the first 14 digits, or 12 without seconds.
fn time_of(name: &str) -> Option<NaiveDateTime> {
    let version = name.split('_').next().unwrap_or(name);
    let mut digits: String = version.chars().filter(char::is_ascii_digit).take(14).collect();
    if digits.len() == 12 {
        digits.push_str("59");
    }
    // A year of five digits would be sorted before all others.
    let time = NaiveDateTime::parse_from_str(&digits, "%Y%m%d%H%M%S").ok()?;
    (time.year() < 9999).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_after_every_other_and_after_now() {
        let folder = Path::new("no such folder");
        let next_of = |names: &[&str]| next(folder, names.iter().copied());
        assert_eq!(next_of(&["2999-12-31-235959_a", "2998-01-01-000000_b", "x"]), "3000-01-01-000000");
        assert_eq!(next_of(&["29990101000000_a"]), "2999-01-01-000001");
        // The Diesel CLI adds a number to the version, and others leave out the seconds.
        assert_eq!(next_of(&["2999-01-01-000000-0000_a"]), "2999-01-01-000001");
        assert_eq!(next_of(&["2999-01-01-0900_a"]), "2999-01-01-090100");
        let now = next_of(&["2001-01-01-000000_a"]);
        assert!(now.as_str() > "2026", "{now}");
    }
}
