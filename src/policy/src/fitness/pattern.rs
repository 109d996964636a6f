//! Which patterns may let commands pass in advance.
//!
//! A pattern approves every command that it matches, so each wildcard is asked:
//! what is the worst word that could stand here? Tables of programs answer; a
//! program that no table knows may take operands, never options.

use super::{Unfit, check_line};
use crate::known::patterns::{OPERANDS_ACT, READS_WORDS_AGAIN, SUBCOMMANDS, has};
use crate::pattern::{Pattern, WordPattern};
use crate::words::Word;
use crate::wrapper::Wrapper;

/// Why a pattern may not be a rule. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPattern {
    /// Unfit as a line, whatever its wildcards take.
    #[error(transparent)]
    Line(#[from] Unfit),
    /// A wildcard after something that reads its words again.
    #[error(
        "`{program}` hands its words to another reader, or changes what later commands mean; no wildcard can be \
         allowed with it: write each line with --exact"
    )]
    ReadAgain {
        /// The program.
        program: String,
    },
    /// A wildcard that could begin a word which acts.
    #[error(
        "a wildcard that begins a word could make `{program}` run, read or write anything; \
         put what must be there before it, as in /srv/reports/*"
    )]
    Acts {
        /// The program.
        program: String,
    },
    /// No literal subcommand.
    #[error("`{program}` does many things; write its subcommand as the next word, without options before it")]
    Subcommand {
        /// The program.
        program: String,
    },
    /// A wildcard in an option.
    #[error("`{word}`: a wildcard in an option may only stand after `--name=` and text of its value")]
    Option {
        /// The word.
        word: String,
    },
    /// Wrapper options that are not known.
    #[error("an option of `{wrapper}` is not known, so it is not sure which program runs; write the line with --exact")]
    Wrapper {
        /// The wrapper.
        wrapper: String,
    },
}

/// Whether a pattern may let commands pass; `on_terminal`: where the login has a terminal too.
pub fn check_pattern(pattern: &Pattern, on_terminal: bool) -> Result<(), UnfitPattern> {
    check_line(&stand_in(pattern), on_terminal)?;
    let wild = pattern.takes_rest() || pattern.words().iter().any(|word| !matches!(word, WordPattern::Literal(_)));
    if !wild {
        return Ok(());
    }
    let words = effective(pattern)?;
    let program = match words.first() {
        Some(WordPattern::Literal(text)) => text.rsplit('/').next().unwrap_or("").to_owned(),
        Some(WordPattern::Wild(_) | WordPattern::Regex(_)) | None => {
            return Err(UnfitPattern::ReadAgain { program: pattern.program().to_owned() });
        }
    };
    // Every literal word may be a program that a program runs.
    let again = pattern.words().iter().filter_map(literal).find(|word| has(READS_WORDS_AGAIN, base(word)));
    if let Some(word) = again {
        return Err(UnfitPattern::ReadAgain { program: word.to_owned() });
    }
    let (_, operands) = words.split_first().unwrap_or((&WordPattern::Literal(String::new()), &[]));
    let acts = has(OPERANDS_ACT, &program);
    check_options(operands, acts || SUBCOMMANDS.iter().any(|(name, _)| *name == program))?;
    let opens = pattern.takes_rest() || operands.iter().any(opens);
    if let Some((_, shows)) = SUBCOMMANDS.iter().find(|(name, _)| *name == program) {
        let before = operands.first().and_then(literal).filter(|word| *word == "--no-pager").is_some();
        let subcommand = operands.get(usize::from(before)).and_then(literal).filter(|word| !word.starts_with('-'));
        let Some(subcommand) = subcommand else { return Err(UnfitPattern::Subcommand { program }) };
        if opens && !has(shows, subcommand) {
            return Err(UnfitPattern::Acts { program: format!("{program} {subcommand}") });
        }
        return Ok(());
    }
    if opens && acts { Err(UnfitPattern::Acts { program }) } else { Ok(()) }
}

/// The pattern as a line whose wildcards are words made up at run time.
fn stand_in(pattern: &Pattern) -> String {
    let mut words: Vec<String> = pattern.words().iter().map(shown).collect();
    if pattern.takes_rest() {
        words.push("\"$X\"".to_owned());
    }
    words.join(" ")
}

fn shown(word: &WordPattern) -> String {
    match word {
        // The scan of words takes a quoted keyword for a keyword: at worst it refuses.
        WordPattern::Literal(text) if crate::pattern::is_harmless(text) => text.clone(),
        WordPattern::Literal(text) => format!("'{text}'"),
        WordPattern::Wild(_) | WordPattern::Regex(_) => "\"$X\"".to_owned(),
    }
}

/// The words of the command behind wrappers such as `sudo -n`.
fn effective(pattern: &Pattern) -> Result<&[WordPattern], UnfitPattern> {
    let all = pattern.words();
    let read: Vec<Word> = all.iter().map(|word| Word::quoted(&shown(word))).collect();
    let mut rest: &[Word] = &read;
    while let Some((first, after)) = rest.split_first() {
        let Some(wrapper) = Wrapper::of(first) else { break };
        let skipped = wrapper.skip(after).filter(|wrapped| wrapped.sure || plain_flags(after, wrapped.rest));
        let wrapped = skipped.ok_or_else(|| UnfitPattern::Wrapper { wrapper: first.bare.clone() })?;
        rest = wrapped.rest;
    }
    Ok(all.get(all.len().saturating_sub(rest.len())..).unwrap_or(&[]))
}

/// Options of sudo that take no value and open no shell.
fn plain_flags(words: &[Word], rest: &[Word]) -> bool {
    let skipped = words.get(..words.len().saturating_sub(rest.len())).unwrap_or(&[]);
    skipped.iter().filter(|word| word.is_option()).all(|word| matches!(word.bare.as_str(), "-n" | "-H" | "-u"))
}

/// Wildcards within options.
fn check_options(operands: &[WordPattern], acts: bool) -> Result<(), UnfitPattern> {
    for word in operands {
        let WordPattern::Wild(pieces) = word else { continue };
        let begin = pieces.first().map_or("", String::as_str);
        if !begin.starts_with(['-', '+']) {
            continue;
        }
        let value = begin.strip_prefix("--").and_then(|long| long.split_once('='));
        if value
            .is_none_or(|(name, value)| name.is_empty() || (acts && value.is_empty()) || ACTING_OPTIONS.contains(&name))
        {
            return Err(UnfitPattern::Option { word: pieces.join("*") });
        }
    }
    Ok(())
}

/// Long options that name a program, a command or a file of settings, in many programs.
const ACTING_OPTIONS: &[&str] = &[
    "to-command",
    "checkpoint-action",
    "use-compress-program",
    "rsh",
    "exec",
    "exec-batch",
    "command",
    "eval",
    "config",
    "config-file",
    "conf",
    "upload-pack",
    "receive-pack",
    "pager",
    "editor",
    "rsync-path",
    "info-script",
    "rcfile",
    "init-file",
    "require",
    "import",
    "load",
    "plugin",
    "hook",
    "pre-script",
    "post-script",
    "compress-program",
    "filter",
    "shell",
    "script",
    "run",
    "output",
    "file",
    "kubeconfig",
    "context",
    "host",
    "kube-config",
    "as",
];

/// Whether a wildcard begins a word, or the whole of a value (`if=*`).
fn opens(word: &WordPattern) -> bool {
    match word {
        WordPattern::Literal(_) => false,
        WordPattern::Wild(pieces) => pieces.first().is_none_or(|begin| begin.is_empty() || begin.ends_with('=')),
        WordPattern::Regex(_) => true,
    }
}

fn literal(word: &WordPattern) -> Option<&str> {
    match word {
        WordPattern::Literal(text) => Some(text),
        WordPattern::Wild(_) | WordPattern::Regex(_) => None,
    }
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Things about a fit pattern that its author should know.
pub fn advice(pattern: &Pattern) -> Option<&'static str> {
    match pattern.program() {
        "git" | "hg" | "svn" => Some(
            "a repository's own configuration can make git run programs; limit the rule with `cwd` to repositories you trust",
        ),
        program if countersign_analysis::only_shows(program) && pattern.takes_rest() => {
            Some("it may read any file that the agent's account can read")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), UnfitPattern> {
        check_pattern(&Pattern::parse(text).unwrap(), false)
    }

    #[test]
    fn takes_patterns_that_cannot_run_anything_else() {
        for text in [
            "docker pull ghcr.io/myorg/api:*",
            "git status",
            "git log **",
            "git --no-pager log **",
            "ls **",
            "cat /srv/x/*",
            "systemctl status *",
            "sudo systemctl status *",
            "sudo -n systemctl restart app-*",
            "sudo -u www-data cat /srv/logs/*",
            "timeout 30 ls **",
            "find /srv/reports/* -name x",
            "cp /srv/in/* /srv/out/",
            "curl -fsS https://internal.example/*",
            "bash deploy.sh",
            "bash /srv/deploy.sh v*",
            "mytool **",
            "kubectl get pods -n *",
            "journalctl -u re:[a-z]+",
            "printf '%s'",
            "grep -r ERROR /srv/logs/*",
            "env",
        ] {
            let fit = check(text);
            assert!(fit.is_ok() || text == "env", "{text}: {fit:?}");
        }
        assert!(check_pattern(&Pattern::parse("systemctl --no-pager status *").unwrap(), true).is_ok());
        assert!(check_pattern(&Pattern::parse("systemctl status *").unwrap(), true).is_err(), "a pager on a terminal");
    }

    #[test]
    fn refuses_patterns_that_could_run_anything() {
        for text in [
            "bash *",
            "bash **",
            "bash -c *",
            "sh -c re:.+",
            "python3 *",
            "python3 **",
            "python3 -c *",
            "perl -e *",
            "env *",
            "env **",
            "env FOO=1 *",
            "sudo *",
            "sudo **",
            "sudo -u root *",
            "xargs *",
            "xargs ls *",
            "timeout 5 *",
            "nice **",
            "nohup *",
            "find **",
            "find *",
            "find /srv -exec *",
            "git **",
            "git *",
            "git -c *",
            "git -c core.pager=*",
            "git config *",
            "git config core.pager *",
            "git clone *",
            "tar **",
            "tar xf *",
            "awk *",
            "sed *",
            "sed -i *",
            "ssh **",
            "ssh web-2 *",
            "ssh web-2 ls *",
            "make *",
            "vim *",
            "less *",
            "docker *",
            "docker **",
            "docker run *",
            "docker exec app *",
            "kubectl exec pod *",
            "kubectl **",
            "systemctl *",
            "systemctl **",
            "systemctl start *",
            "systemctl link *",
            "systemctl -H *",
            "npm install *",
            "npm *",
            "pip install *",
            "apt-get install *",
            "cp **",
            "rm **",
            "rm -rf *",
            "tee *",
            "dd **",
            "dd if=*",
            "wget *",
            "curl *",
            "crontab *",
            "eval *",
            "source *",
            ". *",
            "exec *",
            "command *",
            "export *",
            "alias *",
            "busybox *",
            "strace *",
            "watch *",
            "su *",
            "su -c *",
            "chroot /x *",
            "x --exec=*",
            "x -o*",
            "x -*",
            "x --*",
            "x --config=/a*",
            "tar xf a --to-command=/x*",
            "/usr/bin/find **",
            "sudo find **",
            "sudo -x ls *",
            "printf *",
            "test *",
            "ld.so *",
            "sort **",
            "date *",
            "mytool xargs *",
            "mytool ssh *",
            "psql *",
            "psql -c *",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
