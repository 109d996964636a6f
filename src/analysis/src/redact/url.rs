//! Credentials in URLs: `scheme://user:password@host`, and a token in the
//! user's place.

use super::values::{Trust, is_random, plausible};

/// Longest authority that is read, in bytes.
const AUTHORITY: usize = 512;
/// What ends the authority of a URL.
const ENDS: &[char] = &['/', '?', '#', ' ', '\t', '\n', '\r', '"', '\'', '<', '>', '`', ';', '|', '\\', '(', ')'];

/// What ends its path.
const ENDS_OF_PATH: &[char] =
    &['?', '#', ' ', '\t', '\n', '\r', '"', '\'', '<', '>', '`', ';', '|', '\\', '(', ')', '@'];

/// Calls `found` with start, end and kind for each credential.
pub(super) fn scan(text: &str, mut found: impl FnMut(usize, usize, &'static str)) {
    let mut from = 0;
    while let Some(sign) = text.get(from..).and_then(scheme_end) {
        let at = from + sign + 3;
        from = at;
        let rest = text.get(at..).unwrap_or_default();
        let near = (0..=rest.len().min(AUTHORITY)).rev().find(|n| rest.is_char_boundary(*n)).unwrap_or(0);
        let rest = rest.get(..near).unwrap_or_default();
        if let Some((start, end)) = stream_key(text, at) {
            found(start, end, "stream_key");
        }
        if let Some((start, end)) = path_token(text, at) {
            found(start, end, "url_token");
        }
        // Without an `@` nobody is named, however many more signs follow.
        if memchr::memchr(b'@', rest.as_bytes()).is_none() {
            continue;
        }
        let has_scheme = sign > 0 && text.as_bytes().get(at - 4).is_some_and(u8::is_ascii_alphanumeric);
        let until = rest.find(ENDS).unwrap_or(rest.len());
        let authority = rest.get(..until).unwrap_or_default();
        // A password may hold a slash that was never encoded; then the host
        // still follows the last `@` before a space.
        let Some(user_info) = authority.rfind('@').or_else(|| loose(rest)) else { continue };
        if !has_scheme {
            continue;
        }
        let info = rest.get(..user_info).unwrap_or_default();
        from = at + user_info;
        match info.split_once(':') {
            Some((user, password)) if plausible(password, Trust::Grammar) => {
                let start = at + user.len() + 1;
                if password == "x-oauth-basic" || password == "x" {
                    found(at, at + user.len(), "url_token");
                } else {
                    found(start, start + password.len(), "url_password");
                }
            }
            Some((user, _)) if is_random(user) => found(at, at + user.len(), "url_token"),
            Some(_) => {}
            None if is_random(info) => found(at, at + info.len(), "url_token"),
            None => {}
        }
    }
}

/// `rtmp://host/app/KEY`: where a stream is sent to, its name is the key.
fn stream_key(text: &str, at: usize) -> Option<(usize, usize)> {
    let scheme = text.get(..at - 3)?;
    if !scheme.ends_with("rtmp") && !scheme.ends_with("rtmps") {
        return None;
    }
    let rest = text.get(at..)?;
    let until = rest.find([' ', '\t', '\n', '"', '\'', '?']).unwrap_or(rest.len()).min(AUTHORITY);
    let path = rest.get(..until)?;
    let key = path.rfind('/')? + 1;
    is_random(path.get(key..)?).then_some((at + key, at + path.len()))
}

/// `https://host/t/TOKEN/channel`: a part of the path that says that the next one is the key to it.
fn path_token(text: &str, at: usize) -> Option<(usize, usize)> {
    const SAYS: [&str; 7] = ["t", "token", "tokens", "apikey", "api-key", "access-token", "access_token"];
    if !text.get(..at - 3)?.ends_with(['p', 's']) {
        return None;
    }
    let rest = text.get(at..)?;
    let until = rest.find(ENDS_OF_PATH).unwrap_or(rest.len()).min(AUTHORITY);
    let path = rest.get(..until)?;
    let mut start = at;
    let mut parts = path.split('/').map(|part| {
        let here = start;
        start += part.len() + 1;
        (here, part)
    });
    while let Some((_, part)) = parts.next() {
        if SAYS.contains(&part) {
            let (here, token) = parts.next()?;
            // What is a path of its own says where a thing is, and not who may have it.
            let sure = token.len() >= 16 && is_random(token) && token.bytes().any(|b| b.is_ascii_digit());
            return sure.then_some((here, here + token.len()));
        }
    }
    None
}

/// Where the first `://` stands.
fn scheme_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b':', bytes).find(|at| bytes.get(at + 1..at + 3) == Some(b"//"))
}

/// `user:pa/ss@host`: only where a colon and no second slash come before.
fn loose(rest: &str) -> Option<usize> {
    let word = rest.get(
        ..rest.find(['?', '#', ' ', '\t', '\n', '"', '\'', '<', '>', '`', ';', '|', '\\']).unwrap_or(rest.len()),
    )?;
    let at = word.find('@')?;
    let info = word.get(..at)?;
    let (user, password) = info.split_once(':')?;
    let port = password.split('/').next().is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    (!user.contains('/') && !port && at < 128).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        scan(text, |start, end, _| out.push(text.get(start..end).unwrap()));
        out
    }

    #[test]
    fn credentials_of_urls() {
        assert_eq!(found("psql postgres://app:hunter2@db:5432/x"), ["hunter2"]);
        assert_eq!(found("amqp://u:p%40ss@h// redis://:s3cret@r/0"), ["p%40ss", "s3cret"]);
        assert_eq!(found("https://u:pa/s@h/x"), ["pa/s"]);
        assert_eq!(
            found("--channel https://conda.example.com/t/ac-d4861e69867b7bd2896c565437f88993dfab/acme"),
            ["ac-d4861e69867b7bd2896c565437f88993dfab"]
        );
        for clean in [
            "https://api.example.io:8443/v1",
            "git@github.com:acme/x.git",
            "https://git@github.com/a/b",
            "https://example.com/?q=a@b:c",
            "http://h:80/a@b",
            "ssh://git@h:22/x",
            "https://u:****@h",
            "https://h.example/t/deep-learning-with-containers/42",
            "https://h.example/api/token/refresh?next=/t/x",
            "https://h.example/t/4f2",
        ] {
            assert_eq!(found(clean), [""; 0], "{clean}");
        }
    }
}
