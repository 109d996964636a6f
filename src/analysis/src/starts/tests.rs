use super::*;

fn words(line: &str) -> Option<Vec<String>> {
    first_words(line, "bash")
}

fn scripts(line: &str) -> Vec<String> {
    let shown = |script: Script| match script.after {
        None => format!("?:{}", script.path),
        Some(chain) => chain.iter().map(|dir| format!("{dir}:")).collect::<String>() + &script.path,
    };
    starts(line, "bash").scripts.into_iter().filter(|script| !script.settings).map(shown).collect()
}

#[test]
fn every_first_word_is_told() {
    for (line, want) in [
        ("ls -l /srv", "ls"),
        ("  ls;id ; uptime\nwho", "ls id uptime who"),
        ("ls | wc -l && true || false &", "ls wc true false"),
        ("A=1 B='x y' make all", "make"),
        ("echo 'a;b' \"c|d\" e\\;f", "echo"),
        ("ls >out 2>&1 </dev/null", "ls"),
        ("(cd /tmp; ls)", "cd ls"),
        ("if true; then ls; else id; fi", "true ls id"),
        ("! grep -q x f", "grep"),
        ("sudo -n systemctl restart nginx", "sudo systemctl"),
        ("env A=1 timeout 5 curl x", "env timeout curl"),
        ("find . -name '*.o' -exec rm {} +", "find rm"),
        ("bash -c 'ls | id'", "bash ls id"),
        ("python3 x.py", "python3"),
        ("source env.sh", "source"),
        ("./run.sh a", "./run.sh"),
        ("ls # and; more", "ls"),
        ("cat <<< text", "cat"),
        ("echo $HOME \"$X\" ${Y}", "echo"),
        ("[ -f x ] && ls", "[ ls"),
        ("command -v git", "command"),
        ("python3 --version", "python3"),
        ("git log --format=%h", "git"),
        ("printf '%s' x; ls", "printf ls"),
        ("echo $(id) \"`who`\"", "id who echo"),
        ("cat <<EOF\n$(id)\nEOF", "cat id"),
        ("diff <(ls) x", "ls diff"),
        ("for x in a; do ls; done", "ls"),
        ("sudo -u root watch ls", "sudo watch ls"),
        ("ssh host rm x", "ssh"),
        ("a=(1 2)", ""),
        ("x=1", ""),
    ] {
        assert_eq!(words(line).map(|w| w.join(" ")).as_deref(), Some(want), "{line}");
    }
}

#[test]
fn what_is_not_sure_is_not_told() {
    for line in [
        "",
        "$X",
        "$(id)",
        "\"$X\" a",
        "ls(){ id; }; ls",
        "bash + -c 'rm x'",
        "f () { id; }",
        "function f { id; }",
        "eval ls",
        "PATH=/tmp ls",
        "LD_PRELOAD=x ls",
        "PATH=/tmp; ls",
        "export PATH=/tmp; ls",
        "alias ls=id; ls",
        "hash -p /tmp/x ls; ls",
        "enable -f x y; y",
        "bash",
        "bash -s",
        "bash -c \"$X\"",
        "parallel ls",
        "ls 'x",
        "echo \"x",
        "[[ -f x ]]",
        "((x=1))",
        "l? x",
        "{ls,id}",
        "find . $X",
        "python3 $X",
        "python3 -",
        "perl -I x y.pl",
        "trap ls EXIT; id",
        ". $X",
        "read PATH; ls",
        "~x/ls",
        "printf -v PATH x; ls",
        "xargs -I {} {}",
        "command -p ls; $X",
        "if $(id); then ls; fi",
    ] {
        assert_eq!(words(line), None, "{line}");
    }
    let many: String = (0..100).map(|n| format!("a{n};")).collect();
    assert_eq!(words(&many), None);
    let many: String = (0..20).map(|n| format!("./a{n};")).collect();
    assert_eq!(words(&many), None, "scripts that are not told are not known");
}

#[test]
fn other_shells_are_told_of_plain_lines_only() {
    for shell in ["fish", "tcsh", "zsh"] {
        assert_eq!(first_words("ls -l /srv", shell).unwrap(), ["ls"]);
        for line in ["ls; id", "ls (id)", "A=1 ls", "if true", "echo $X", "ls | id", "begin"] {
            assert_eq!(first_words(line, shell), None, "{shell} {line}");
        }
    }
}

#[test]
fn scripts_are_found_with_their_place() {
    for (line, want) in [
        ("./x.sh", "./x.sh"),
        ("bash x.sh a b", "x.sh"),
        ("bash -eu x.sh", "x.sh"),
        ("python3 -u /srv/x.py", "/srv/x.py"),
        ("perl x.pl; ruby y.rb", "x.pl y.rb"),
        (". ./env && source more", "./env ?:more"),
        ("sudo ./x.sh", "./x.sh"),
        ("cd /srv && ./x.sh", "/srv:./x.sh"),
        ("cd a && cd b && bash x", "a:b:x"),
        ("cd /srv; ./x.sh", "/srv:./x.sh ./x.sh"),
        ("cd $D && ./x.sh", "?:./x.sh"),
        ("cd $D; ./x.sh", "?:./x.sh"),
        ("psql -f x.sql db", "x.sql"),
        ("php -f x.php", "x.php"),
        ("echo $(./x.sh)", "./x.sh"),
        ("bash -c './x.sh'", "./x.sh"),
        ("for i in 1 2; do ./x.sh $i; done", "./x.sh"),
        ("find . -exec ./x.sh {} \\;", "./x.sh"),
        ("nohup ./x.sh >log 2>&1 &", "./x.sh"),
        ("~/x.sh", "~/x.sh"),
        ("cd ~ && bash ~/y", "~:~/y"),
        ("bash '~/x'", "./~/x"),
        ("bash -c 'ls'", ""),
        ("python3 -c 'print(1)'", ""),
        ("python3 -m http.server", ""),
        ("perl -e 1", ""),
        ("perl -pi.bak -e s/a/b/ x", ""),
        ("node --eval 1", ""),
        ("psql -c 'select 1'", ""),
        ("ls -l", ""),
    ] {
        assert_eq!(scripts(line).join(" "), want, "{line}");
    }
    let many: String = (0..20).map(|n| format!("./a{n};")).collect();
    let told = starts(&many, "bash");
    assert!(told.scripts.len() == MAX_SCRIPTS && told.more_scripts);
}

#[test]
fn what_may_rewire_the_shell_is_told() {
    for line in [
        "f(){ :; }",
        "f () ( : )",
        "function f { :; }",
        "eval x",
        ". x",
        "enable -f x y",
        "$X",
        "trap x DEBUG",
        "ls 'x",
        "PS4='$(x)'; set -x",
        "(read -r -d '' -u 63 m; printf 'A\\0' >&63) &",
        "read -u63 x",
        "read -ru 12 x",
        "read -rd '' -n1 -eu12 x",
        "mapfile -tu 12 x",
        "read -ru $n x",
        "read -u $n x",
        "exec 62<&-",
        "exec 11<>f",
        "exec 0<&12",
        "cat </dev/fd/62",
        "echo x >/proc/$$/fd/63",
        "PS1='`x`'",
        "PS0=$X",
        "export PS4='$(x)'",
        "declare -x \"PS1=$(x)\"",
        "read -r PS4",
        "printf -v PS1 x",
        "MAILPATH='/tmp/x?$(x)' MAILCHECK=0",
        "v=11; exec {v}>&- {w}<>/dev/tcp/127.0.0.1/9",
        "{ :; } {v}<f",
        "while :; do break; done 63<f",
        "alias x='f() { :; }'\nx",
        "BASH_ALIASES[x]='f() { :; }'; x",
        "__cs_prompt='$(x)'",
        "declare -n r=PS1",
        "declare \"$v\"",
        "printf -vPS1 x",
        "echo \"${PS1:=$x}\"",
        "cat <<E\n${PS1[0]=$x}\nE",
        "echo ${P\\\nS1:=$x}",
        "echo \"${!v:=$x}${!v[a[1]]:=$x}\"",
        "for PS1 in \"$x\"; do :; done",
        "select PS1 in \"$x\"; do :; done",
    ] {
        assert!(starts(line, "bash").rewires, "{line}");
    }
    for line in [
        "ls",
        "cd /srv",
        "X=1",
        "export X=1",
        "PATH=/tmp",
        "PS1='\\u: '",
        "ls >out 2>&1 </dev/null",
        "exec 3<x; read -u 3 y; exec 3<&-",
        "PS4='$(x)' bash -x y",
        "alias ls=id",
        "export X=$Y",
        "export -n X; read -n 1 x",
        "printf '%s' \"$x\"",
        "declare -x X=\"$(date)\"",
        "{ ls; } >out",
        "hash -p /tmp/x ls",
        "echo $(date)",
        "for i in 1; do ls; done",
        "for k in \"${!m[@]}\"; do echo \"$k=${m[$k]} ${X:=1} ${!v:-a=b} ${PS1:-x=y}\"; done",
        "./x.sh",
        "(ls)",
    ] {
        assert!(!starts(line, "bash").rewires, "{line}");
    }
}

#[test]
fn files_that_are_handed_to_a_shell_are_scripts() {
    for (line, want) in [
        ("bash < x.sh", &["x.sh"][..]),
        ("bash -s a <x.sh", &["x.sh"]),
        ("bash + x.sh", &["x.sh"]),
        ("sh -e + x.sh a", &["x.sh"]),
        ("cat x.sh | bash", &["x.sh"]),
        ("cat a b | sudo sh", &["a", "b"]),
        ("cat < x.sh | bash", &["x.sh"]),
        ("zcat x.gz | python3", &["x.gz"]),
        ("bash <(cat x.sh)", &["x.sh"]),
        ("source <(cat x.sh)", &["x.sh"]),
        ("eval \"$(cat x.sh)\"", &["x.sh"]),
        ("bash -c \"$(cat x.sh)\"", &["x.sh"]),
        ("cd a && bash < x.sh", &["a:x.sh"]),
        ("$HOME/x.sh", &["~/x.sh"]),
        ("bash \"${HOME}/x.sh\"", &["~/x.sh"]),
        ("awk -f x.awk y", &["x.awk"]),
        ("make -f other all", &["other"]),
        ("BASH_ENV=x.sh bash -c :", &["x.sh"]),
        ("bash --rcfile x.sh -i", &["x.sh"]),
        // No input, for all that it lies there.
        ("bash /dev/shm/x.sh", &["/dev/shm/x.sh"]),
        ("source /dev/shm/x", &["/dev/shm/x"]),
        ("bash < /dev/shm/x", &["/dev/shm/x"]),
        ("python3 /proc/self/cwd/x.py", &["/proc/self/cwd/x.py"]),
        ("perl /dev/fd/5/x 5< .", &["/dev/fd/5/x"]),
        ("bash /dev/fd/7 7< x.sh", &["x.sh"]),
        ("exec 7<x.sh; bash /dev/fd/7", &["x.sh"]),
        ("exec <x.sh; bash", &["x.sh"]),
        ("exec <>x.sh; bash", &["?:x.sh"]),
        ("{ bash; } < x.sh", &["x.sh"]),
        ("(bash) < x.sh", &["x.sh"]),
        ("if true; then bash; fi <x.sh", &["x.sh"]),
        ("{ bash /dev/fd/7; } 7<x.sh", &["x.sh"]),
        ("{ cat; } < x.sh | bash", &["x.sh"]),
        ("bash <> x.sh", &["x.sh"]),
        ("while read l; do eval \"$l\"; done < x.sh", &["?:x.sh"]),
        ("cd d; { bash; } < x.sh", &["?:x.sh"]),
        ("cd d && cat x.sh | bash", &["d:x.sh", "x.sh"]),
        ("exec < x.sh; cd d; bash", &["x.sh"]),
        ("mapfile -t a < x.sh; eval \"${a[@]}\"", &["x.sh"]),
        ("source /dev/stdin < x.sh", &["x.sh"]),
        ("eval \"$(< x.sh)\"", &["x.sh"]),
        ("xargs -I{} sh -c {} < x.sh", &["x.sh"]),
        ("parallel < x.sh", &["x.sh"]),
        ("bash /proc/self/cwd/fd/0", &["/proc/self/cwd/fd/0"]),
        ("bash /dev/fd/../cwd/x", &["/dev/fd/../cwd/x"]),
        ("bash /proc/1234/fd/5", &["/proc/1234/fd/5"]),
        ("bash < /proc/1234/task/1234/fd/5", &["/proc/1234/task/1234/fd/5"]),
        // None of these runs a file.
        ("bash /dev/fd/0", &[]),
        ("bash //dev/./stdin", &[]),
        ("bash /proc/self/fd/0", &[]),
        ("cat x.sh", &[]),
        ("cat x | wc -l", &[]),
        ("wc < x", &[]),
        ("cat x | python3 -c 'print(1)'", &[]),
        ("bash < /dev/null", &[]),
        ("source /dev/stdin", &[]),
        ("'$HOME/x.sh'", &["$HOME/x.sh"]),
    ] {
        assert_eq!(scripts(line), want, "{line}");
    }
}

/// Where three of them fail it runs in `sub`, which was not among the eight that were told.
#[test]
fn more_places_than_are_followed_are_unknown() {
    let found = starts("cd sub; cd a; cd b; cd c; bash x.sh", "bash");
    assert!(found.scripts.iter().any(|script| script.after.is_none()), "{found:?}");
    assert_eq!(starts("cd /a; cd /b; cd /c; bash x.sh", "bash").scripts.len(), 4);
}

/// What was shown here was another file than the one that ran.
#[test]
fn a_place_that_is_not_followed_is_unknown() {
    for line in [
        "command cd sub && bash x.sh",
        "! cd sub && bash x.sh",
        "true && ! time cd sub && bash x.sh",
        "! { cd sub; } && bash x.sh",
        "time -- ! cd sub </nonexistent && bash x.sh",
        "time -p -- ! cd sub </nonexistent && bash x.sh",
        "rm -r d; ln -s ../o d; bash l/../x.sh",
        "builtin cd sub && bash x.sh",
        "cd /srv && \\command cd ~a/sub && bash x.sh",
        "cd /srv && env -C ~a/sub bash x.sh",
        "env -Csub bash x.sh",
        "env -iC sub bash x.sh",
        "env --chdir=sub bash x.sh",
        "nice env -C sub bash x.sh",
        "timeout 5 env -C sub bash x.sh",
        "sudo -D sub bash x.sh",
        "sudo -i bash x.sh",
        "sudo --login bash x.sh",
        "systemd-run --working-directory=sub bash x.sh",
        "find sub -execdir bash x.sh \\;",
        "eval 'cd sub'; bash x.sh",
        "trap 'cd sub' DEBUG; bash x.sh",
        ". /etc/cd.sh && bash x.sh",
        "(cd /srv) && bash x.sh",
        "bash -c 'cd /srv; bash x.sh'",
        "bash -c 'cp sub/x.sh x.sh'; bash x.sh",
        "for i in 1 2; do bash x.sh; cp sub/x.sh .; done",
        "cd /srv | true && bash x.sh",
        "if cd /srv; then bash x.sh; fi",
        "pushd sub; bash x.sh",
        "while :; do bash x.sh; cd sub; done",
        "f() { bash x.sh; cd sub; }; f; f",
        "cp sub/x.sh x.sh; bash x.sh",
        "cat sub/y > x.sh; bash x.sh",
        "cat sub/y > $F; bash x.sh",
        "sed -i s/a/b/ x.sh && bash x.sh",
        "cp sub/x.sh . && ./x.sh",
        "cp sub/* . && bash x.sh",
        "mv x.sh y.sh; bash x.sh",
        "{ echo id | tee x.sh; } && bash x.sh",
        "CDPATH=/srv; cd sub && bash x.sh",
        "CDPATH=/srv cd sub && bash x.sh",
        "read CDPATH < f; cd sub && bash x.sh",
        ": ${CDPATH:=/srv}; cd sub && bash x.sh",
        "shopt -s cdable_vars; cd sub && bash x.sh",
        "f() { bash x.sh; }; cd sub && f",
        "dd if=y of=x.sh && bash x.sh",
        "sort -ox.sh y && bash x.sh",
        "tar xf a.tar && bash x.sh",
        "unzip a && bash x.sh",
        "git checkout other && bash x.sh",
        "patch < p && bash x.sh",
        "rsync h:a . && bash x.sh",
        "scp 'h:*' . && bash x.sh",
        "curl -OJ http://h/ && bash x.sh",
        "ln -sfn /srv sub; cd sub && bash x.sh",
        "mv /srv sub && cd sub && bash x.sh",
    ] {
        let found: Vec<String> = scripts(line).into_iter().filter(|one| one.ends_with("x.sh")).collect();
        assert!(!found.is_empty() && found.iter().all(|one| one.starts_with("?:")), "{line}: {found:?}");
    }
    assert_eq!(scripts("ln -sfn sub d && bash d/x.sh").join(" "), "?:d/x.sh");
    assert_eq!(scripts("PWD=sub; bash $PWD/x.sh").join(" "), "?:$PWD/x.sh");
    assert_eq!(scripts("HOME=sub; bash ~/x.sh").join(" "), "?:~/x.sh");
    assert_eq!(scripts("env BASH_ENV=y.sh bash x.sh").join(" "), "y.sh x.sh");
    for line in ["env --chd sub bash x.sh", "env $X bash x.sh", "hash -p sub/x.sh x.sh; x.sh"] {
        assert_eq!(words(line), None, "{line}");
    }
    assert_eq!(words("env BASH_ENV=y.sh bash x.sh"), None);
    for (line, want) in [
        ("chmod +x x.sh && ./x.sh", "./x.sh"),
        ("cat x.sh; bash x.sh", "x.sh"),
        ("env A=1 nice -n 5 bash x.sh", "x.sh"),
        ("sudo -u ops bash x.sh", "x.sh"),
        ("cd $HOME/a && bash x.sh", "~/a:x.sh"),
        ("bash -c 'cd /srv' && bash x.sh", "x.sh"),
        ("nice ./x.sh; cd /srv", "./x.sh"),
        ("bash x.sh; rm -f x.sh", "x.sh"),
        (". /etc/cd.sh && bash /srv/x.sh", "/etc/cd.sh /srv/x.sh"),
        ("./x.sh > log && bash y.sh", "./x.sh y.sh"),
        ("set -e; cd sub && bash x.sh", "sub:x.sh"),
        ("shopt -s nullglob; cd sub && bash x.sh", "sub:x.sh"),
        ("f() { :; }; bash x.sh", "x.sh"),
        ("git status && curl -fsS http://h/ && bash x.sh", "x.sh"),
        ("dd if=x.sh of=y && bash z.sh", "z.sh"),
    ] {
        assert_eq!(scripts(line).join(" "), want, "{line}");
    }
}

#[test]
fn an_expression_uses_what_the_shell_was_told_before() {
    for line in ["((x)); true", "let x", "[[ x -eq 1 ]]; true", "for ((i=x;i;)); do true; done", "echo $((x))"] {
        let found = starts(line, "bash");
        assert!(!found.is_settled(true), "{line}");
    }
    for line in ["rm -r ~-/x", "rm -r ~+/x", "cat ~1/x", "ls > ~-"] {
        let found = starts(line, "bash");
        assert!(found.is_settled(false) && !found.is_settled(true), "{line}");
    }
    for line in ["[[ -f x ]]; true", "ls -l", "rm -r ~/x ~a/x '~-'"] {
        assert!(starts(line, "bash").is_settled(true), "{line}");
    }
}

/// A shell keeps the tables and the code that a locale brought, whatever its variables say later.
#[test]
fn what_a_locale_is_loaded_from_stays() {
    for line in ["export LOCPATH=/x", "GCONV_PATH=/x; true", "read -r LOCPATH < f", "env GCONV_PATH=/x iconv"] {
        assert!(starts(line, "bash").rewires, "{line}");
    }
    assert!(!starts("LC_ALL=C sort x", "bash").rewires);
}

/// It runs in place of the one that the account has.
#[test]
fn the_shell_that_su_is_given_is_a_script() {
    for line in ["su -s /srv/x a -c id", "su a --shell=/srv/x -c id", "su -s/srv/x a -c id", "runuser --sh /srv/x a"] {
        let scripts = starts(line, "bash").scripts;
        assert!(scripts.iter().any(|script| script.path == "/srv/x"), "{line}: {scripts:?}");
    }
    assert_eq!(starts("su a -c id", "bash").scripts, Vec::new());
}
