//! Normalizes texts and splits them into words.

use unicode_normalization::UnicodeNormalization as _;

/// Returns true if the character's script puts no blanks between words. `workspace_db_unspaced_character()` has the same
/// scripts and names them.
const fn is_unspaced(character: char) -> bool {
    matches!(
        character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
            | '\u{3040}'..='\u{312f}'
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}'
    )
}

/// Returns the text in Unicode's form NFKC, without soft hyphens and zero-width characters.
/// `workspace_db_normalize_words` begins with the same step.
pub(crate) fn normalize(text: &str) -> String {
    let is_seen = |c: &char| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    text.chars().filter(is_seen).nfkc().collect()
}

/// Returns the words of a text in order: runs of letters and digits. In scripts without blanks, each pair of adjacent
/// characters is a word.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || is_unspaced(c))).flat_map(|run| {
        let run: Vec<char> = run.chars().collect();
        run.chunk_by(|one, next| is_unspaced(*one) == is_unspaced(*next))
            .flat_map(|run| {
                run.windows(if run.first().copied().is_some_and(is_unspaced) { run.len().min(2) } else { run.len() })
            })
            .map(String::from_iter)
            .collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_one_form() {
        for (text, expected) in [
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{ff21}\u{ff30}\u{ff29}", "API"),
            ("data\u{ad}base\u{200b}", "database"),
            ("\u{f900}", "\u{8c48}"),
        ] {
            assert_eq!(normalize(text), expected);
        }
    }

    #[test]
    fn words_stand_between_blanks_and_pairs_where_there_are_none() {
        for (text, expected) in [
            ("Opening hours: 9-17", &["Opening", "hours", "9", "17"] as &[&str]),
            ("\u{6570}\u{636e}\u{5e93}", &["\u{6570}\u{636e}", "\u{636e}\u{5e93}"]),
            ("a\u{732b}b", &["a", "\u{732b}", "b"]),
            ("caf\u{e9}\u{732b}", &["caf\u{e9}", "\u{732b}"]),
            ("?!", &[]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
