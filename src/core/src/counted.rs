//! A number with its noun.

/// `1 entry`, `2 entries`, `0 commands`. The noun is one that takes an s, or `ies` for its y.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    match (number.try_into().unwrap_or(u64::MAX), noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (number, Some(stem)) => format!("{number} {stem}ies"),
        (number, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_all_else_are_many() {
        let said = |number: u64| [counted(number, "hole"), counted(number, "entry")];
        assert_eq!(said(0), ["0 holes", "0 entries"]);
        assert_eq!(said(1), ["1 hole", "1 entry"]);
        assert_eq!(said(12), ["12 holes", "12 entries"]);
    }
}
