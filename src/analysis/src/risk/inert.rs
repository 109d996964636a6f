//! Text inside an argument that nothing happens to: what a query compares
//! with, and code that only computes and prints.
//!
//! Where it cannot be told, the text stays, and rules look at it.

use std::borrow::Cow;

/// Clients whose arguments are queries in SQL.
const SQL: [&str; 14] = [
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "cqlsh",
    "clickhouse-client",
    "sqlcmd",
    "duckdb",
    "cockroach",
    "usql",
    "snowsql",
    "trino",
    "pgcli",
    "mycli",
];
/// Clients whose arguments are queries with quoted strings of both kinds.
const QUOTING: [&str; 3] = ["mongosh", "mongo", "bq"];
/// Words with which a query runs a text that stands in quotes.
const DYNAMIC: [&str; 10] =
    ["execute", "exec", "prepare", "eval", "program", "\\!", "dblink", "do $", "load", "system"];
/// Programs whose arguments are code.
const LANGUAGES: [&str; 12] =
    ["python", "pypy", "perl", "ruby", "node", "nodejs", "php", "lua", "awk", "gawk", "mawk", "nawk"];
/// What code needs for doing more than computing and printing, in lower case;
/// anywhere in it, so that a name that only contains one counts too.
const ACTING: [&str; 58] = [
    "system",
    "exec",
    "eval",
    "popen",
    "spawn",
    "process",
    "child",
    "`",
    "%x",
    "qx",
    "open",
    "file",
    "unlink",
    "remove",
    "delete",
    "rmtree",
    "rmdir",
    "rmsync",
    "rm(",
    "rename",
    "write",
    "chmod",
    "chown",
    "kill",
    "fork",
    "setuid",
    "setgid",
    "ctypes",
    "ffi",
    "dlopen",
    "load",
    "import os",
    "import sys",
    "shutil",
    "pathlib",
    "socket",
    "net",
    "http",
    "url",
    "request",
    "fetch",
    "pty",
    "getline",
    "decode",
    "unpack",
    "compile",
    "marshal",
    "require",
    "include",
    "__",
    "chr(",
    "fromchar",
    "atob",
    "truncate",
    "| \"",
    "|\"",
    "getattr",
    "signal",
];

/// Of those, awk: it knows no files but those it is told to write, and no deeds but these.
const AWKS: [&str; 4] = ["awk", "gawk", "mawk", "nawk"];
const AWK_ACTING: [&str; 7] = ["system", "|", ">", "getline", "@load", "@include", "/inet"];

/// What rules look at of one argument of `program`.
pub fn acting<'t>(program: &str, text: &'t str) -> Cow<'t, str> {
    if LANGUAGES.contains(&program) {
        let lower = text.to_lowercase();
        let code = text.contains([' ', '(', '\'', '"']) && !text.starts_with('-');
        let acting: &[&str] = if AWKS.contains(&program) { &AWK_ACTING } else { &ACTING };
        return if code && !acting.iter().any(|word| lower.contains(word)) { "".into() } else { text.into() };
    }
    let (sql, quoting) = (SQL.contains(&program), QUOTING.contains(&program));
    if !sql && !quoting || text.starts_with('-') {
        return text.into();
    }
    let lower = text.to_lowercase();
    if DYNAMIC.iter().any(|word| lower.contains(word)) {
        return text.into();
    }
    without_strings(text, quoting || program.starts_with("m")).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What code may read a file with besides, in lower case.
const READING: [&str; 12] =
    ["io.", "read", "glob", "source", "dir", "slurp", "argv", "argf", "stat", "mode", "lines", "<"];

/// Whether `text` is code of `program` that opens nothing, whatever it names.
pub fn only_computes(program: &str, text: &str) -> bool {
    if !LANGUAGES.contains(&program) || !acting(program, text).is_empty() || text.is_empty() {
        return false;
    }
    let lower = text.to_lowercase();
    !READING.iter().any(|word| lower.contains(word))
}

/// A query without what stands in quotes, and without comments to the end of a
/// line. `None`: a quote has no end, or there are forms in which clients differ.
fn without_strings(text: &str, double: bool) -> Option<String> {
    if ["\\", "#", "`", "[", "$$", "/*"].iter().any(|form| text.contains(form)) {
        return None;
    }
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if matches!(c, '\'' | '"') {
            let inner = rest.get(1..)?;
            let end = inner.find(c)?;
            // Elsewhere than in MySQL a name can be in double quotes.
            left.push_str(if c == '\'' || double { "''" } else { rest.get(..end + 2)? });
            rest = inner.get(end + 1..)?;
        } else if let Some(after) = rest.strip_prefix("--") {
            if !after.starts_with(char::is_whitespace) {
                return None;
            }
            rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or("");
        } else {
            left.push(c);
            rest = rest.get(c.len_utf8()..)?;
        }
    }
    Some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_or_printed_is_no_deed() {
        for (program, text) in [
            ("psql", "select * from log where q = 'drop table x'"),
            ("mysql", "select \"drop database x\""),
            ("psql", "insert into notes values ('drop was blocked')"),
            ("sqlite3", "select 1 -- drop table x"),
            ("mongosh", "db.log.find({cmd: 'db.dropDatabase()'})"),
            ("python", "print('drop rm -rf /')"),
            ("awk", "/drop rm -rf/ {print $0}"),
            ("awk", "/drop kill/ {print FILENAME\": \"FNR}"),
            ("mawk", "{ if ($0 ~ /drop http/) n++ } END { print n }"),
        ] {
            assert!(!acting(program, text).contains("drop"), "{text}: {}", acting(program, text));
        }
        for (program, text) in [
            ("psql", "drop table x"),
            ("psql", "select 'a'; drop table x"),
            ("psql", "do $$ begin execute 'drop table x'; end $$"),
            ("mysql", "prepare s from 'drop table x'"),
            ("mysql", "select 1 /*! ; drop table x */"),
            ("psql", "select 'it''s'; drop table x"),
            ("psql", "select 'no end; drop table x"),
            ("psql", "select \"'\"; drop table x; select \"'\""),
            ("sqlite3", "select [']; drop table x; select [']"),
            ("mysql", "select 'a\\'; drop table x; select '"),
            ("mysql", "select 1 # it's\n; drop table x; select '"),
            ("psql", "select 1 --'\n; drop table x --'"),
            ("mongosh", "db.dropDatabase(); eval('drop')"),
            ("python", "import os; os.system('drop')"),
            ("awk", "BEGIN {system(\"drop\")}"),
            ("awk", "{print \"drop\" | \"sh\"}"),
            ("gawk", "{print \"drop\" > \"/etc/x\"}"),
            ("gawk", "BEGIN { \"drop\" | getline x }"),
            ("bash", "echo 'drop'"),
        ] {
            assert!(acting(program, text).contains("drop"), "{text}: {}", acting(program, text));
        }
    }
}
