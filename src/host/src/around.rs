//! What surrounds a line: gathered before it is written down, so that the
//! entry a person decides about holds it. Nothing here runs anything.

use crate::approvals::Approvals;
use crate::connection::Connection;
use crate::cut;
use crate::no_ruling::{NoRuling, given_up_by};
use crate::resolve::{Shell, is_roots, is_roots_directory};
use crate::submission::Asking;
use countersign_analysis::{Search, Starts};
use countersign_api::context::{
    Context, FileSeen, MAX_NAMES, Resolution, SCRIPT_EXCERPT, Script, ShellReport, Unread, Word,
};
use countersign_api::front::{FrontMessage, HostMessage, Submit};
use countersign_core::b64_decode;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a front may take to look at files.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// Longest branch, `PATH` and name that are kept, in bytes.
const MAX_TEXT: usize = 4096;

/// What is known around a line.
#[derive(Default)]
pub(crate) struct Around {
    pub(crate) context: Context,
    /// Whether each program it starts is a builtin or root's: else no rule may let it run.
    pub(crate) words_known: bool,
    /// Whether its shell tells what it likes of itself after it.
    pub(crate) rewires: bool,
}

/// Looks around a line. `starts` is `None` where it is not asked about anyhow.
/// Beside what was seen stands why nobody is asked any more, where the front
/// gave up meanwhile.
pub(crate) async fn look(
    connection: &mut Connection,
    asking: &Asking<'_>,
    approvals: &Approvals,
    submit: &Submit,
    (line, cwd, starts): (&[u8], &[u8], Option<Starts>),
) -> (Around, Option<NoRuling>) {
    let report = submit.surroundings.shell.as_ref().map(bounded);
    let branch = submit.surroundings.branch.clone().filter(|branch| branch.len() <= MAX_TEXT);
    let Some(found) = starts else {
        let context = Context { branch, shell: report, ..Context::default() };
        return (Around { context, rewires: true, ..Around::default() }, None);
    };
    let line = String::from_utf8_lossy(line);
    let aliased = report.as_ref().is_some_and(|report| is_aliased(&line, &report.aliases));
    let shell = Shell {
        name: &submit.inner_shell,
        path: variable(submit, "PATH"),
        report: report.as_ref(),
        anywhere: asking.transfer,
        unreliable: match () {
            () if asking.rewired => Some("an earlier line of this login may have put code into the shell"),
            () if aliased => Some("an alias of the shell stands in the line"),
            () if asking.keeps_shell && report.is_none() => Some("the shell did not say what names mean in it"),
            () => None,
        },
    };
    let words: Option<Vec<Word>> = found.words.as_ref().map(|words| words.iter().map(|w| shell.resolve(w)).collect());
    let mut plans = plans(&found, words.as_deref().unwrap_or_default(), variable(submit, "HOME"), &shell);
    // A transfer's program is not told of the home.
    plans.retain(|plan| !(plan.settings && asking.transfer));
    let (scripts, given_up) = scripts(connection, asking, approvals, (submit, cwd), plans).await;
    // A line of assignments and redirections is what the shell makes of it.
    let plain = || shell.resolve(":").is != Resolution::Other;
    let known =
        |words: &[Word]| words.iter().all(|word| word.is != Resolution::Other) && (!words.is_empty() || plain());
    let words_known = words.as_deref().is_some_and(known)
        && !found.more_scripts
        // A transfer starts what it is mapped to.
        && (asking.transfer || found.is_settled(asking.keeps_shell))
        && found.directories.iter().all(|path| is_roots_directory(path))
        && scripts.iter().all(|script| is_roots(&script.path));
    let context = Context { branch, words, scripts, more_scripts: found.more_scripts, shell: report };
    // What stands behind an alias is read by the shell alone.
    (Around { context, words_known, rewires: found.rewires || aliased }, given_up)
}

/// Whether an alias stands in a line, also in the place of a reserved word
/// (`alias then='then evil;'`). A name counts wherever it is a token, quoted or not.
fn is_aliased(line: &str, aliases: &[String]) -> bool {
    if aliases.is_empty() {
        return false;
    }
    let joined = line.replace("\\\n", "");
    let apart = |c: char| c.is_whitespace() || "|&;()<>`$=/\"'\\".contains(c);
    joined.split(apart).any(|token| aliases.iter().any(|alias| alias == token))
}

fn variable<'a>(submit: &'a Submit, name: &str) -> &'a str {
    submit.environment.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// A report within its limits, whatever the front sent.
fn bounded(report: &ShellReport) -> ShellReport {
    let fits = |names: &[String]| names.len() <= MAX_NAMES && names.iter().all(|name| name.len() <= MAX_TEXT);
    let hashed = report.hashed.len() <= MAX_NAMES
        && report.hashed.iter().all(|(name, path)| name.len().max(path.len()) <= MAX_TEXT);
    let lists =
        [&report.aliases, &report.functions, &report.changed, &report.settings].into_iter().all(|list| fits(list));
    if lists && hashed && report.path.len() <= MAX_TEXT { report.clone() } else { ShellReport::default() }
}

/// A script.
struct Plan {
    path: String,
    /// The path by which it is asked for; `None` where that is not known.
    asked: Option<String>,
    /// Whether another file is run where there is none.
    or_elsewhere: bool,
    /// Whether it matters only where it is there.
    settings: bool,
}

fn plans(found: &Starts, words: &[Word], home: &str, shell: &Shell<'_>) -> Vec<Plan> {
    // Another one since, and what it is nobody has told.
    let moved = shell.report.is_some_and(|report| report.changed.iter().any(|name| name == "HOME"));
    let is_system = |path: &str| words.iter().any(|word| word.word == path && word.is == Resolution::System);
    let scripts = found.scripts.iter().filter(|script| !is_system(&script.path));
    scripts
        .map(|script| {
            let only_here = script.search == Search::Nowhere || shell.has_nothing_named(&script.path);
            let at_home = |chain: &Vec<String>| chain.iter().chain([&script.path]).any(|step| step.starts_with('~'));
            let told = script.after.as_ref().filter(|chain| !(moved && at_home(chain)));
            let told = told.filter(|chain| !leaves_a_link(chain, shell.report.is_some()));
            let stays = |chain: &Vec<String>| chain.is_empty() && !at_home(chain);
            let told = told.filter(|chain| stays(chain) || shell.goes_where_it_says());
            let place = told.filter(|_| only_here || script.search != Search::First).map(|chain| {
                let steps = chain.iter().chain([&script.path]);
                steps.fold(PathBuf::new(), |at, step| match step.strip_prefix("~/") {
                    Some(below) => Path::new(home).join(below),
                    None if step == "~" => PathBuf::from(home),
                    None => at.join(step),
                })
            });
            let asked = place.map(|place| place.to_string_lossy().into_owned());
            let or_elsewhere = script.search == Search::Last && (!only_here || found.names_path);
            Plan {
                path: asked.clone().unwrap_or_else(|| script.path.clone()),
                asked,
                or_elsewhere,
                settings: script.settings,
            }
        })
        .collect()
}

/// Whether a line that goes to these directories may be elsewhere than their
/// path says: where `cd ..` leaves a directory that was entered by a link, the
/// shell goes to that of the link, and the kernel to that of what it leads to.
/// `may_be_linked`: the shell may have gone into one before.
fn leaves_a_link(chain: &[String], may_be_linked: bool) -> bool {
    let mut parts = chain.iter().flat_map(|step| step.split('/')).filter(|part| !matches!(*part, "" | "."));
    let climbs_first = parts.by_ref().take_while(|part| *part == "..").count() > 0;
    climbs_first && may_be_linked || parts.any(|part| part == "..")
}

/// Has the front look at the files.
async fn scripts(
    connection: &mut Connection,
    asking: &Asking<'_>,
    approvals: &Approvals,
    (submit, cwd): (&Submit, &[u8]),
    plans: Vec<Plan>,
) -> (Vec<Script>, Option<NoRuling>) {
    let paths: Vec<String> = plans.iter().filter_map(|plan| plan.asked.clone()).collect();
    let (files, given_up) = if paths.is_empty() { (Vec::new(), None) } else { ask(connection, submit, paths).await };
    let mut files = files.into_iter();
    let unread = |why| FileSeen::Unread { why, stamp: String::new() };
    let scripts = plans.into_iter().filter_map(|Plan { path, asked, or_elsewhere, settings }| {
        let file = match asked {
            Some(_) => files.next().map_or_else(|| unread(Unread::NoAnswer), readable),
            None => unread(Unread::Unresolved),
        };
        let missing = matches!(file, FileSeen::Unread { why: Unread::Missing, .. });
        // The front makes sure of it that there is still none when the line runs.
        if missing && settings {
            return None;
        }
        let file = if missing && or_elsewhere { unread(Unread::Unresolved) } else { file };
        let place = Path::new(OsStr::from_bytes(cwd)).join(&path);
        let changed = match &file {
            FileSeen::Read { digest, .. } => approvals.differs(asking.place.uid(), &place, digest),
            FileSeen::Unread { .. } => None,
        };
        Some(Script { path, file, changed })
    });
    (scripts.collect(), given_up)
}

async fn ask(connection: &mut Connection, submit: &Submit, paths: Vec<String>) -> (Vec<FileSeen>, Option<NoRuling>) {
    let wanted = paths.len();
    if connection.send(&HostMessage::Inspect { nonce: submit.nonce, paths }).await.is_err() {
        return (Vec::new(), Some(NoRuling::FrontGone));
    }
    match tokio::time::timeout(LOOK_WITHIN, connection.next()).await {
        Ok(Ok(Some(FrontMessage::Inspected { nonce, files }))) if nonce == submit.nonce && files.len() == wanted => {
            (files, None)
        }
        Ok(other) => (Vec::new(), Some(given_up_by(other, submit))),
        // What it says later would be out of turn.
        Err(_) => (Vec::new(), Some(NoRuling::FrontGone)),
    }
}

/// The excerpt as text, of a bounded length whatever the front sent.
fn readable(file: FileSeen) -> FileSeen {
    match file {
        FileSeen::Read { size, digest, excerpt } => {
            let bytes = b64_decode(&excerpt).unwrap_or_default();
            let shown = bytes.get(..SCRIPT_EXCERPT).unwrap_or(&bytes);
            FileSeen::Read { size, digest, excerpt: cut::script(&String::from_utf8_lossy(shown)) }
        }
        FileSeen::Unread { why, stamp } => FileSeen::Unread { why, stamp: stamp.chars().take(256).collect() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_analysis::starts;

    #[test]
    fn places_follow_the_line() {
        let place = |line: &str| {
            let path = "/usr/local/bin:/usr/bin:/bin";
            let shell = Shell { name: "bash", path, report: None, anywhere: false, unreliable: None };
            let plans = plans(&starts(line, "bash"), &[], "/home/a", &shell);
            let shown = plans.into_iter().map(|plan| {
                plan.asked.map_or_else(|| "?".to_owned(), |asked| asked + if plan.or_elsewhere { "?" } else { "" })
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        for (line, want) in [
            ("./x.sh", "./x.sh"),
            ("bash ~/x.sh", "/home/a/x.sh"),
            ("cd /srv && bash x.sh", "/srv/x.sh"),
            ("cd ~ && cd b && ./x.sh", "/home/a/b/./x.sh"),
            ("cd b && /opt/x.sh", "/opt/x.sh"),
            ("cd $X && ./x.sh", "?"),
            // Found on PATH, or it may be.
            (". ls", "?"),
            ("bash ls", "ls?"),
            ("PATH=/tmp:$PATH; . x.sh", "?"),
            ("PATH=/tmp:$PATH bash x.sh", "x.sh?"),
            ("PATH=/tmp:$PATH; . ./x.sh", "./x.sh"),
            // Where `b` is a link, the shell is where that stands.
            ("cd b/.. && ./x.sh", "?"),
            ("cd b && cd .. && ./x.sh", "?"),
            ("cd ~/b/../c && ./x.sh", "?"),
            ("cd .. && ./x.sh", ".././x.sh"),
            ("! cd b && ./x.sh", "?"),
            ("[ ! -d a ] && cd b && ./x.sh", "b/./x.sh"),
            ("cd ../../b && ./x.sh", "../../b/./x.sh"),
            ("cd ../b/.. && ./x.sh", "?"),
            ("cd b && ../x.sh", "b/../x.sh"),
            ("cd b/.. && /opt/x.sh", "/opt/x.sh"),
        ] {
            assert_eq!(place(line), want, "{line}");
        }
    }

    #[test]
    fn a_shell_that_goes_on_may_stand_in_a_link() {
        assert!(leaves_a_link(&["..".to_owned()], true) && !leaves_a_link(&["..".to_owned()], false));
        assert!(!leaves_a_link(&["a".to_owned(), "./b".to_owned()], true));
    }

    #[test]
    fn a_home_that_was_changed_is_not_known() {
        let report = ShellReport { changed: vec!["HOME".to_owned()], complete: true, ..ShellReport::default() };
        let path = "/usr/bin:/bin";
        let shell = Shell { name: "bash", path, report: Some(&report), anywhere: false, unreliable: None };
        let asked = |line: &str| {
            let plans = plans(&starts(line, "bash"), &[], "/home/a", &shell);
            plans.into_iter().map(|plan| plan.asked).collect::<Vec<_>>()
        };
        assert_eq!(asked("bash ~/x.sh; bash ./y.sh"), [None, Some("./y.sh".to_owned())]);
        assert_eq!(asked("cd ~ && bash x.sh"), [None]);
    }

    /// `CDPATH`, or an option by which `cd` guesses, sends it elsewhere.
    #[test]
    fn where_a_shell_goes_that_was_told_something_is_not_known() {
        let told = |settings: &[&str]| ShellReport {
            settings: settings.iter().map(|name| (*name).to_owned()).collect(),
            complete: true,
            ..ShellReport::default()
        };
        for (settings, unreliable, want) in
            [(&["CDPATH"][..], None, None), (&[], Some("x"), None), (&[], None, Some("sub/./x.sh"))]
        {
            let report = told(settings);
            let shell = Shell { name: "bash", path: "/usr/bin", report: Some(&report), anywhere: false, unreliable };
            let asked = |line: &str| plans(&starts(line, "bash"), &[], "/home/a", &shell).remove(0).asked;
            assert_eq!(asked("cd sub && ./x.sh").as_deref(), want);
            assert_eq!(asked("~/x.sh").as_deref(), want.map(|_| "/home/a/x.sh"));
            assert_eq!(asked("./x.sh").as_deref(), Some("./x.sh"));
        }
    }

    #[test]
    fn an_alias_counts_wherever_it_is_a_token() {
        let aliases = ["then", "{", "ll", "time"].map(str::to_owned);
        for line in
            ["if a; then b; fi", "{ ls; }", "x;ll", "x|ll", "l\\\nl", "$(ll)", "`ll`", "time ls", "A=1 ll", "echo 'll'"]
        {
            assert!(is_aliased(line, &aliases), "{line}");
        }
        for line in ["ls", "all", "ll2", "if a; b; fi", ""] {
            assert!(!is_aliased(line, &aliases), "{line}");
        }
        assert!(!is_aliased("ll", &[]));
    }

    #[test]
    fn a_report_over_its_limits_is_none() {
        let long = ShellReport { path: "x".repeat(MAX_TEXT + 1), complete: true, ..ShellReport::default() };
        assert!(!bounded(&long).complete);
        let many =
            ShellReport { aliases: vec![String::new(); MAX_NAMES + 1], complete: true, ..ShellReport::default() };
        assert!(!bounded(&many).complete);
    }
}
