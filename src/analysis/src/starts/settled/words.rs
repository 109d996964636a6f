//! Words by which programs run others, or take in files of code, in languages of their own.

use super::super::acting::READS_ONLY;
use crate::programs::interpreter;
use crate::words::has_letter;

/// Modules of python that run nothing they are given.
const HARMLESS_MODULES: &[&str] = &[
    "http.server",
    "json.tool",
    "base64",
    "calendar",
    "platform",
    "sysconfig",
    "zipfile",
    "tarfile",
    "gzip",
    "venv",
    "compileall",
    "py_compile",
    "ensurepip",
    "site",
];

/// Whether the words of a program name another one, or a file of its commands.
pub(super) fn words_run(name: &str, texts: &[&str]) -> bool {
    let holds =
        |words: &[&str]| texts.iter().any(|text| words.iter().any(|word| text.to_ascii_lowercase().contains(word)));
    let letter = |letters: &[char]| texts.iter().any(|text| has_letter(text, letters));
    // Many programs in perl open what they are given by name: `pod2html '|x'`, `h2ph 'x|'`.
    let pipes =
        |text: &&str| text.len() > 1 && (text.starts_with('|') || text.ends_with('|') && !text.starts_with('-'));
    if !READS_ONLY.contains(&name) && interpreter(name).is_none() && texts.iter().any(pipes) {
        return true;
    }
    // An address of a bus by which its client starts a program; code in a text for TeX.
    if holds(&["unixexec:", "-shell-escape"]) {
        return true;
    }
    match name {
        // Builtins that run one of their words, together with other options, too: `jobs -x rm x`, `compgen -aC ./x`.
        "jobs" => letter(&['x']),
        "compgen" | "complete" => letter(&['C', 'F']),
        "mapfile" | "readarray" => letter(&['C']),
        "ssh" | "scp" | "sftp" => {
            // A socket of `-S` may be one that the agent listens on: what is sent there runs elsewhere than the line says.
            let socket = name == "ssh" && texts.iter().any(|text| text.starts_with("-S"));
            socket || holds(&["command", "provider", "xauthlocation", "controlpath"])
        }
        "dc" => holds(&["!"]),
        // It takes options behind its file, too: `script f -c x`.
        "script" => {
            texts.iter().skip_while(|text| text.len() > 1 && text.starts_with('-')).any(|text| text.starts_with('-'))
        }
        "mysql" | "mariadb" => holds(&["system", "source", "\\!", "\\.", "\\t"]),
        "psql" => holds(&["\\i", "\\!", "\\o", "\\g", "\\copy", "\\w", "\\e", "program"]),
        "sqlite3" => holds(&[
            ".read", ".load", ".shell", ".system", ".import", ".output", ".once", ".excel", "edit(", "load_ext",
        ]),
        "apt" | "apt-get" | "aptitude" => holds(&["invoke", "dir::", "pkgs", "detect", "solver", "planner", "hook"]),
        "sshfs" => holds(&["command"]),
        "tshark" | "wireshark" => holds(&["lua_script"]),
        "svn" => holds(&["--config-dir", "tunnels", "-cmd"]),
        "hg" => holds(&["--config"]),
        "diff3" | "sdiff" => holds(&["--d"]),
        "exim" | "exim4" | "sendmail" => {
            texts.iter().any(|text| ["-be", "-C", "-D"].iter().any(|o| text.starts_with(o)))
        }
        "gdb" | "lldb" => texts.iter().any(|text| runs_in_a_debugger(text)),
        "coredumpctl" => holds(&["gdb", "debug"]),
        "busctl" | "gdbus" | "dbus-send" | "qdbus" => holds(&["transientunit", "execstart"]),
        "gpg-connect-agent" => holds(&["exec", "-program", "/run", "/open", "-r"]),
        "go" => holds(&["-exec", "-toolexec", "-vettool", "-overlay", "-modfile"]),
        "rustc" => holds(&["linker="]),
        "javac" => holds(&["-processor", "-j-"]),
        "pandoc" => holds(&["--filter", "--lua-filter", "--pdf-engine", "-f"]),
        "fio" => holds(&["exec_pre", "exec_post"]),
        "pylint" => holds(&["init-hook", "load-plugins"]),
        "dialog" => holds(&["--prg"]),
        "fzf" => holds(&["--preview", "--bind", "execute"]),
        // Also `vim.tiny`, which no table of names has.
        _ if ["vi", "vim", "nvim", "rvim", "view", "rview", "vimdiff", "ex"]
            .contains(&name.split('.').next().unwrap_or_default()) =>
        {
            texts.iter().any(|text| ["+", "-c", "--cmd", "-S", "-s", "-u"].iter().any(|o| text.starts_with(o)))
        }
        "groff" | "troff" | "pic" | "gpic" => holds(&["-u"]),
        // The linker loads it.
        "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++" | "gfortran" => {
            holds(&["-wl,-plugin", "-wl,--plugin", "-fuse-ld=/", "--ld-path"])
        }
        "perl" => texts.iter().any(|text| text.starts_with("-Mlib") || text.starts_with("-mlib")),
        "npx" => texts.iter().any(|text| text.starts_with('/') || text.contains("=/")),
        "ip" => texts.contains(&"exec"),
        _ if name.starts_with("python") || name.starts_with("pypy") => module_runs(texts),
        _ => false,
    }
}

/// Whether a text may be a command of a debugger that starts a program, or runs code: `-ex '!x'`, `-o 'shell x'`.
fn runs_in_a_debugger(text: &str) -> bool {
    /// How such commands begin, shortened.
    const RUNS: &[&str] = &["!", "|", "she", "sou", "pip", "py", "gu", "mak", "pl", "scr", "comm", "comp"];
    /// What stands within one that does: what a process or the debugger calls, and what the shell that starts the
    /// process expands.
    const HOLDS: &[&str] = &["system", "exec", "popen", "spawn", "shell", "auto-load", "&", ";", "`", "$("];
    let mut words = text.split(|c: char| c.is_whitespace() || c == '=');
    words.any(|word| RUNS.iter().any(|begin| word.starts_with(begin))) || HOLDS.iter().any(|held| text.contains(held))
}

/// Whether a module of python is given the path of a file, which it may run: `-m pip install /srv/x`, `-m pdb x.py`.
fn module_runs(texts: &[&str]) -> bool {
    let Some(at) =
        texts.iter().position(|text| text.starts_with('-') && !text.starts_with("--") && text.ends_with('m'))
    else {
        return false;
    };
    let Some((module, rest)) = texts.get(at + 1..).and_then(<[&str]>::split_first) else { return false };
    !HARMLESS_MODULES.contains(module) && rest.iter().any(|text| text.contains('/') || text.ends_with(".py"))
}

#[cfg(test)]
mod tests {
    use crate::starts::starts;

    #[test]
    fn words_of_their_own_languages_are_known() {
        let settled = |line: &str| starts(line, "bash").is_settled(false);
        let lines = [
            "jobs -x rm -r x",
            "command jobs -lx /srv/x",
            "compgen -aC/srv/x",
            "complete -aC /srv/x y",
            "mapfile -tC /srv/x a",
            "readarray -tc1 -C '/srv/x' a",
            "mysql -e '\\. /srv/x'",
            "psql -c '\\i /srv/x'",
            "sqlite3 x '.read /srv/x'",
            "sqlite3 x \".import '|y' t\"",
            "ssh -o PKCS11Provider=/srv/x h ls",
            "ssh -oXAuthLocation=/srv/x h ls",
            "ssh -S /srv/x h ls",
            "ssh -oControlPath=/srv/x h ls",
            "curl --engine /srv/x h",
            "ip netns exec a /srv/x",
            "perl -Mlib=/srv/x -MFoo -e 1",
            "sshfs -o ssh_command=/srv/x h: m",
            "tshark -X lua_script:/srv/x",
            "svn --config-dir /srv/x up",
            "pic -U x",
            "script f -c touch",
            "script - -c touch",
            "script -q /dev/null --command 'touch x'",
            "vim.tiny -es '+!touch x' +q",
            "nvim --headless -c '!touch x'",
            "exim4 -be '${run{/usr/bin/touch x}}'",
            "coredumpctl debug --debugger=touch",
            "busctl --user call a b c StartTransientUnit ExecStart /bin/touch",
            "gpg-connect-agent --exec touch x",
            "hg --config 'hooks.pre-status=touch x' status",
            "svn diff --diff-cmd touch",
            "sdiff --diff-prog=touch a b",
            "go test -exec touch",
            "rustc -Clinker=touch a.rs",
            "fio --name=x --exec_prerun='touch x'",
            "pdflatex -shell-escape x",
            "xterm -e touch x",
            "gtk-launch x",
            "perldoc -n touch ls",
            "pod2html '|touch x'",
            "h2ph 'touch x|'",
            "prove -re touch x",
            "busctl --address=unixexec:path=/usr/bin/touch,argv1=x",
            "gdbus call --address unixexec:path=touch",
            "gcc -Wl,-plugin,/srv/x.so a.c",
            "clang --ld-path=/srv/x a.c",
            "git a/b",
            "git -C /srv a/b",
            "kubectl -n x a/b",
            "git merge-index rm -a",
            "git daemon --access-hook=/srv/x",
            "git svn --authors-prog=/srv/x fetch",
            "git grep -iO/path/tm x",
            "git grep -lO x",
            "git clone -qu 'touch made;' . a",
            "git clone -qc core.fsmonitor=x . a",
            "git rebase -ix 'touch made' a",
            "git cherry-pick --strategy=a/b x",
            "git merge -s a/b x",
            "git merge -qsa/b x",
            "git -C /srv merge --strat a/b x",
            "git rebase --strategy a/b x",
            "git pull -sa/b",
            "git revert --strategy=a/b x",
            "git remote-ext a 'sh -c x'",
            "git remote-fd a 3",
            "npx -p /srv/x y",
            "npx --package=/srv/x y",
            "apt-get -o DPkg::Pre-Install-Pkgs::=x install y",
            "python3 -I -m pip install /srv/x",
            "python3 -I -m pdb x.py",
        ];
        let wrong: Vec<&str> = lines.into_iter().filter(|line| settled(line)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let lines = [
            "jobs -l",
            "compgen -A command",
            "python3 -I -m pip install flask",
            "python3 -I -m json.tool /srv/x",
            "psql -c '\\dt'",
            "sqlite3 x .tables",
            "ip addr show",
            "vim.tiny x",
            "script -q -c ls /dev/null",
            "sendmail a@b",
            "busctl list",
            "coredumpctl list",
            "hg status",
            "go test -run x",
            "gpg-connect-agent reloadagent /bye",
            "sdiff -s a b",
            "awk -F '|' '{print $1}' x",
            "sed 's|a|b|' x",
            "psql -F '|' -c 'select 1'",
            "unheard-of '-d|'",
            "git -C /srv/app pull",
            "git checkout a/b",
            "git clone -q https://example.com/a/b dir",
            "git merge main",
            "git merge -s ours origin/main",
            "git merge --squash origin/main",
            "git merge -Xsubtree=a/b x",
            "git merge -m 'a/b' x",
            "git pull -q --rebase origin a/b",
            "git rebase -i origin/main",
            "git cherry-pick -x a/b",
            "git grep -n x",
            "git remote add a h:a/b",
            "git --git-dir /srv/app/.git log",
            "kubectl -n x get pod/y",
            "kubectl --context a/b get pods",
            "gcc -Wl,-O1,--as-needed a.c",
            "npx -p typescript tsc",
            "make CC=clang all",
        ];
        let wrong: Vec<&str> = lines.into_iter().filter(|line| !settled(line)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
