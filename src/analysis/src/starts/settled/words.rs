//! Words by which programs run others, or take in files of code, in languages of their own.

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
    let option = |letter: char| {
        texts.iter().any(|text| text.starts_with('-') && !text.starts_with("--") && text.contains(letter))
    };
    // An address of a bus by which its client starts a program.
    if holds(&["unixexec:"]) {
        return true;
    }
    match name {
        // Builtins that run one of their words, together with other options, too: `jobs -x rm x`, `compgen -aC ./x`.
        "jobs" => option('x'),
        "compgen" | "complete" => option('C') || option('F'),
        "mapfile" | "readarray" => option('C'),
        "ssh" | "scp" | "sftp" => {
            // A socket of `-S` may be one that the agent listens on: what is sent there runs elsewhere than the line says.
            let socket = name == "ssh" && texts.iter().any(|text| text.starts_with("-S"));
            socket || holds(&["command", "provider", "xauthlocation", "controlpath"])
        }
        "dc" => holds(&["!"]),
        "mysql" | "mariadb" => holds(&["system", "source", "\\!", "\\.", "\\t"]),
        "psql" => holds(&["\\i", "\\!", "\\o", "\\g", "\\copy", "\\w", "\\e", "program"]),
        "sqlite3" => holds(&[
            ".read", ".load", ".shell", ".system", ".import", ".output", ".once", ".excel", "edit(", "load_ext",
        ]),
        "apt" | "apt-get" | "aptitude" => holds(&["invoke", "dir::", "pkgs", "detect", "solver", "planner", "hook"]),
        "sshfs" => holds(&["command"]),
        "tshark" | "wireshark" => holds(&["lua_script"]),
        "svn" => holds(&["--config-dir", "tunnels"]),
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
            "git -C /srv/app pull",
            "git checkout a/b",
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
