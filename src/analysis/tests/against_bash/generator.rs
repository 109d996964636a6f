//! Lines of bash from a seed: first sound ones, then some of them damaged.

/// Makes lines.
pub struct Generator {
    state: u64,
    depth: u32,
}

const NAMES: [&str; 8] = ["aa", "bb", "cc", "dd", "a'a'", "\"bb\"", "c\\c", "$'dd'"];
const WORDS: [&str; 34] = [
    "x",
    "-v",
    "'a b'",
    "\"c d\"",
    "$v",
    "\"$v\"",
    "${v:-w}",
    "a\\ b",
    "$'t\\tn\\x41'",
    "*.c",
    "{p,q}",
    "~",
    "''",
    "\"\"",
    "a=b",
    "--o=1",
    "#n",
    "a#b",
    "$((1+2))",
    "'$(zz)'",
    "\\$x",
    "\"a\\\"b\"",
    "if",
    "done",
    "}",
    "{",
    "[[",
    "!",
    "é",
    "$",
    "a\\\nb",
    "\"x\ny\"",
    "1",
    "in",
];
const DAMAGE: [&str; 38] = [
    "'", "\"", "`", "$", "(", ")", "{", "}", "<", ">", "|", "&", ";", "\\", "\n", "#", "!", "=", "~", "*", "[", "]",
    " ", "\t", "$(", "<(", "<<", "<<<", ">&", "((", "))", "[[", "]]", ";;", "EOF", "aa", "\\\n", "1>",
];

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, depth: 0 }
    }

    fn next(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 16).unwrap_or(0) % below
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.next(from.len())]
    }

    /// A line, every third of them damaged.
    pub fn line(&mut self) -> String {
        self.depth = 0;
        let mut line = self.list();
        if self.next(3) == 0 {
            for _ in 0..=self.next(3) {
                line = self.damaged(&line);
            }
        }
        line
    }

    fn damaged(&mut self, line: &str) -> String {
        let mut chars: Vec<char> = line.chars().collect();
        let at = self.next(chars.len() + 1);
        match self.next(3) {
            0 if at < chars.len() => {
                chars.remove(at);
            }
            1 if at + 2 < chars.len() => chars.swap(at, at + 1),
            _ => {
                let piece: Vec<char> = self.pick(&DAMAGE).chars().collect();
                chars.splice(at..at, piece);
            }
        }
        chars.into_iter().collect()
    }

    fn list(&mut self) -> String {
        let mut text = self.pipeline();
        for _ in 0..self.next(3) {
            text += self.pick(&[" && ", " || ", "; ", " & ", "\n", ";", "&&", " # note\n", " \\\n&& "]);
            text += &self.pipeline();
        }
        text
    }

    fn pipeline(&mut self) -> String {
        let mut text = self.pick(&["", "", "", "", "! ", "time "]).to_owned() + &self.command();
        for _ in 0..self.next(3) / 2 {
            text += self.pick(&[" | ", "|", " |& ", " |\n"]);
            text += &self.command();
        }
        text
    }

    fn command(&mut self) -> String {
        self.depth += 1;
        let kind = if self.depth > 4 { 0 } else { self.next(22) };
        let text = match kind {
            0..=9 => self.simple(),
            10 => format!("( {} )", self.list()),
            11 => format!("{{ {}; }}", self.pipeline()),
            12 => format!("if {}; then {}; else {}; fi", self.pipeline(), self.list(), self.pipeline()),
            13 => format!("for i in {} {}; do {}; done", self.word(), self.word(), self.pipeline()),
            14 => format!("case {} in x|a*) {} ;; (*) {} ;; esac", self.word(), self.pipeline(), self.list()),
            15 => format!("f() {{ {}; }}; f", self.pipeline()),
            16 => format!(
                "[[ {} == {} ]] || {}",
                self.pick(&["x", "$v", "'a b'"]),
                self.pick(&["x", "a*", "(b)"]),
                self.simple()
            ),
            17 => format!("(( {} )); {}", self.pick(&["1+2", "1 < 2", "x=3", "$(aa)"]), self.simple()),
            18 => self.here_document(),
            19 => format!("eval {}", self.quoted_list()),
            20 => format!("{} {}", self.simple(), self.redirection()),
            _ => format!("{{ {}; }} {}", self.simple(), self.redirection()),
        };
        self.depth -= 1;
        text
    }

    fn simple(&mut self) -> String {
        let mut text = String::new();
        if self.next(6) == 0 {
            text += &format!("V={} ", self.word());
        }
        if self.next(12) == 0 {
            text += &format!("{} ", self.redirection());
        }
        text += self.pick(&NAMES);
        for _ in 0..self.next(4) {
            text += self.pick(&[" ", "  ", "\t", " \\\n "]);
            text += &self.word();
        }
        if self.next(8) == 0 {
            text += &format!(" {}", self.redirection());
        }
        text
    }

    fn word(&mut self) -> String {
        if self.depth > 5 || self.next(5) > 0 {
            return self.pick(&WORDS).to_owned();
        }
        self.depth += 1;
        let inner = self.list();
        self.depth -= 1;
        match self.next(6) {
            0 | 1 => format!("$({inner})"),
            2 => format!("\"p $({inner}) s\""),
            3 if !inner.contains(['`', '\\', '"']) => format!("`{inner}`"),
            4 => format!("${{v:-$({inner})}}"),
            _ => format!("<({inner})"),
        }
    }

    fn redirection(&mut self) -> String {
        self.pick(&[
            "> out",
            ">> out",
            "2>&1",
            "< /dev/null",
            "&> out",
            ">| out",
            "2> err",
            "<<< text",
            "3>&1",
            "> \"o u\"",
            ">out",
            "1>&2",
            "<> rw",
            "{fd}> out",
        ])
        .to_owned()
    }

    fn here_document(&mut self) -> String {
        let (open, close) =
            [("<<EOF", "EOF"), ("<<'EOF'", "EOF"), ("<<-EOF", "\tEOF"), ("<< \"E F\"", "E F"), ("<<\\X", "X")]
                [self.next(5)];
        let body = match self.next(4) {
            0 => format!("text $({})", self.simple()),
            1 => "aa bb\n$v `cc`".to_owned(),
            2 => "EOF \n EOF".to_owned(),
            _ => "it's \"so\" $x \\$(aa)".to_owned(),
        };
        format!(
            "{} {open}{}\n{body}\n{close}\n{}",
            self.pick(&NAMES),
            self.pick(&["", " | bb", "; cc", " && dd"]),
            self.simple()
        )
    }

    /// A list as one quoted word.
    fn quoted_list(&mut self) -> String {
        let list = self.list();
        if self.next(2) == 0 { format!("'{}'", list.replace('\'', "'\\''")) } else { list.replace(['\n', '#'], " ") }
    }

    /// A command behind real wrappers.
    pub fn wrapped(&mut self) -> String {
        let mut text = format!(
            "{} {}",
            self.pick(&["aa", "bb", "cc", "dd"]),
            self.pick(&["x", "'a b'", "-v", "\"c\"", "--", "-n 3"])
        );
        for _ in 0..=self.next(3) {
            let escaped = text.replace('\'', "'\\''");
            let wrapper = self.next(22);
            text = match wrapper {
                0 => format!("env {text}"),
                1 => format!("env -i A=1 CS_END=\"$CS_END\" CS_LOG=\"$CS_LOG\" PATH=\"$PATH\" {text}"),
                2 => format!("env -u X Y=1 {text}"),
                3 => format!("nice -n 1 {text}"),
                4 => format!("nice {text}"),
                5 => format!("nohup {text}"),
                6 => format!("timeout -k 1 -s TERM 2 {text}"),
                7 => format!("timeout --preserve-status 2s {text}"),
                8 => format!("setsid -w {text}"),
                9 => format!("stdbuf -oL {text}"),
                10 => format!("echo w | xargs {text}"),
                11 => format!("printf 'p\\nq' | xargs -n 1 -I% {text} %"),
                12 => format!("find . -maxdepth 0 -exec {text} {{}} \\;"),
                13 => format!("sh -c '{escaped}'"),
                14 => format!("bash -c '{escaped}' name arg"),
                15 => format!("eval '{escaped}'"),
                16 => format!("command {text}"),
                17 => format!("ionice -c 3 {text}"),
                18 => format!("bash <<'E'\n{text}\nE"),
                19 => format!("sh <<< '{escaped}'"),
                20 => format!("flock lock{} {text}", self.next(1_000_000)),
                _ => format!("flock lock{} -c '{escaped}'", self.next(1_000_000)),
            };
        }
        text
    }
}
