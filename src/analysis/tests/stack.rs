//! No line may exhaust the stack: that ends the whole process, and with it the
//! gate. Each line is read on a small stack of its own, so an overflow here
//! ends the test run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking and says why")]

use countersign_analysis::facts::Place;
use countersign_analysis::{analyze, hold};

/// What opens a level, and what closes it.
const FORMS: [(&str, &str); 21] = [
    ("<(a ", ")"),
    ("$(a ", ")"),
    ("\"$(a ", ")\""),
    ("( ", ")"),
    ("{ ", ";}"),
    ("if a; then ", "; fi"),
    ("while a; do ", "; done"),
    ("case a in a) ", ";; esac"),
    ("${x:-", "}"),
    ("\"${x:-", "}\""),
    ("f() { ", ";}"),
    ("a=(", ")"),
    ("$((", "))"),
    ("[[ ( ", " ) ]]"),
    ("! ", ""),
    ("time ", ""),
    ("coproc ", ""),
    ("for a in b; do ", "; done"),
    ("echo `", "`"),
    ("bash -c '", "'"),
    ("{ a; } | { ", ";}"),
];
/// A quarter of what a thread of a runtime has.
const STACK_BYTES: usize = 512 * 1024;

fn read(line: String) {
    let work = move || {
        let place =
            countersign_analysis::Place { shell: "bash", terminal: false, nested: countersign_analysis::Nested::Ask };
        analyze(&line, &Place::default(), &[]);
        let bytes = u64::try_from(line.len()).unwrap();
        let _held = hold(line.as_bytes(), bytes, place);
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap();
}

#[test]
fn the_deepest_lines_fit_into_a_small_stack() {
    for (open, close) in FORMS {
        for (within, end) in FORMS {
            let deep = |levels: usize| {
                format!("{}a{}", format!("{open}{within}").repeat(levels), format!("{end}{close}").repeat(levels))
            };
            read(deep(48));
            // What closes brackets in quotes hides how deep it is from who only counts.
            read(format!("echo '{}{}'; {}", ")".repeat(100), "}".repeat(100), deep(48)));
        }
    }
}

#[test]
fn what_only_the_second_parser_takes_for_commands_does_not_exhaust_it() {
    for (open, close, quoted) in [
        ("( ", ")", "')';"),
        ("{ ", "; }", "'}';"),
        ("if a; then ", "; fi", "'fi';"),
        ("$(a ", ")", "')' "),
        ("<(a ", ")", "')' "),
        ("while a; do ", "; done", "'done';"),
        ("f() { ", "; }", "'}'; "),
    ] {
        for levels in [200, 900, 1500] {
            let deep = format!("{}a{}", format!("{open}{quoted} ").repeat(levels), close.repeat(levels));
            // To rable the document ends at `E `, and what follows are commands.
            read(format!("cat <<E\nE \n{deep}\nE\n"));
            read(format!("cat <<'E'\nit's\nE\u{b}\n{deep}\nE\n"));
            read(format!("echo $'\\'' {deep} '"));
        }
    }
}

/// Forms that open nothing and still are levels to somebody: an expression, a list, a chain of tests.
#[test]
fn long_lines_that_are_not_deep_do_not_exhaust_it_either() {
    for (open, again, close) in [
        ("((", "a?b:", "c))"),
        ("((", "a=", "1))"),
        ("echo $((", "!", "1))"),
        ("echo $((", "1+", "1))"),
        ("echo \"$((", "1,", "1))\""),
        ("[[ ", "a == b && ", "c ]]"),
        ("[[ ", "! ", "c ]]"),
        ("[[ a =~ ", "(a|b)", " ]]"),
        ("", "a && ", "b"),
        ("", "a | ", "b"),
        ("", "a; ", "b"),
        ("", "! ", "b"),
        ("", "a=b ", "b"),
        ("case x in ", "a | ", "b) c;; esac"),
        ("case x in ", "a) b;; ", " esac"),
        ("if a; then b; ", "elif c; then d; ", "fi"),
        ("echo ${a", "[1]", "}"),
        ("echo ${a", "/b", "}"),
        ("echo ", "{a,b}", ""),
        ("echo ", "{a,", ""),
        ("cat ", "<<A ", "\nA\n"),
        ("echo ", "\\", "x"),
        ("cd x; echo ", "!\\", "x"),
        ("echo $'", "\\x41", "'"),
    ] {
        for times in [900, 60_000 / again.len()] {
            read(format!("{open}{}{close}", again.repeat(times)));
        }
    }
}
