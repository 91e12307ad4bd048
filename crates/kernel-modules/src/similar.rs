//! "Did you mean …?"

/// The candidate that differs from `word` by the fewest edits, if it is close enough to have been meant: at most a third
/// of its characters, and one of a short word.
///
/// ```
/// assert_eq!(kernel_modules::closest("nul_blk", ["null_blk", "cifs"].into_iter()), Some("null_blk"));
/// assert_eq!(kernel_modules::closest("zfs", ["null_blk", "cifs"].into_iter()), None);
/// ```
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_misspelt_name_and_nothing_far_away() {
        let known = ["null_blk", "cifs", "ext4", "6.17.13"];
        let table = [
            ("nul_blk", Some("null_blk")),
            ("cifz", Some("cifs")),
            ("6.17.14", Some("6.17.13")),
            ("zfs", None),
        ];
        for (word, expected) in table {
            assert_eq!(closest(word, known.into_iter()), expected, "{word}");
        }
    }
}
