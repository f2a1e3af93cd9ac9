//! Nouns beside numbers, in messages for people.

/// Returns the English noun in the form that the number requires: singular for 1, plural for all other numbers.
///
/// ```
/// use workspace_db::noun::noun_for;
///
/// assert_eq!(noun_for(1_u32, "file"), "file");
/// assert_eq!(noun_for(0_u32, "entry"), "entries");
/// ```
#[must_use]
pub fn noun_for<N: Copy + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) {
        return noun.to_owned();
    }
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        Some(stem) => format!("{stem}ies"),
        None if ["s", "x", "ch", "sh"].iter().any(|hiss| noun.ends_with(hiss)) => format!("{noun}es"),
        None => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::noun_for;

    #[test]
    fn one_is_the_only_singular() {
        assert_eq!(
            [noun_for(0_u32, "file"), noun_for(1_u32, "file"), noun_for(2_u32, "file")],
            ["files", "file", "files"]
        );
        assert_eq!([noun_for(1_i64, "entry"), noun_for(-1_i64, "entry")], ["entry", "entries"]);
        assert_eq!([noun_for(3_usize, "day"), noun_for(3_usize, "match")], ["days", "matches"]);
    }
}
