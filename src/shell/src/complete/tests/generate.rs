//! Random shell text: a grammar, mutations of what it makes, and soup.

const WORDS: &[&str] = &[
    "a",
    "b",
    "echo",
    "x=1",
    "a[1]=2",
    "$x",
    "${x}",
    "${x:-y}",
    "'q r'",
    "\"d $x\"",
    "\"$(b)\"",
    "$(a)",
    "`a`",
    "\\ ",
    "$((1+2))",
    "$'a\\'b'",
    "$\"t\"",
    "<(a)",
    ">(b)",
    "a=(1 2)",
    "if",
    "then",
    "do",
    "done",
    "in",
    "esac",
    "fi",
    "{",
    "}",
    "!",
    "time",
    "[[",
    "]]",
    "case",
    "for",
    "function",
    "coproc",
    "declare",
    "#c",
    "a#b",
    "1",
    "--",
    "-p",
    "*",
    "?",
    "~",
    "=",
    "==",
    "-f",
    "=~",
    "(a)",
    "@(a|b)",
    "${#x}",
    "${x[@]}",
    "${x%'}'}",
    "$[1+2]",
    "a\\",
    "=(",
    "$$",
    "$#",
    "a+=(x)",
    "declare a=(1)",
    "local b=( 2 )",
    "select",
    "until",
    "while",
    "elif",
    "else",
];
const BITS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "|",
    "&",
    ";",
    "\"",
    "'",
    "`",
    "$",
    "\\",
    "#",
    "!",
    "=",
    "\n",
    " ",
    "\t",
    "-",
    "*",
    "a",
    "E",
    "1",
    "$(",
    "${",
    "$((",
    "((",
    "))",
    "<<E",
    "<<'E'\n",
    "\nE\n",
    "if ",
    "then ",
    "fi",
    "do ",
    "done",
    "case ",
    "esac",
    " in ",
    "for ",
    "{ ",
    " }",
    ";;",
    "[[ ",
    " ]]",
    "f() ",
    "&&",
    "||",
    " # ",
    "$'",
    "\\\n",
    "=(",
    "a=(",
    "a[",
    "<(",
    "function ",
    "coproc ",
    "time ",
    "! ",
];

/// Makes texts from a seed, the same ones each time.
pub(super) struct Maker {
    state: u64,
    bodies: Vec<String>,
}

impl Maker {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, bodies: Vec::new() }
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % limit.max(1)
    }

    fn pick(&mut self, from: &[&str]) -> String {
        from[self.below(from.len())].to_owned()
    }

    /// One text.
    pub(super) fn text(&mut self) -> String {
        match self.below(20) {
            0..4 => self.script(),
            4..9 => {
                let script = self.script();
                let cut = script.floor_char_boundary(self.below(script.len() + 1));
                script[..cut].to_owned()
            }
            9..16 => self.mutated(),
            _ => {
                let soup: Vec<String> = (0..self.below(9) + 1)
                    .map(|_| if self.below(2) == 0 { self.pick(WORDS) } else { self.pick(BITS) } + if self.below(2) == 0 { " " } else { "" })
                    .collect();
                soup.concat()
            }
        }
    }

    fn mutated(&mut self) -> String {
        let mut text = self.script();
        for _ in 0..self.below(3) + 1 {
            let at = self.below(text.len() + 1);
            match self.below(3) {
                0 => text.insert_str(at, &self.pick(BITS)),
                1 => {
                    let end = (at + self.below(5)).min(text.len());
                    text.replace_range(at..end, "");
                }
                _ => {
                    let from = self.below(text.len() + 1);
                    let piece = text[from..(from + self.below(8)).min(text.len())].to_owned();
                    text.insert_str(at, &piece);
                }
            }
        }
        text
    }

    fn script(&mut self) -> String {
        self.bodies.clear();
        let mut text = self.list(0);
        if !self.bodies.is_empty() {
            text += &self.newline();
        }
        text
    }

    fn newline(&mut self) -> String {
        "\n".to_owned() + &std::mem::take(&mut self.bodies).concat()
    }

    fn separator(&mut self) -> String {
        match self.below(4) {
            0 | 1 if self.bodies.is_empty() => self.pick(&[";", "; ", "&", " & "]),
            _ => self.newline(),
        }
    }

    fn list(&mut self, depth: usize) -> String {
        let mut text = self.pipeline(depth);
        while self.below(10) < if depth < 3 { 3 } else { 1 } {
            text += &match self.below(4) {
                0 => self.separator() + " ",
                1 => self.separator() + "# comment 'x\n",
                _ => self.pick(&[" && ", " || ", "&&\n"]),
            };
            text += &self.pipeline(depth);
        }
        text
    }

    fn pipeline(&mut self, depth: usize) -> String {
        let mut text = self.pick(&["", "", "", "", "! ", "time "]) + &self.command(depth);
        while self.below(5) == 0 {
            text += &self.pick(&[" | ", " |& ", "|", "|\n"]);
            text += &self.command(depth);
        }
        text
    }

    fn command(&mut self, depth: usize) -> String {
        if depth > 4 || self.below(9) < 5 {
            return self.simple(depth);
        }
        let redirect = if self.below(5) == 0 { self.redirect() } else { String::new() };
        self.compound(depth) + &redirect
    }

    fn redirect(&mut self) -> String {
        self.pick(&[
            " > f", " 2>&1", " < f", " >> f", " &> f", " <<< w", " >&-", " {fd}> f", " >| f", " <> f", " > $(a)",
        ])
    }

    fn simple(&mut self, depth: usize) -> String {
        let mut text =
            self.pick(&["a", "b", "echo", "ls", "x", "'q'", "\"d\"", "$v", "x=1", "x=(1 2)", "a[0]=1", "> f"]);
        for _ in 0..self.below(3) {
            text += " ";
            text += &self.word(depth + 1);
        }
        if self.below(8) == 0 {
            text += &self.redirect();
        }
        if self.below(12) == 0 {
            text += &self.pick(&[" <<E", " <<'E'", " <<\\E", " <<-E"]);
            let body = self.pick(&["x\n", "", "a $(b\n", "  y'\n"]) + "E\n";
            self.bodies.push(body);
        }
        text
    }

    fn word(&mut self, depth: usize) -> String {
        if depth > 4 {
            return self.pick(&["a", "b", "c"]);
        }
        match self.below(20) {
            0..11 => self.pick(WORDS),
            11 | 12 => "$(".to_owned() + &self.list(depth + 1) + ")",
            13 => "\"a $(".to_owned() + &self.list(depth + 1) + ") b\"",
            14 => "`".to_owned() + &self.simple(depth + 1).replace('`', "") + "`",
            15 => "${x:-".to_owned() + &self.word(depth + 1) + "}",
            16 => "$(( ".to_owned() + &self.pick(&["1", "x + (1+2)", "a[0]", "$(b) * 2", "'1'"]) + "))",
            17 => "\"".to_owned() + &self.word(depth + 1).replace('"', "") + "\"",
            18 => self.word(depth + 1) + &self.word(depth + 1),
            _ => self.pick(&["a", "b", "c"]),
        }
    }

    fn inner(&mut self, depth: usize) -> String {
        self.list(depth + 1) + &self.separator()
    }

    fn compound(&mut self, depth: usize) -> String {
        match self.below(12) {
            0 => {
                let rest = match self.below(3) {
                    0 => String::new(),
                    1 => "else ".to_owned() + &self.inner(depth),
                    _ => "elif ".to_owned() + &self.inner(depth) + "then " + &self.inner(depth),
                };
                "if ".to_owned() + &self.inner(depth) + "then " + &self.inner(depth) + &rest + "fi"
            }
            1 => self.pick(&["while ", "until "]) + &self.inner(depth) + "do " + &self.inner(depth) + "done",
            2 => {
                let head = self.pick(&["for ", "select "]) + &self.pick(&["x", "if", "a"]);
                let words = self.pick(&[" in a b c;", " in $x\n", ";", " ", " in a\n\n", " in;"]);
                head + &words + "do " + &self.inner(depth) + "done"
            }
            3 => {
                "for ((i=0;i<3;i++))".to_owned()
                    + &self.pick(&[";", " ", "\n", ""])
                    + "do "
                    + &self.inner(depth)
                    + "done"
            }
            4 => {
                let mut text = "case $x".to_owned() + &self.pick(&[" in ", "\nin\n"]);
                for _ in 0..self.below(3) {
                    text += &self.pick(&["a", "(a|b", "*", "'x y'", "$z", "(if"]);
                    text += ") ";
                    text += &if self.below(3) == 0 { String::new() } else { self.list(depth + 1) };
                    text += &self.pick(&[";;", ";&", ";;&", ";;\n"]);
                }
                text + "esac"
            }
            5 => "{ ".to_owned() + &self.inner(depth) + "}",
            6 => "(".to_owned() + &self.list(depth + 1) + &self.pick(&[")", " )", "\n)"]),
            7 => "(( x ".to_owned() + &self.pick(&["+ 1", "> 2", "= (3)", "* $(a)"]) + " ))",
            8 => "[[ ".to_owned() + &self.condition(depth) + " ]]",
            9 => self.pick(&["f() ", "f ()\n", "function f ", "function f()\n"]) + &self.compound(depth + 1),
            10 => "coproc ".to_owned() + &self.pick(&["", "N "]) + &self.compound(depth + 1),
            _ => "((a); (b))".to_owned(),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let text = self.pick(&[
            "-f x",
            "a == b",
            "a == @(b|c)*",
            "a =~ (x|y)z$",
            "! a",
            "x",
            "a < b",
            "a -eq 1",
            "( a )",
            "( a || b )",
            "-z $x && y",
            "a != 'b c'",
            "$(a) == b",
        ]);
        if depth < 5 && self.below(3) == 0 {
            return text + &self.pick(&[" && ", " || ", " &&\n"]) + &self.condition(depth + 1);
        }
        text
    }
}
