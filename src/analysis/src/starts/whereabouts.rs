//! Where the commands of a line may run, for whoever asks what they touch:
//! `cd /srv/a && rm -r b` removes nothing where the line begins. What cannot be
//! followed may be anywhere that the line names.

use super::path_of;
use super::places::{moves, places};
use crate::facts::{CommandLine, SimpleCommand, Word};
use std::collections::BTreeSet;

/// Most places of one command.
const MOST: usize = 16;
/// A place that the line does not tell.
pub(crate) const SOMEWHERE: &str = "…";
/// Options by which a program goes somewhere before it starts another.
const OPTIONS: &[(&str, &[&str])] = &[("env", &["-C", "--chdir"]), ("sudo", &["-D", "--chdir"])];

/// Where each command may run: texts of paths, of which `""` is where the line
/// begins and [`SOMEWHERE`] nobody knows where. `None`: in more places than are followed.
pub(crate) fn whereabouts(line: &CommandLine) -> Vec<Option<Vec<String>>> {
    let commands = line.commands.as_slice();
    let told = told(commands);
    if told.is_empty() {
        return vec![Some(vec![String::new()]); commands.len()];
    }
    let joined = |chain: Option<Vec<String>>| Some(chain?.iter().fold(String::new(), |at, to| below(&at, to)));
    let stands = commands.iter().zip(places(line)).map(|(command, place)| {
        let known = place.may_be.into_iter().map(joined).collect::<Option<Vec<_>>>().map(|mut known| {
            let mut seen = BTreeSet::new();
            known.retain(|at| seen.insert(at.clone()));
            known
        });
        known.or_else(|| named(&told, command))
    });
    stands.collect()
}

/// A command that goes somewhere.
struct Told<'l> {
    command: &'l SimpleCommand,
    /// Where to; nothing where that is not said.
    to: Vec<String>,
}

fn told(commands: &[SimpleCommand]) -> Vec<Told<'_>> {
    let all = commands.iter().map(|command| Told { command, to: targets(command).take(MOST).collect() });
    let all: Vec<Told<'_>> = all.filter(|told| !told.to.is_empty() || moves(told.command)).collect();
    let said: BTreeSet<usize> =
        all.iter().filter(|told| !told.to.is_empty()).map(|told| told.command.span.start).collect();
    // Of one that goes where a variable says there are copies with its values.
    all.into_iter().filter(|told| !told.to.is_empty() || !said.contains(&told.command.span.start)).collect()
}

/// Every place that the line may have gone to before a command.
fn named(told: &[Told<'_>], command: &SimpleCommand) -> Option<Vec<String>> {
    let mut found = vec![String::new()];
    // By where it stands: copies come last.
    let before = |told: &&Told<'_>| told.command.span.start <= command.span.start || !told.command.context.is_empty();
    for told in told.iter().filter(before) {
        if told.to.is_empty() && !found.iter().any(|at| at == SOMEWHERE) {
            found.insert(0, SOMEWHERE.to_owned());
        }
        for to in &told.to {
            let from = if is_relative(to) { found.clone() } else { vec![String::new()] };
            for at in from {
                let there = below(&at, to);
                if !found.contains(&there) {
                    found.insert(0, there);
                }
            }
        }
        if found.len() > MOST {
            return None;
        }
    }
    Some(found)
}

/// Where a command takes those behind it, or those that it starts, as far as that is said.
fn targets(command: &SimpleCommand) -> impl Iterator<Item = String> {
    let name = command.program_name().unwrap_or_default();
    let arguments = command.arguments();
    let options = OPTIONS.iter().find(|(program, _)| *program == name).map_or(&[][..], |(_, options)| options);
    let goes = matches!(name, "cd" | "pushd" | "chdir")
        || matches!(name, "command" | "builtin") && moves(command)
        || name == "find" && arguments.iter().any(|word| word.text.ends_with("dir"));
    let operand = move |word: &&Word| goes && !word.text.starts_with('-');
    let value = move |(at, word): (usize, &Word)| {
        let option = options.iter().find(|option| word.text.starts_with(**option))?;
        match word.text.get(option.len()..).unwrap_or_default() {
            "" => arguments.get(at + 1).and_then(path_of),
            rest => Some(rest.trim_start_matches('=').to_owned()),
        }
    };
    let values = arguments.iter().enumerate().filter_map(value);
    let home = (name == "cd" && arguments.is_empty()).then(|| "~".to_owned());
    arguments.iter().filter(operand).filter_map(path_of).chain(values).chain(home).filter(|to| !to.is_empty())
}

/// Whether a path depends on where a command runs.
pub(crate) fn is_relative(path: &str) -> bool {
    !path.starts_with(['/', '~', '$'])
}

fn below(at: &str, to: &str) -> String {
    if at.is_empty() || !is_relative(to) { to.to_owned() } else { format!("{at}/{to}") }
}

#[cfg(test)]
mod tests {
    use crate::consequences::of;
    use crate::facts::Place;
    use crate::risk::{Views, assess, with_values};

    fn said(line: &str, cwd: &str) -> (Vec<String>, u8) {
        let place = Place { cwd: Some(cwd), home: Some("/home/a"), ..Place::default() };
        let facts = crate::parse(line, &place);
        let spread = with_values(&facts);
        let views = Views::of(spread.as_ref().unwrap_or(&facts), &place);
        (of(&views, &crate::anomaly::New::default()), assess(&facts, &place).score)
    }

    #[test]
    fn what_a_line_touches_is_where_it_goes() {
        for (line, what) in [
            ("rm -r b", "/tmp/w/b"),
            ("cd /srv/a && rm -r b", "/srv/a/b"),
            ("cd x && cd y && rm -r b", "/tmp/w/x/y/b"),
            ("cd && rm -r b", "/home/a/b, /tmp/w/b"),
            ("cd /srv/a; rm -r b", "/srv/a/b, /tmp/w/b"),
            ("! cd /srv/a && rm -r b", "/srv/a/b, /tmp/w/b"),
            ("(cd /srv/a; rm -r b)", "/srv/a/b, /tmp/w/b"),
            ("pushd /srv/a && rm -r b", "/srv/a/b, /tmp/w/b"),
            ("sh -c 'cd /srv/a; rm -r b'", "/srv/a/b, /tmp/w/b"),
            ("env -C /srv/a rm -r b", "/srv/a/b, /tmp/w/b"),
            ("sudo --chdir=/srv/a rm -r b", "/srv/a/b, /tmp/w/b"),
            ("d=/srv/a; cd $d; rm -r b", "/srv/a/b, /tmp/w/b"),
            ("cd $X && rm -r b", "…/b, /tmp/w/b"),
            ("popd; rm -r b", "…/b, /tmp/w/b"),
            ("cd /srv/a && rm -r /x/b ~/c", "/x/b, /home/a/c"),
            ("cd x && rm -r ../b", "/tmp/w/x/../b"),
            ("rm -r ../b", "/tmp/b"),
            ("rm -r /tmp/x/../b", "/tmp/x/../b"),
            ("(cd a);(cd b);(cd c);(cd d);(cd /srv/a; rm -r b)", "…/b"),
        ] {
            let (said, _) = said(line, "/tmp/w");
            assert!(said.iter().any(|one| one.starts_with(&format!("deletes {what}"))), "{line}: {said:?}");
        }
    }

    /// Nothing is harmless for the place that a line begins in.
    #[test]
    fn a_line_is_as_grave_as_one_that_names_the_place() {
        for (line, named) in [
            ("cd /srv/data && rm -rf prod", "rm -rf /srv/data/prod"),
            ("cd /srv/data; rm -rf prod", "rm -rf /srv/data/prod"),
            ("(cd /srv/data; rm -rf prod)", "rm -rf /srv/data/prod"),
            ("cd / && rm -rf etc", "rm -rf /etc"),
            ("cd /etc; echo x >> passwd", "echo x >> /etc/passwd"),
            ("cd /etc/cron.d && tee y", "tee /etc/cron.d/y"),
            ("sh -c 'cd /etc; tee shadow'", "tee /etc/shadow"),
            ("for d in data; do (cd /srv/$d; rm -rf x); done", "rm -rf /srv/data/x"),
        ] {
            for cwd in ["/tmp/w", "/home/a"] {
                let (score, least) = (said(line, cwd).1, said(named, cwd).1);
                assert!(score >= least && least > 24, "{line} from {cwd}: {score}, {least}");
            }
        }
        // A link of the agent's may lead from there to anywhere.
        assert!(said("rm -rf /tmp/l/../prod", "/tmp/w").1 > said("rm -rf /tmp/prod", "/tmp/w").1);
        assert_eq!(said("cd /tmp/x && rm -rf b", "/srv/data").1, said("rm -rf /tmp/x/b", "/srv/data").1);
    }
}
