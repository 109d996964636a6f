//! Names of variables, options, headers and fields: whether what bears such a
//! name is a secret.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A set of words.
pub(super) type Words = LazyLock<HashSet<&'static str>>;

/// The words of a text.
pub(super) fn words_of(text: &'static str) -> HashSet<&'static str> {
    text.split(' ').collect()
}

/// How surely a name says that its value is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// `password`, `client_secret`: any value that is no placeholder.
    Secret(&'static str),
    /// `key`, `auth`, `code`: a value that also looks random.
    Perhaps(&'static str),
    /// `pin`, `otp`: some digits, or a value that looks random.
    Pin(&'static str),
    /// `Authorization`: a scheme and its credentials.
    Header,
    /// `Cookie`: pairs.
    Cookie,
}

/// Longest name that is looked at, in bytes.
pub(super) const LONGEST: usize = 96;

/// Last words that make a name one of something about a secret.
fn is_about(word: &str) -> bool {
    static WORDS: Words = LazyLock::new(|| {
        words_of(
            "file files path paths dir directory url uri name names arn ttl length len size bits policy policies type types \
     enabled enable disabled disable expiry expires expiration expire expirydate ref refs version provider \
     providers manager store field alg algo algorithm stdin fd prompt env command cmd count limit endpoint host \
     port user username format reset rotation days min max attempts required only class scope scopes header headers \
     prefix suffix label labels plugin helper mode list page index input form column row location server issuer \
     audience service event method strength history age lifetime timeout cache keyring exists present set valid \
     check auth authentication expired usage counter rate budget regex pattern generator rules complexity source \
     backend engine mount group groups role roles template key keys id ids access used created updated at on date \
     time data hint change changed update status state error validator options config",
        )
    });
    WORDS.contains(word)
}

/// Words after which another word still says the same.
fn is_neutral(word: &str) -> bool {
    static WORDS: Words = LazyLock::new(|| {
        words_of(
            "value plain plaintext raw new old current text b64 base64 prod production dev staging stage test live primary \
     secondary default string str main local remote base confirm confirmation again repeat ro rw readonly json hex \
     encoded literal",
        )
    });
    WORDS.contains(word)
}

/// Whole words and endings of words that name a secret, with its kind.
const SURE: &[(&str, &str)] = &[
    ("password", "password"),
    ("passwd", "password"),
    ("passphrase", "passphrase"),
    ("passcode", "password"),
    ("passwort", "password"),
    ("pass", "password"),
    ("pwd", "password"),
    ("pswd", "password"),
    ("psw", "password"),
    ("pw", "password"),
    ("psk", "password"),
    ("secret", "secret"),
    ("token", "token"),
    ("jwt", "token"),
    ("bearer", "token"),
    ("pat", "token"),
    ("apikey", "api_key"),
    ("authkey", "api_key"),
    ("accesskey", "access_key"),
    ("secretkey", "secret_key"),
    ("privatekey", "private_key"),
    ("privkey", "private_key"),
    ("encryptionkey", "secret_key"),
    ("accountkey", "secret_key"),
    ("masterkey", "secret_key"),
    ("sharedkey", "secret_key"),
    ("licensekey", "secret_key"),
    ("creds", "credentials"),
    ("credentials", "credentials"),
    ("requirepass", "password"),
    ("plaintextpassword", "password"),
    ("masterauth", "password"),
    ("authtoken", "token"),
    ("mnemonic", "secret"),
    ("sessionid", "session_cookie"),
    ("passphr", "passphrase"),
    ("phpsessid", "session_cookie"),
    ("jsessionid", "session_cookie"),
];

/// Words whose ending is that of a secret by chance.
fn is_chance(word: &str) -> bool {
    static WORDS: Words = LazyLock::new(|| {
        words_of("bypass compass surpass trespass overpass underpass lastpass keepass encompass pypass")
    });
    WORDS.contains(word)
}

/// Words before `key` that make it a secret one.
const SECRET_KEYS: &[(&str, &str)] = &[
    ("api", "api_key"),
    ("app", "api_key"),
    ("application", "api_key"),
    ("auth", "api_key"),
    ("integration", "api_key"),
    ("subscription", "api_key"),
    ("license", "secret_key"),
    ("access", "access_key"),
    ("secret", "secret_key"),
    ("private", "private_key"),
    ("priv", "private_key"),
    ("encryption", "secret_key"),
    ("encrypt", "secret_key"),
    ("decryption", "secret_key"),
    ("crypto", "secret_key"),
    ("signing", "secret_key"),
    ("sign", "secret_key"),
    ("master", "secret_key"),
    ("account", "secret_key"),
    ("storage", "secret_key"),
    ("shared", "secret_key"),
    ("preshared", "secret_key"),
    ("session", "secret_key"),
    ("deploy", "secret_key"),
    ("admin", "secret_key"),
    ("client", "secret_key"),
    ("webhook", "secret_key"),
    ("hmac", "secret_key"),
    ("jwt", "secret_key"),
    ("service", "secret_key"),
    ("consumer", "secret_key"),
    ("functions", "api_key"),
    ("write", "api_key"),
    ("ingestion", "api_key"),
    ("insert", "api_key"),
    ("user", "api_key"),
    ("unseal", "secret_key"),
    ("recovery", "secret_key"),
    ("base", "secret_key"),
    ("wep", "password"),
    ("setup", "secret_key"),
    ("registration", "secret_key"),
    ("enrollment", "secret_key"),
    ("enrolment", "secret_key"),
    ("activation", "secret_key"),
    ("provisioning", "secret_key"),
    ("join", "secret_key"),
    ("agent", "secret_key"),
    ("passwd", "password"),
    ("stream", "secret_key"),
];

/// Words before `token` that make it a place in a list or a piece of text.
fn is_place(word: &str) -> bool {
    static WORDS: Words = LazyLock::new(|| {
        words_of(
            "next page continuation continue starting start eos bos pad unk stop cancel idempotency request sync max min \
     num end cancellation no ask create list revoke delete get with print show validate pagination",
        )
    });
    WORDS.contains(word)
}

/// Words that may name a secret.
const PERHAPS: &[(&str, &str)] = &[
    ("key", "secret_key"),
    ("auth", "authorization"),
    ("code", "token"),
    ("sig", "signature"),
    ("signature", "signature"),
    ("hash", "password_hash"),
    ("seed", "secret"),
    ("salt", "secret"),
    ("dsn", "credentials"),
    ("webhook", "webhook"),
    ("session", "session_cookie"),
    ("sess", "session_cookie"),
    ("sid", "session_cookie"),
    ("cookie", "session_cookie"),
    ("totp", "secret"),
    ("license", "secret_key"),
    ("credential", "credentials"),
    ("cred", "credentials"),
    ("csrf", "token"),
    ("xsrf", "token"),
    ("csrftoken", "token"),
    ("assertion", "token"),
    ("sas", "signature"),
    ("apppass", "password"),
    ("appid", "api_key"),
];

/// Words before `key` that make it a name for a place or something public.
fn is_public(word: &str) -> bool {
    static WORDS: Words = LazyLock::new(|| {
        words_of(
            "public publishable pub primary foreign sort partition cache object host idempotency ssh gpg hash range unique index group \
     known verify trusted s3 row map dedup routing message registry hot no etcd kv field label tag site composite \
     lookup bucket websocket socket",
        )
    });
    WORDS.contains(word)
}

/// Judges a name.
pub(super) fn judge(name: &str) -> Option<Says> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let mut letters = [0; LONGEST];
    let mut list = [""; LONGEST];
    let mut words = words(name, &mut letters, &mut list);
    while let Some((last, before)) = words.split_last() {
        let dropped = is_neutral(last) || last.bytes().all(|b| b.is_ascii_digit());
        if !dropped || before.is_empty() {
            break;
        }
        words = before;
    }
    let (last, before) = words.split_last()?;
    let previous = before.last().copied().unwrap_or_default();
    match *last {
        "authorization" => return Some(Says::Header),
        "cookie" | "cookies" => return Some(Says::Cookie),
        "key" => return key(before),
        "pin" | "sopin" | "puk" => return Some(Says::Pin("pin")),
        "otp" | "mfa" | "2fa" => return Some(Says::Pin("token")),
        "code" if matches!(previous, "token" | "mfa" | "otp" | "verification" | "pairing" | "unlock") => {
            return Some(Says::Pin("token"));
        }
        "token" if is_place(previous) => return None,
        "id" if previous == "secret" && before.len() == 1 => return Some(Says::Perhaps("secret")),
        "id" if previous == "session" => return Some(Says::Perhaps("session_cookie")),
        "pass" | "password" | "passphrase" if matches!(previous, "no" | "ask" | "prompt" | "reset" | "forgot") => {
            return None;
        }
        "material" if previous == "key" => return Some(Says::Secret("secret_key")),
        "api" if previous == "art" => return Some(Says::Secret("api_key")),
        "phrase" if matches!(previous, "pass" | "key") => return Some(Says::Secret("passphrase")),
        "auth" if previous == "no" => return None,
        "auth" if previous == "rediscli" => return Some(Says::Secret("password")),
        _ => {}
    }
    if let Some(kind) = sure(last) {
        return Some(Says::Secret(kind));
    }
    if let Some((_, kind)) = PERHAPS.iter().find(|(word, _)| word == last) {
        return Some(Says::Perhaps(kind));
    }
    if is_about(last) {
        return None;
    }
    let inside = before.iter().find_map(|word| sure(word)).or_else(|| {
        let pairs = before.windows(2).chain(words.windows(2));
        pairs.filter_map(|pair| pair.split_last()).find_map(|(key_word, rest)| match (*key_word, key(rest)) {
            ("key", Some(Says::Secret(kind))) => Some(kind),
            _ => None,
        })
    });
    inside.map(Says::Perhaps)
}

fn key(before: &[&str]) -> Option<Says> {
    let Some(previous) = before.last() else { return Some(Says::Perhaps("secret_key")) };
    if let Some((_, kind)) = SECRET_KEYS.iter().find(|(word, _)| word == previous) {
        return Some(Says::Secret(kind));
    }
    // `X-…-Key` of a header.
    let header = before.len() > 1 && before.first() == Some(&"x");
    (!is_public(previous)).then_some(if header { Says::Secret("api_key") } else { Says::Perhaps("secret_key") })
}

fn sure(word: &str) -> Option<&'static str> {
    if is_chance(word) {
        return None;
    }
    // `password1`, `token2`.
    let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = if bare.len() >= 4 { bare } else { word };
    let found = SURE.iter().find(|(end, _)| word == *end || (end.len() > 3 && word.ends_with(end)));
    found.map(|(_, kind)| *kind)
}

/// Words of a name in lower case: cut at what is no letter or digit and where
/// capitals begin. They are written to `letters`, and listed in `list`.
fn words<'l>(name: &str, letters: &'l mut [u8; LONGEST], list: &'l mut [&'l str; LONGEST]) -> &'l [&'l str] {
    let mut ends = [0usize; LONGEST];
    let (mut count, mut length) = (0usize, 0usize);
    let (mut open, mut before_lower) = (false, false);
    for byte in name.bytes() {
        if !byte.is_ascii_alphanumeric() {
            (open, before_lower) = (false, false);
            continue;
        }
        count += usize::from(!open || (byte.is_ascii_uppercase() && before_lower));
        before_lower = byte.is_ascii_lowercase() || byte.is_ascii_digit() && before_lower;
        open = true;
        if let Some(letter) = letters.get_mut(length) {
            *letter = byte.to_ascii_lowercase();
            length += 1;
        }
        if let Some(end) = count.checked_sub(1).and_then(|word| ends.get_mut(word)) {
            *end = length;
        }
    }
    let mut from = 0;
    let letters: &'l [u8; LONGEST] = letters;
    for (word, end) in list.iter_mut().zip(ends.iter().take(count)) {
        *word = letters.get(from..*end).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
        from = *end;
    }
    list.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "PGPASSWORD",
            "MYSQL_PWD",
            "--password",
            "dbPassword",
            "client_secret",
            "GITHUB_TOKEN",
            "X-Api-Key",
            "aws_secret_access_key",
            "AWS_SESSION_TOKEN",
            "TF_VAR_db_password",
            "_authToken",
            "ansible_ssh_pass",
            "X-Vault-Token",
            "storepass",
            "AccountKey",
            "apiKey",
            "SECRET_KEY_BASE",
            "API_KEY_PROD",
            "TOKEN_2",
            "--docker-password",
            "DJANGO_SECRET",
            "access-token",
            "encryption_key",
            "privateKey",
        ] {
            assert!(matches!(judge(name), Some(Says::Secret(_))), "{name}: {:?}", judge(name));
        }
    }

    #[test]
    fn names_of_something_else() {
        for name in [
            "SECRET_NAME",
            "AUTH_ENABLED",
            "KEY_FILE",
            "--password-stdin",
            "--passphrase-file",
            "token_ttl",
            "PUBLIC_KEY",
            "--vault-password-file",
            "PASSWORD_STORE_DIR",
            "max_tokens",
            "next-token",
            "primary_key",
            "compass",
            "path",
            "password_policy",
            "tokenUrl",
            "secretName",
            "passwordResetUrl",
            "author",
            "keyboard",
            "HOME",
        ] {
            assert_eq!(judge(name), None, "{name}");
        }
        assert_eq!(judge("key"), Some(Says::Perhaps("secret_key")));
        assert_eq!(judge("TF_TOKEN_app_terraform_io"), Some(Says::Perhaps("token")));
        assert_eq!(judge("Authorization"), Some(Says::Header));
    }
}
