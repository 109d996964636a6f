//! What many places ask of the texts of words.

/// The name at the end of a path: `/usr/bin/rm` → `rm`. Words are short, so a
/// plain loop is faster than a search that has to be set up.
pub(crate) fn base_name(word: &str) -> &str {
    let slash = word.bytes().rposition(|byte| byte == b'/');
    slash.and_then(|at| word.get(at + 1..)).unwrap_or(word)
}

/// Whether a word is an option with one of these letters, alone or among others: `-qu`.
pub(crate) fn has_letter(word: &str, letters: &[char]) -> bool {
    word.starts_with('-') && !word.starts_with("--") && word.contains(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_follows_the_last_slash() {
        for (word, name) in [("rm", "rm"), ("/usr/bin/rm", "rm"), ("a/", ""), ("/", ""), ("", ""), ("é/ü", "ü")] {
            assert_eq!(base_name(word), name, "{word}");
            assert_eq!(base_name(word), word.rsplit('/').next().unwrap(), "{word}");
        }
    }
}
