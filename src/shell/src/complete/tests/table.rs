//! Cases by hand, and texts made to cost time or stack.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;

use super::super::*;

/// Processor time of this thread: others may have the processor, too.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn needs(text: &str) -> Option<Why> {
    match is_complete(text) {
        Completeness::Complete => None,
        Completeness::NeedsMore(why) => Some(why),
    }
}

#[test]
fn says_what_is_open() {
    let cases = [
        ("echo 'a", Why::Closing('\'')),
        ("echo $'a\\'", Why::Closing('\'')),
        ("echo \"a $(b", Why::Closing(')')),
        ("echo \"a", Why::Closing('"')),
        ("echo `a", Why::Closing('`')),
        ("echo ${x:-a", Why::Closing('}')),
        ("echo $(( 1 + (2)", Why::Closing(')')),
        ("echo $[1", Why::Closing(']')),
        ("a=(1 2", Why::Closing(')')),
        ("a[1", Why::Closing(']')),
        ("cat <<EOF", Why::HereDocument),
        ("cat <<EOF\nx", Why::HereDocument),
        ("cat <<-'E F'\n\tE F x", Why::HereDocument),
        ("cat <<A <<B\na\nA\nb", Why::HereDocument),
        ("echo $(cat <<A\na\n", Why::HereDocument),
        ("echo a \\", Why::Backslash),
        ("echo \"a\\", Why::Backslash),
        ("if true", Why::Command),
        ("if true; then", Why::Command),
        ("if true; then a; else", Why::Command),
        ("while true; do", Why::Command),
        ("for i in 1 2", Why::Command),
        ("for ((i=0;i<3;i++))", Why::Command),
        ("select x in a; do b", Why::Command),
        ("case x in", Why::Command),
        ("case x in a) b;;", Why::Command),
        ("{ a;", Why::Command),
        ("( a", Why::Command),
        ("(( 1", Why::Closing(')')),
        ("[[ a &&", Why::Command),
        ("a |", Why::Command),
        ("a ||", Why::Command),
        ("a && # more", Why::Command),
        ("f()", Why::Command),
        ("function f", Why::Command),
        ("coproc {", Why::Command),
    ];
    for (text, why) in cases {
        assert_eq!(needs(text), Some(why), "{text:?}");
    }
}

#[test]
fn complete_or_wrong_is_complete() {
    let cases = [
        "",
        " ",
        "ls",
        "ls\\ ",
        "echo '\\'",
        "echo \"\\\"\"",
        "# don't",
        "echo a # don't",
        "echo a#'b'",
        "# a \\",
        "cat <<EOF\nx\nEOF",
        "cat <<-EOF\n\t\tEOF",
        "cat <<\"E\\\"F\"\nE\"F",
        "cat <<< 'a'",
        "echo $(cat <<E\nx\nE\n)",
        "echo $(cat <<E\nx\nE)",
        "cat <<E\na\\\nE\nE",
        "if a; then b; fi",
        "fi",
        "a )",
        "if; then",
        "case x in esac",
        "case x in (a|b) c;; *) d;& esac",
        "f() { a; }",
        "f() ( a )",
        "{ a; } | ( b ) && [[ -f c ]]",
        "echo if then",
        "a=(1 # )\n2)",
        "echo ${x:-'}'}",
        "echo $(( (1) ))",
        "((a); (b))",
        "[[ a =~ (b|c) ]]",
        "[[ a == @(b|c) ]]",
        "time",
        "!",
        "a &",
        "a;",
        "echo }",
        "for i do a; done",
        "a |\n b",
        "echo $(case x in a) b;; esac)",
        "a\\\n",
        "echo \"${x:-\"a b\"}\"",
        "cat <(a) >(b)",
        "echo $(# )\n)",
        "x=$'\\''",
        "coproc a",
    ];
    for text in cases {
        assert_eq!(needs(text), None, "{text:?}");
    }
}

#[test]
fn long_and_deep_texts_cost_little() {
    let long = 64 * 1024;
    let units = [
        "(",
        "((",
        "( (",
        "$(",
        "$((",
        "\"$(",
        "${",
        "`",
        "'",
        "\\\n",
        "{ ",
        "if ",
        "[[ ",
        "case x in a) ",
        "a=(",
        "a[",
        "<<E ",
        "<<E\n",
        "((a) ",
        "$(( ",
        "<(",
        "f() ",
        "! ",
        "a=",
        "x=[",
        "\"",
        "\\",
        "$",
        "#",
        ";",
        "a|",
        "$(<<E ",
        "é",
        "((a);(b))\n",
        "( ((a); (b))",
        "${x:-",
        "((((a))))",
    ];
    for unit in units {
        for tail in ["", ")", "\n)\n", "x"] {
            let text = unit.repeat(long / unit.len()) + tail;
            let start = spent();
            is_complete(&text);
            assert!(spent() - start < Duration::from_secs(2), "{unit:?} took {:?}", spent() - start);
        }
    }
}

#[test]
fn nesting_is_followed_to_a_limit() {
    for (open, close) in [("( ", ")"), ("$(", ")"), ("{ ", "}"), ("\"$(", ")\""), ("if ", "")] {
        assert_ne!(needs(&open.repeat(600)), None, "{open:?}");
        assert_eq!(needs(&open.repeat(5000)), None, "{open:?}");
        if !close.is_empty() {
            let text = open.repeat(600) + "a " + &format!("; {close}").repeat(600);
            assert_eq!(needs(&text), None, "{open:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,200}") {
        is_complete(&text);
    }

    #[test]
    fn any_shell_soup_gets_an_answer(text in "[(){}<>\\[\\]|&;'\"`$\\\\#!=a \n\t-]{0,300}") {
        is_complete(&text);
    }
}
