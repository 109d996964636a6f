//! What each sshd says of an account (`sshd -T -C`), and what stands in its files.

use super::program::run;
use super::walk::{names_in, walk};
use crate::doctor::facts::{Account, Conditional, Document, Known, Probe, Settings, SshdFiles, Unchecked, Walk, shown};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub(super) const PROGRAM: &str = "/usr/sbin/sshd";
pub(super) const CONFIG: &str = "/etc/ssh/sshd_config";
/// Clients that are tried: name, address, the address they reach.
const CLIENTS: [(&str, &str, &str); 3] = [
    ("localhost", "127.0.0.1", "127.0.0.1"),
    ("client.invalid", "192.0.2.1", "192.0.2.2"),
    ("client.invalid", "2001:db8::1", "2001:db8::2"),
];
/// Deepest nesting of Include.
const MAX_DEPTH: usize = 16;

/// One sshd: its program, its configuration, and further settings of its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sshd {
    /// The program file.
    pub program: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// Values of `-o`.
    pub options: Vec<String>,
}

/// The sshds to look at, and those that cannot be.
pub fn find(program: Option<&Path>, config: Option<&Path>) -> (Vec<Sshd>, Unchecked) {
    let (mut running, unchecked) = super::listeners::running();
    let own = |sshd: Sshd| Sshd { program: program.map_or(sshd.program, Path::to_owned), ..sshd };
    if let Some(config) = config {
        let named = Sshd { program: PROGRAM.into(), config: config.to_owned(), options: Vec::new() };
        return (vec![own(named)], unchecked);
    }
    if running.is_empty() {
        running.push(Sshd { program: PROGRAM.into(), config: CONFIG.into(), options: Vec::new() });
    }
    (running.into_iter().map(own).collect(), unchecked)
}

/// What a sshd says of an account, from each of our addresses.
pub fn probes(sshd: &Sshd, name: &str, account: Option<&Account>) -> Vec<Probe> {
    CLIENTS
        .iter()
        .map(|(host, address, local)| {
            let settings = effective(sshd, &format!("user={name},host={host},addr={address},laddr={local},lport=22"));
            let said = settings.as_ref().ok();
            let files = |keyword: &str| {
                let words: Vec<&str> = said.into_iter().flat_map(|said| said.words(keyword)).collect();
                words.into_iter().filter(|word| *word != "none").map(|word| expanded(word, name, account)).collect()
            };
            let command = |keyword: &str| {
                let line = said.and_then(|said| said.one(keyword)).filter(|line| *line != "none")?;
                Some(split(line).iter().filter_map(|word| path_in(word)).map(|p| expanded(p, name, account)).collect())
            };
            Probe {
                config: shown(&sshd.config),
                address,
                keys: files("authorizedkeysfile"),
                principals: files("authorizedprincipalsfile"),
                authorities: ["trustedusercakeys", "revokedkeys"].into_iter().flat_map(files).collect(),
                keys_command: command("authorizedkeyscommand"),
                principals_command: command("authorizedprincipalscommand"),
                settings,
            }
        })
        .collect()
}

/// The path that a word of a command is, or ends with (`--file=/x`).
fn path_in(word: &str) -> Option<&str> {
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    [word, value].into_iter().find(|text| text.starts_with(['/', '%']) && text.contains('/') || text.starts_with("%h"))
}

fn effective(sshd: &Sshd, connection: &str) -> Known<Settings> {
    let config = shown(&sshd.config);
    let mut arguments = vec!["-T", "-f", &config, "-C", connection];
    arguments.extend(sshd.options.iter().flat_map(|option| ["-o", option.as_str()]));
    let Some(ran) = run(&sshd.program, &arguments)? else {
        return Err(format!("there is no {}; name the program with --sshd PATH", sshd.program.display()));
    };
    if ran.ok && ran.out.contains("forcecommand") {
        return Ok(Settings::parse(&ran.out));
    }
    let why = ran.err.lines().last().unwrap_or("it said nothing").trim().to_owned();
    Err(format!("`{} {}` failed: {why}", sshd.program.display(), arguments.join(" ")))
}

/// `%u`, `%h`, `%U` and `%%` as sshd_config(5) has them; a relative path is below the home.
fn expanded(pattern: &str, name: &str, account: Option<&Account>) -> Known<Walk> {
    let account = account.ok_or_else(|| format!("{pattern}: the account does not exist"))?;
    let mut path = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match (letter, if letter == '%' { letters.next() } else { None }) {
            ('%', Some('u')) => path.push_str(name),
            ('%', Some('h')) => path.push_str(&shown(&account.home)),
            ('%', Some('U')) => path.push_str(&account.uid.to_string()),
            ('%', Some('%')) => path.push('%'),
            ('%', other) => return Err(format!("{pattern}: doctor does not know %{}", other.unwrap_or(' '))),
            (plain, _) => path.push(plain),
        }
    }
    walk(&account.home.join(path))
}

/// The files of a configuration, and its Match blocks that ask for more than the account.
pub fn files(sshd: &Sshd, agents: &[String]) -> SshdFiles {
    let mut reader = Reader { agents, files: Vec::new(), conditional: Vec::new(), here: None };
    let read = reader.file(&sshd.config, 0);
    let files = read.map(|()| reader.files);
    SshdFiles { config: shown(&sshd.config), files, conditional: reader.conditional }
}

struct Reader<'a> {
    agents: &'a [String],
    files: Vec<Document>,
    conditional: Vec<Conditional>,
    /// The block that the next line belongs to, where it is one of ours.
    here: Option<usize>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Known<()> {
        let document = super::walk::read(path)?;
        let Some(text) = document.text.clone() else { return Err(format!("there is no file {}", path.display())) };
        self.files.push(document);
        for line in text.lines() {
            let line = line.trim();
            let Some((word, rest)) = keyword(line) else { continue };
            match word.as_str() {
                "include" if depth < MAX_DEPTH => {
                    let outside = self.here;
                    for pattern in split(rest) {
                        for path in matching(&pattern)? {
                            self.here = outside;
                            self.file(&path, depth + 1)?;
                        }
                    }
                    self.here = outside;
                }
                "match" => self.block(line, rest),
                _ => {
                    if let Some(block) = self.here.and_then(|at| self.conditional.get_mut(at)) {
                        block.sets.push(word);
                    }
                }
            }
        }
        Ok(())
    }

    fn block(&mut self, line: &str, rest: &str) {
        self.here = None;
        if is_conditional(rest, self.agents) {
            self.here = Some(self.conditional.len());
            self.conditional.push(Conditional { line: line.to_owned(), sets: Vec::new() });
        }
    }
}

/// Keyword in lower case and the rest of a line. `=` may stand between them,
/// and the keyword in quotes (strdelim in OpenSSH's misc.c).
fn keyword(line: &str) -> Option<(String, &str)> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (word, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => line.split_at_checked(line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len()))?,
    };
    Some((word.to_ascii_lowercase(), rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=')))
}

/// Words as argv_split of OpenSSH's misc.c makes them: quotes of both kinds
/// join, a backslash takes a quote, a backslash or a blank, `#` begins a comment.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (_, '\\') => {
                let taken = letters.next_if(|next| matches!(next, '"' | '\'' | '\\' | ' '));
                word.get_or_insert_default().push(taken.unwrap_or(letter));
            }
            (Some(_) | None, plain) => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    words
}

/// Whether a Match line may hold for an agent from some places only. A block
/// for other accounts by name is none of ours.
fn is_conditional(criteria: &str, agents: &[String]) -> bool {
    let words = split(criteria);
    let mut conditional = false;
    for pair in words.chunks(2) {
        let (Some(word), value) = (pair.first(), pair.get(1).map_or("", String::as_str)) else { continue };
        match word.to_ascii_lowercase().as_str() {
            "all" | "group" | "invalid-user" => {}
            "user" => {
                let plain = !value.contains(['*', '?', '!']);
                if plain && !value.split(',').any(|name| agents.iter().any(|agent| agent == name)) {
                    return false;
                }
            }
            _ => conditional = true,
        }
    }
    conditional
}

/// Files of an Include pattern: `*` and `?` in the file name only, as distributions use it.
fn matching(pattern: &str) -> Known<Vec<PathBuf>> {
    let path = Path::new("/etc/ssh").join(pattern);
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
        return Err(format!("Include {pattern}: not a path"));
    };
    if shown(dir).contains(['*', '?', '[']) || name.contains('[') {
        return Err(format!("Include {pattern}: doctor reads wildcards in the file name only"));
    }
    let names = names_in(dir)?;
    let fits = |candidate: &OsStr| candidate.to_str().is_some_and(|text| glob(name.as_bytes(), text.as_bytes()));
    Ok(names.into_iter().filter(|candidate| fits(candidate)).map(|candidate| dir.join(candidate)).collect())
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => glob(rest, text),
        (Some((b'*', rest)), Some((_, more))) => glob(rest, text) || glob(pattern, more),
        (Some((b'?', rest)), Some((_, more))) => glob(rest, more),
        (Some((wanted, rest)), Some((first, more))) => wanted == first && glob(rest, more),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn include_patterns() {
        for (pattern, text, fits) in [
            ("*.conf", "countersign.conf", true),
            ("*.conf", "countersign.conf.bak", false),
            ("a?c*", "abcd", true),
            ("a?c", "ac", false),
            ("plain", "plain", true),
            ("*", "", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn which_match_blocks_depend_on_more_than_the_account() {
        let agents = ["deploy".to_owned()];
        for (criteria, conditional) in [
            ("all", false),
            ("Group countersign-agents", false),
            ("User deploy", false),
            ("Address 10.0.0.0/8", true),
            ("User admin Address 10.0.0.0/8", false),
            ("User admin,deploy Address 10.0.0.0/8", true),
            ("User * LocalPort 2222", true),
            ("User !admin,* Host *.example", true),
            ("Group wheel RDomain x", true),
            ("\"Address\" 10.0.0.0/8", true),
            ("\"User\" \"admin\" Address 10.0.0.0/8", false),
            ("User='deploy' Address 10.0.0.0/8", true),
        ] {
            assert_eq!(is_conditional(criteria, &agents), conditional, "{criteria}");
        }
    }

    #[test]
    fn keywords_may_have_an_equals_sign() {
        assert_eq!(keyword("Include = x"), Some(("include".to_owned(), "x")));
        assert_eq!(keyword("Match User x"), Some(("match".to_owned(), "User x")));
        assert_eq!(keyword("# Match"), None);
    }

    #[test]
    fn keywords_and_words_may_stand_in_quotes() {
        for line in
            ["\"ForceCommand\" none", "\"ForceCommand\"none", " \"ForceCommand\" = none", "\"forcecommand\"=none"]
        {
            assert_eq!(keyword(line), Some(("forcecommand".to_owned(), "none")), "{line}");
        }
        for (text, words) in [
            ("\"Address\" 10.0.0.0/8 # why", vec!["Address", "10.0.0.0/8"]),
            ("'a b'c \"d'e\" f\\ g \\\"h", vec!["a bc", "d'e", "f g", "\"h"]),
            ("a#b \"\" 'open", vec!["a#b", "", "open"]),
            ("C:\\x", vec!["C:\\x"]),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
    }

    #[test]
    fn a_block_in_quotes_is_read_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("sshd_config");
        let text = "\"Match\" Address 10.0.0.0/8\n \"ForceCommand\" none\nMatch all\n";
        std::fs::write(&config, text).unwrap();
        let sshd = Sshd { program: PROGRAM.into(), config, options: Vec::new() };
        let found = files(&sshd, &["deploy".to_owned()]).conditional;
        assert_eq!(found.iter().map(|block| block.sets.clone()).collect::<Vec<_>>(), [["forcecommand"]]);
    }

    #[test]
    fn every_path_of_a_command_is_looked_at() {
        let line = "/bin/cat --in=/srv/%u/keys %h/.ssh/x -n word %t %h";
        let found: Vec<_> = split(line).iter().filter_map(|word| path_in(word)).map(str::to_owned).collect();
        assert_eq!(found, ["/bin/cat", "/srv/%u/keys", "%h/.ssh/x", "%h"]);
    }
}
