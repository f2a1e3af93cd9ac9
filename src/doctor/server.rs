//! Version of the server, its known vulnerabilities, its extensions.

use super::examination::CheckContext;
use super::finding::{CheckStatus, Diagnostic};
use crate::error::Result;

/// Oldest supported version, in the form of `server_version_num`.
pub(super) const OLDEST_SERVER: i32 = 160_000;
/// Oldest supported pgvector, the first with iterative scans, which continue until enough rows have passed a filter.
pub(super) const OLDEST_VECTOR: [i32; 2] = [0, 8];

/// Vulnerabilities that each minor release fixes, by major version: <https://www.postgresql.org/support/security/>, as
/// of May 2026. Vulnerabilities of client programs only are left out.
#[rustfmt::skip]
const MENDED: &[(i32, i32, &[&str])] = &[
    (16, 1, &["CVE-2023-5868", "CVE-2023-5869", "CVE-2023-5870"]),
    (16, 2, &["CVE-2024-0985"]),
    (16, 3, &["CVE-2024-4317"]),
    (16, 5, &["CVE-2024-10976", "CVE-2024-10978", "CVE-2024-10979"]),
    (16, 7, &["CVE-2025-1094"]),
    (16, 9, &["CVE-2025-4207"]),
    (16, 10, &["CVE-2025-8713"]),
    (16, 11, &["CVE-2025-12817"]),
    (16, 12, &["CVE-2026-2003", "CVE-2026-2004", "CVE-2026-2005", "CVE-2026-2006"]),
    (16, 14, &["CVE-2026-6472", "CVE-2026-6473", "CVE-2026-6474", "CVE-2026-6478", "CVE-2026-6479", "CVE-2026-6637", "CVE-2026-6638"]),
    (17, 1, &["CVE-2024-10976", "CVE-2024-10978", "CVE-2024-10979"]),
    (17, 3, &["CVE-2025-1094"]),
    (17, 5, &["CVE-2025-4207"]),
    (17, 6, &["CVE-2025-8713"]),
    (17, 7, &["CVE-2025-12817"]),
    (17, 8, &["CVE-2026-2003", "CVE-2026-2004", "CVE-2026-2005", "CVE-2026-2006"]),
    (17, 10, &["CVE-2026-6472", "CVE-2026-6473", "CVE-2026-6474", "CVE-2026-6478", "CVE-2026-6479", "CVE-2026-6637", "CVE-2026-6638"]),
    (18, 1, &["CVE-2025-12817"]),
    (18, 2, &["CVE-2026-2003", "CVE-2026-2004", "CVE-2026-2005", "CVE-2026-2006", "CVE-2026-2007"]),
    (18, 4, &["CVE-2026-6472", "CVE-2026-6473", "CVE-2026-6474", "CVE-2026-6478", "CVE-2026-6479", "CVE-2026-6637", "CVE-2026-6638"]),
];

pub(super) async fn diagnostics(context: &CheckContext<'_>) -> Result<Vec<Diagnostic>> {
    let ask = "SELECT current_setting('server_version_num')::int,
        (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
        (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),
        current_setting('server_encoding')";
    let row = context.owner.query_one(ask, &[]).await?;
    let mut diagnostics = of_version(row.get(0));
    diagnostics.extend(of_vector(row.get(1), row.get(2)));
    diagnostics.extend(of_texts(context, row.get(3)).await?);
    Ok(diagnostics)
}

/// Checks a version in the form of `server_version_num`, such as 160014.
fn of_version(number: i32) -> Vec<Diagnostic> {
    let (major, minor) = (number / 10_000, number % 10_000);
    let mut diagnostics = Vec::new();
    if number < OLDEST_SERVER {
        diagnostics.push(Diagnostic::new(
            "version",
            CheckStatus::Fail,
            format!("the server runs PostgreSQL {major}.{minor}"),
        ));
    }
    let open = MENDED.iter().filter(|(of, mended_in, _)| *of == major && minor < *mended_in);
    diagnostics.extend(open.map(|(of, mended_in, names)| {
        let what = format!("{} in {major}.{minor}, fixed in {of}.{mended_in}", names.join(", "));
        Diagnostic::new("vulnerabilities", CheckStatus::Warn, what)
    }));
    diagnostics
}

fn of_vector(installed: Option<String>, shipped: Option<String>) -> Option<Diagnostic> {
    let Some(installed) = installed else {
        return Some(Diagnostic::new(
            "extensions",
            CheckStatus::Fail,
            "the extension vector is not installed in this database",
        ));
    };
    let parts = |version: &str| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<i32>>();
    if parts(&installed) < OLDEST_VECTOR.to_vec() {
        return Some(Diagnostic::new(
            "extensions",
            CheckStatus::Fail,
            format!("the extension vector is version {installed}, but 0.8 is the oldest supported version"),
        ));
    }
    let newer = shipped.filter(|shipped| parts(shipped) > parts(&installed))?;
    Some(Diagnostic::new(
        "extensions",
        CheckStatus::Warn,
        format!("the extension vector is version {installed} in this database, but the server has {newer}"),
    ))
}

async fn of_texts(context: &CheckContext<'_>, encoding: &str) -> Result<Option<Diagnostic>> {
    if encoding != "UTF8" {
        let what = format!("the encoding of the database is {encoding}, which rejects texts with other characters");
        return Ok(Some(Diagnostic::new("texts", CheckStatus::Fail, what)));
    }
    // Other encodings can't represent the letters of the query.
    let ask = "SELECT to_tsvector('simple', U&'\\00C4') = to_tsvector('simple', U&'\\00E4')";
    let knows_capitals: bool = context.owner.query_one(ask, &[]).await?.get(0);
    let what = "the locale of the database knows no capital letters beyond ASCII: a search for \u{fc}ber does not find \u{dc}ber";
    Ok((!knows_capitals).then(|| Diagnostic::new("texts", CheckStatus::Warn, what)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(diagnostics: &[Diagnostic]) -> Vec<&str> {
        diagnostics.iter().map(|one| one.check).collect()
    }

    #[test]
    fn an_old_server_and_an_old_minor_are_told() {
        assert_eq!(checks(&of_version(160_014)), [""; 0]);
        assert_eq!(checks(&of_version(180_004)), [""; 0]);
        assert_eq!(checks(&of_version(150_018)), ["version"]);
        let open = of_version(180_001);
        assert_eq!(checks(&open), ["vulnerabilities", "vulnerabilities"]);
        assert!(open.iter().all(|one| one.what.starts_with("CVE-2026-") && one.what.contains("in 18.1, fixed in 18.")));
    }

    #[test]
    fn an_old_extension_and_one_that_was_not_updated_are_told() {
        let vector_status = |installed: Option<&str>, shipped: &str| {
            of_vector(installed.map(str::to_owned), Some(shipped.to_owned())).map(|one| one.status)
        };
        assert_eq!(vector_status(Some("0.8.5"), "0.8.5"), None);
        assert_eq!(vector_status(Some("0.10.0"), "0.8.5"), None);
        assert_eq!(vector_status(Some("0.8.0"), "0.8.5"), Some(CheckStatus::Warn));
        assert_eq!(vector_status(Some("0.7.4"), "0.8.5"), Some(CheckStatus::Fail));
        assert_eq!(vector_status(None, "0.8.5"), Some(CheckStatus::Fail));
    }
}
