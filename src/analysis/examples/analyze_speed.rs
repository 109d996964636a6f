//! Speed of everything that is known about a line: of lines on standard input
//! (`{"command": …}` each), and of the worst lines there are.

use countersign_analysis::analyze;
use countersign_analysis::facts::Place;
use std::io::{BufRead, IsTerminal, Write};
use std::time::Instant;

/// Bytes of a hostile line: the longest that is read.
const LONG: usize = 64 * 1024 - 16;

fn main() -> std::io::Result<()> {
    let place = Place::default();
    let mut out = std::io::stdout().lock();
    let input = std::io::stdin().lock();
    let mut lines = Vec::new();
    if !input.is_terminal() {
        for line in input.lines() {
            let value: serde_json::Value = serde_json::from_str(&line?)?;
            lines.extend(value.get("command").and_then(|command| command.as_str()).map(str::to_owned));
        }
    }
    let start = Instant::now();
    std::hint::black_box(analyze("ls", &place, &[]));
    writeln!(out, "{:8.2} ms  the first line, with the tables", start.elapsed().as_secs_f64() * 1e3)?;
    let before = on_processor();
    for line in &lines {
        std::hint::black_box(analyze(std::hint::black_box(line), &place, &[]));
    }
    let seconds = (on_processor() - before) / 1e3;
    let count = f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    writeln!(
        out,
        "{:8.2} us  a line of {count}, {:.0} lines a processor second",
        seconds * 1e6 / count,
        count / seconds
    )?;
    let mut slowest: Vec<(f64, String)> =
        hostile().into_iter().map(|(name, line)| (best(&line, &place), name)).collect();
    slowest.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (ms, name) in slowest.iter().take(25) {
        writeln!(out, "{ms:8.2} ms  {name}")?;
    }
    Ok(())
}

/// The best of three, in milliseconds of this thread's time on a processor, so
/// that other processes do not count. Deep lines are read by a thread of their
/// own: there the clock on the wall is what there is.
fn best(line: &str, place: &Place<'_>) -> f64 {
    let run = || {
        let (start, before) = (Instant::now(), on_processor());
        std::hint::black_box(analyze(std::hint::black_box(line), place, &[]));
        let (wall, here) = (start.elapsed().as_secs_f64() * 1e3, on_processor() - before);
        if here > 0.0 && deep(line) { wall } else { here }
    };
    (0..3).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn deep(line: &str) -> bool {
    line.matches(['(', '{', '[', '`']).count() > 12 || line.matches("if ").count() > 12
}

/// Milliseconds that this thread has run; see proc(5), `schedstat`.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// Lines made of one piece again and again, of a piece around itself, and of
/// pieces that begin once and end often.
fn hostile() -> Vec<(String, String)> {
    let pieces = [
        "a",
        "a ",
        "aB3 ",
        "=",
        "a=b ",
        "a=$b ",
        ":",
        "$(",
        "$(a ",
        "`",
        "'",
        "\"",
        "\\",
        "((",
        "$((",
        "[[ ",
        "{",
        "{{{{",
        "{a,",
        "{a,b}",
        "}",
        "(",
        ")",
        "<(",
        ">(",
        "|",
        "a|",
        "a | b | ",
        "a&&",
        "a;",
        "a\n",
        "!",
        "! ",
        "<",
        "<<E\n",
        "<<E ",
        "<<<",
        "<<<a ",
        "<<'E'\nx\nE\n",
        "cat <<E\nE\n",
        "cat <<A <<B\nA\nB\n",
        "$",
        "$a",
        "${",
        "${a:-",
        "${a[",
        "$'",
        "$'\\x41'",
        "$\"",
        "~",
        "*",
        "?",
        "[a",
        "**/",
        "#",
        "# ",
        "if ",
        "if a; then ",
        "while a; do ",
        "for a in b; do ",
        "case a in ",
        "a) ",
        "a() {",
        "function a ",
        "select ",
        "coproc ",
        "time ",
        "eval ",
        "eval \"",
        "eval 'a' ",
        "sh -c ",
        "sh -c '",
        "sh -c \"a\";",
        "sudo ",
        "sudo -u a ",
        "env ",
        "env a=b ",
        "xargs ",
        "nice -n 1 ",
        "timeout 1 ",
        "ssh h ",
        "ssh h 'a' ;",
        "find . -exec a {} + ",
        "find -exec a \\; ",
        "docker run a ",
        "docker exec c ",
        "busybox ",
        "parallel ",
        "trap a ",
        "command ",
        "exec ",
        "nohup ",
        "su -c ",
        "flock a ",
        "p=",
        "key=",
        "key=a,",
        "password=\"",
        "password=a ",
        "token: a ",
        "--token ",
        "-p",
        "-pA1b2C3d4",
        "mysql -p",
        "mysql -pA1b2c3d4 ",
        "curl -u a:b ",
        "curl -H 'Authorization: ",
        "Cookie: a=b;",
        "bearer ",
        "Bearer A1b2C3d4e5f6g7h8 ",
        "://a:",
        "http://a:b@",
        "http://a:b@c/ ",
        "@",
        "a@",
        "a@b.de ",
        "-----BEGIN PRIVATE KEY-----\n",
        "AKIA",
        "ghp_",
        "eyJ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "1 ",
        "41",
        "4111 ",
        "GB82",
        "xoxb-",
        "sk-",
        "x'\\''",
        "echo a|",
        "echo a >",
        "> a ",
        "2>&1 ",
        "htpasswd -b ",
        "redis-cli AUTH ",
        "vault login ",
        "machine a login b password c ",
        "a:b:c:d:e\n",
        "\u{e9}",
        "\u{202e}",
        "\u{200d}",
        "\u{1f468}\u{200d}",
        "\u{440}a",
        "\u{1b}[",
        "\u{1b}]0;",
        "printf '\\e",
        "rm -rf / ;",
        "cat /etc/shadow|",
        "/etc/passwd ",
        "/a",
        "../",
        "~/.ssh/ ",
        "https://a.b/c ",
        "1.2.3.4 ",
        "a.b ",
        "drop table a;",
        "psql -c 'select ",
        "python -c 'import os",
        "import os;",
        "awk '{",
        "SELECT '",
        "/*",
        "--",
        "$RANDOM[",
        "a[$(",
        "a[0]=b ",
        "((a=",
        "let a=1;",
        "unset 'a[$(",
        "declare -A a;",
        "alias a=b;",
        "\t",
        " ",
        "\r",
        "\n\n",
        "\\\n",
        "\\\na",
        ";;",
        "||",
        "&",
        "&>",
        "|&",
        "<>",
        ">|",
    ];
    let mut lines = Vec::new();
    for piece in pieces {
        let many = |piece: &str, bytes: usize| piece.repeat(bytes / piece.len());
        lines.push((format!("{piece:?} repeated"), many(piece, LONG)));
        lines.push((format!("echo {piece:?} repeated"), format!("echo {}", many(piece, LONG - 8))));
        lines.push((format!("echo '{piece:?} repeated'"), format!("echo '{}'", many(piece, LONG - 8))));
        lines.push((format!("bash -c \"{piece:?} repeated\""), format!("bash -c \"{}\"", many(piece, LONG - 16))));
        lines.push((format!("90 of {piece:?}"), many(piece, piece.len() * 90)));
        lines
            .push((format!("90 of {piece:?}, then a long word"), many(piece, piece.len() * 90) + &many("a", LONG / 2)));
        lines.push((
            format!("11 of {piece:?}, then many words"),
            many(piece, piece.len() * 11) + &many("a b ", LONG / 2),
        ));
        lines.push((
            format!("500 of {piece:?}, in a here-document"),
            format!("cat <<E\n{}\nE\n", many(piece, LONG - 16)),
        ));
    }
    for (open, close) in [
        ("$(", ")"),
        ("(", ")"),
        ("{ ", ";}"),
        ("`", "`"),
        ("\"$(a ", ")\""),
        ("<(", ")"),
        ("${a:-", "}"),
        ("$((", "))"),
        ("if a;then ", ";fi"),
        ("[[ ( ", " ) ]]"),
    ] {
        for depth in [8, 11, 13, 40, 90, 99] {
            let line = format!("{}{}{}", open.repeat(depth), "a b ".repeat(LONG / 4 - 20 * depth), close.repeat(depth));
            lines.push((format!("{depth} times {open:?} around words"), line));
            let line = format!("{}a{}", open.repeat(depth), close.repeat(depth));
            let times = LONG / (line.len() + 2);
            lines.push((format!("{depth} times {open:?}, {times} times"), format!("{line}; ").repeat(times)));
        }
    }
    lines
}
