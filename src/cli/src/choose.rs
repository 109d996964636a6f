//! Naming one thing by the beginning of its id.

use crate::failure::Failure;

/// Fewest characters that may name something.
pub const MIN_PREFIX: usize = 4;
/// Characters of an id that are shown, as long as they name only one.
const SHORT: usize = 8;

/// The one item whose id begins with `prefix`. `what` is the word for it in
/// an error, as in `pending submission`.
pub fn choose<'a, T>(items: &'a [T], id: impl Fn(&T) -> String, prefix: &str, what: &str) -> Result<&'a T, Failure> {
    if prefix.chars().count() < MIN_PREFIX {
        return Err(Failure::Usage(format!(
            "`{prefix}` is too short for an id; give at least {MIN_PREFIX} characters"
        )));
    }
    let wanted = prefix.to_ascii_lowercase();
    let mut found = items.iter().filter(|item| id(item).starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Failure::NotFound(format!("no {what} has an id that begins with `{prefix}`"))),
        (Some(one), Some(other)) => {
            Err(Failure::Usage(format!("`{prefix}` could be {} or {}; give more characters", id(one), id(other))))
        }
    }
}

/// The beginning of `id` that tells it from all `others`: 8 characters, more
/// where they need it.
pub fn short(id: &str, others: &[String]) -> String {
    (SHORT..id.len())
        .filter_map(|length| id.get(..length))
        .find(|prefix| !others.iter().any(|other| other != id && other.starts_with(prefix)))
        .unwrap_or(id)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_only_one() {
        let ids = ["0123456789".to_owned(), "0123499999".to_owned(), "7aaaaaaaaa".to_owned()];
        let pick = |prefix: &str| choose(&ids, String::clone, prefix, "submission").cloned();
        assert_eq!(pick("7aaa"), Ok("7aaaaaaaaa".to_owned()));
        assert_eq!(pick("7AAA"), Ok("7aaaaaaaaa".to_owned()));
        assert_eq!(pick("0123456789"), Ok("0123456789".to_owned()));
        assert!(matches!(pick("7aa"), Err(Failure::Usage(_))));
        assert!(matches!(pick(""), Err(Failure::Usage(_))));
        assert!(matches!(pick("01234"), Err(Failure::Usage(text)) if text.contains("0123499999")));
        assert!(matches!(pick("zzzz"), Err(Failure::NotFound(_))));
    }

    #[test]
    fn short_ids_stay_apart() {
        let ids = ["0123456789ab".to_owned(), "01234567zzzz".to_owned()];
        assert_eq!(short(&ids[0], &ids), "012345678");
        assert_eq!(short(&ids[0], &ids[..1]), "01234567");
        assert_eq!(short("ab", &[]), "ab");
    }
}
