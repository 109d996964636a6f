//! `bash -n` says what bash would do; we must say the same.

use std::io::Write;
use std::process::{Command, Stdio};

use super::super::*;
use super::generate::Maker;
use super::scripts::SCRIPTS;

/// Texts on which we knowingly differ from bash 5.2: the text, whether bash
/// asks for more, and why we do not follow it.
const DIFFERENT: &[(&str, bool, &str)] = &[
    (
        "case x in a) for y\nin b\ndo c",
        false,
        "a slip of bash: inside `case` it forgets `do` after `in` on its own line",
    ),
    ("((( x ))\n# don't\n)", true, "a slip of bash: after `(((` it takes the quote in a comment for a quote"),
    ("[[ ]] 'a", true, "an empty condition is wrong; bash reads on, and says nothing of it at all"),
    ("for ((i=0;i<3;i++) e \"f", true, "the header is wrong already; bash reads on before it says so"),
    ("for ((i=0;i<3)); do a; done; if", false, "bash counts the parts of the header only once it has read `done`"),
    (
        "f ()\n(( x + )\n(( 1 )) |",
        false,
        "a slip of bash: after `((` that is no arithmetic it takes the next `((` for no arithmetic too",
    ),
    (
        "a $(b <<E) \"x\ny\"\nx\nE",
        true,
        "a here-document left over by a substitution: bash warns, and looks for it in the quotes",
    ),
    ("a $(b <<E) $(c\nx\nE\n)", false, "the same, in the next substitution"),
];

/// Whether bash asks for more after this text, and what it said.
fn bash(text: &str) -> (bool, String) {
    let mut child = Command::new("bash")
        .args(["--norc", "--noprofile", "-n"])
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // Bash may stop reading at the first error.
    input.write_all(format!("{text}\n").as_bytes()).ok();
    drop(input);
    let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr).into_owned();
    let asks = |line: &str| {
        ["unexpected end of file", "unexpected EOF", "unexpected token `EOF'"].iter().any(|part| line.contains(part))
    };
    let errors: Vec<&str> =
        said.lines().filter(|line| line.starts_with("bash: line ") && !line.contains("warning:")).collect();
    // A here-document that lacks its end counts unless the line is wrong anyway.
    let open = said.contains("delimited by end-of-file");
    let more = match errors.first() {
        Some(first) => asks(first) || (open && first.contains("`newline'")),
        None => open,
    };
    (more, said)
}

fn ours(text: &str) -> bool {
    matches!(is_complete(text), Completeness::NeedsMore(_))
}

/// `bash -n` joins the end of the text to nothing and calls it complete.
fn ends_in_backslash(text: &str) -> bool {
    text.ends_with('\\')
}

/// The texts on which we differ, with what bash said.
fn differences(texts: &[String]) -> Vec<String> {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let chunk = texts.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let handles: Vec<_> = texts
            .chunks(chunk)
            .map(|texts| {
                scope.spawn(move || {
                    let different = texts.iter().filter_map(|text| {
                        let (more, said) = bash(text);
                        (more != ours(text)).then(|| format!("{text:?} ours: {} bash: {said}", ours(text)))
                    });
                    different.collect::<Vec<_>>()
                })
            })
            .collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    })
}

/// Versions differ in their slips; the figures are for 5.2.
fn bash_is_5_2() -> bool {
    let version = Command::new("bash").args(["-c", "echo $BASH_VERSION"]).output().unwrap();
    version.stdout.starts_with(b"5.2.")
}

#[test]
fn agrees_with_bash_on_generated_lines() {
    if !bash_is_5_2() {
        return;
    }
    let mut maker = Maker::new(7);
    let mut texts = Vec::new();
    while texts.len() < 4000 {
        let text = maker.text();
        if text.len() < 1500 && !ends_in_backslash(&text) {
            texts.push(text);
        }
    }
    let different = differences(&texts);
    // 2 in 1000 at most; what is left is of the kinds listed in DIFFERENT.
    assert!(different.len() <= 8, "{} of {}:\n{}", different.len(), texts.len(), different.join("\n"));
}

#[test]
fn agrees_with_bash_on_scripts_cut_anywhere() {
    let cuts = SCRIPTS.iter().flat_map(|script| {
        let ends = (0..=script.len()).filter(|at| script.is_char_boundary(*at)).step_by(3);
        ends.map(|at| script[..at].to_owned())
    });
    let texts: Vec<String> = cuts.filter(|text| !ends_in_backslash(text)).collect();
    let different = differences(&texts);
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), texts.len(), different.join("\n"));
}

#[test]
fn the_known_differences_are_still_there() {
    if !bash_is_5_2() {
        return;
    }
    for (text, more, why) in DIFFERENT {
        assert_eq!(bash(text).0, *more, "bash on {text:?} ({why}): {}", bash(text).1);
        assert_ne!(ours(text), *more, "we agree on {text:?} now: {why}");
    }
}
