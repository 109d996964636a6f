//! Programs that run their own words, told by what the words are: no list names them all (`rbenv exec rm x`,
//! `ghc -e '…'`, `gem exec rake`).

use super::super::acting::{READS_ONLY, names_programs, only_shows};
use super::super::instructions::is_known;
use crate::builtins::is_builtin;
use crate::facts::{Origin, SimpleCommand};
use crate::launch::begins_with_a_guess;
use crate::programs::interpreter;
use crate::words::base_name;

/// Words that come first, after which a program runs the rest …
const EXEC: &[&str] = &["exec", "dlx", "eval", "exec-env", "exec-file"];
/// … with another name for it where packages are managed …
const X: &[&str] = &["npm", "pnpm", "yarn", "bun"];
/// … or may run it: for some this is what the working directory names, as `make` does.
const RUN: &[&str] = &["run", "shell", "develop", "with", "env"];
/// Programs whose command is known, but not looked up, for some of them run it in a container.
const HERE: &[&str] = &["nix-shell", "nix", "mise", "aws-vault", "op", "vault", "doppler", "chamber"];
/// Programs of which the first is not so: what they run is in a container.
const EXEC_ELSEWHERE: &[&str] = &["docker-compose", "podman-compose", "yq"];
/// Programs of which the second is not so.
const RUN_OTHERWISE: &[&str] = &[
    "go",
    "dotnet",
    "composer",
    "yarn",
    "pnpm",
    "bun",
    "turbo",
    "nx",
    "lerna",
    "pre-commit",
    "tox",
    "flutter",
    "swift",
    "stack",
    "cabal",
    "mix",
    "gh",
    "gcloud",
    "bazel",
    "newman",
    "k6",
    "act",
    "flatpak",
    "snap",
    "doctl",
    "az",
    "aws",
];
/// Options whose value is code, where it looks like code.
const CODE: &[&str] =
    &["-e", "-E", "-c", "--eval", "--exec", "--execute", "--expression", "--command", "--run", "--cmd", "--call"];
/// Programs of which these options mean something else.
const OPTIONS_OTHERWISE: &[&str] = &[
    "useradd",
    "usermod",
    "adduser",
    "groupadd",
    "chfn",
    "journalctl",
    "rg",
    "ag",
    "ack",
    "fd",
    "yq",
    "logger",
    "date",
    "ss",
    "ip",
    "nft",
    "systemctl",
    "timedatectl",
    "ssh-keygen",
    "ping",
    "influx",
    "cqlsh",
    "clickhouse-client",
];

/// Programs that somebody who runs another program's words has among them, and that are hardly the name of a
/// subcommand: `runner rm -r x`. With more behind them they run.
const RUN_BY_OTHERS: &[&str] = &[
    "rm",
    "dd",
    "shred",
    "chmod",
    "chown",
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "sudo",
    "doas",
    "python3",
    "perl",
    "curl",
    "wget",
    "nc",
    "ncat",
    "pkill",
    "killall",
    "systemctl",
    "iptables",
];
/// Programs that call what they do so, or that take names of programs and run none.
const NAMES_OTHERWISE: &[&str] = &[
    "docker", "podman", "nerdctl", "buildah", "ctr", "crictl", "gsutil", "mc", "pass", "gopass", "ipfs", "svn", "hg",
    "lxc", "incus", "nomad", "which", "whereis", "whatis", "apropos", "info", "pidof", "pgrep", "pkill", "killall",
    "locate", "logger", "emerge", "brew", "groups", "kill",
];

/// Programs that only note which shell an account has.
const KEEPS_A_SHELL: &[&str] = &["useradd", "usermod", "adduser", "chsh", "add-shell", "remove-shell", "pw"];

/// Whether a command may run its own words as another one, or code of them, and no table says how.
pub(super) fn runs_its_words(command: &SimpleCommand, all: &[SimpleCommand]) -> bool {
    let Some(name) = command.program_name() else { return false };
    if begins_with_a_guess(name, command.arguments()) {
        return true;
    }
    let own = all.iter().position(|known| std::ptr::eq(known, command));
    let followed =
        |other: &SimpleCommand| matches!(other.origin, Origin::Command { parent, .. } if Some(parent) == own);
    let only_reads = only_shows(name) || READS_ONLY.contains(&name) || is_builtin("bash", name);
    if only_reads || interpreter(name).is_some() || all.iter().any(followed) {
        return HERE.contains(&name);
    }
    let texts: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
    let mut operands = texts.iter().enumerate().filter(|(_, text)| !text.starts_with('-'));
    let first = operands.next();
    let more = operands.next().is_some();
    let begins = |words: &[&str]| more && first.is_some_and(|(_, text)| words.contains(text));
    if begins(EXEC) && !EXEC_ELSEWHERE.contains(&name) || begins(&["x"]) && X.contains(&name) {
        return true;
    }
    if is_known(name) || names_programs(name).is_some() {
        return false;
    }
    let comes_first = first.is_some_and(|(at, text)| at == 0 && RUN_BY_OTHERS.contains(text));
    if comes_first && texts.len() > 1 && !NAMES_OTHERWISE.contains(&name) {
        return true;
    }
    if !KEEPS_A_SHELL.contains(&name) && texts.iter().any(|text| names_a_shell(text)) {
        return true;
    }
    let parted = texts.iter().position(|text| *text == "--").is_some_and(|at| {
        first.is_some_and(|(before, _)| before < at) && texts.get(at + 1).is_some_and(|text| !text.starts_with('-'))
    });
    let otherwise = RUN_OTHERWISE.contains(&name);
    !otherwise && (begins(RUN) || parted) || !OPTIONS_OTHERWISE.contains(&name) && holds_code(&texts)
}

/// `/bin/sh`, also within a word: `unixexec:path=/bin/sh,argv1=-c`.
fn names_a_shell(text: &str) -> bool {
    let apart = |c: char| c.is_whitespace() || "=,:;'\"|&()".contains(c);
    let mut paths = text.split(apart).filter(|path| path.starts_with('/'));
    paths.any(|path| interpreter(base_name(path)).is_some_and(|known| known.is_shell()))
}

fn holds_code(texts: &[&str]) -> bool {
    let apart = texts.windows(2).any(|pair| matches!(pair, [option, value] if CODE.contains(option) && is_code(value)));
    let attached = |text: &&str| {
        let long = text.split_once('=').filter(|(option, _)| CODE.contains(option)).map(|(_, value)| value);
        let short = (!text.starts_with("--")).then(|| text.get(..2).zip(text.get(2..))).flatten();
        long.or(short.filter(|(option, _)| CODE.contains(option)).map(|(_, value)| value)).is_some_and(is_code)
    };
    apart || texts.iter().any(attached)
}

fn is_code(value: &str) -> bool {
    value.contains(|c: char| c.is_whitespace() || "(;|&`$!'\"{<>".contains(c))
}

#[cfg(test)]
mod tests {
    use crate::starts::starts;

    #[test]
    fn programs_that_run_their_words_are_known_by_these() {
        let settled = |line: &str| starts(line, "bash").is_settled(false);
        let wrong: Vec<&str> = [
            "rbenv exec rm -r x",
            "asdf exec rm -r x",
            "gem exec rake x",
            "doppler run -- /srv/x",
            "aws-vault exec a -- rm x",
            "lerna exec rm x",
            "stack exec -- rm x",
            "npm x rm y",
            "yarn dlx rm y",
            "opam exec -- rm -r x",
            "sops exec-env f 'rm -r x'",
            "foreman run rm -r x",
            "pixi run rm x",
            "guix shell coreutils -- rm x",
            "nix develop -c 'rm x'",
            "ghc -e 'System.Process.callCommand \"rm x\"'",
            "elixir-x --eval='System.cmd(1)'",
            "osh -c'rm x'",
            "multipass exec vm -- ls",
            "sudo rbenv exec rm x",
            "aa-exec /bin/sh",
            "latexmk -pdflatex='/bin/sh #' x",
            "busctl --address=unixexec:path=/bin/sh,argv1=-c",
            "CRASHPAGER=./x crash -h",
            "runner rm -r x",
            "prlimit -c rm -r x",
            "prlimit -l /srv/x",
            "prlimit --nproc touch x",
            "prlimit --nproc=5 -c touch x",
            "valgrind -v rm -r x",
            "numactl --all rm -r x",
            "xvfb-run -a rm -r x",
            "systemd-inhibit --no-legend rm x",
            "runner bash -c x",
            "debconf rm -r x",
            "debconf-apt-progress --logstderr -- touch x",
            "fakeroot-tcp touch x",
            "systemd-socket-activate -l 1 touch x",
            "bash /usr/bin/ldd ./x",
            "perl /usr/bin/parallel touch ::: x",
            "perl /usr/bin/debconf touch x",
            "sh /usr/bin/fakeroot touch x",
        ]
        .into_iter()
        .filter(|line| settled(line))
        .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let wrong: Vec<&str> = [
            "docker exec web ls",
            "docker rm -f web",
            "prlimit --nproc=5 ls",
            "prlimit -n5 ls -l x",
            "prlimit -p 1 --nofile",
            "valgrind --leak-check=full -- ls",
            "numactl -C 0-3 ls",
            "systemd-run --user -p Nice=5 --unit a ls",
            "ltrace ls -l",
            "gsutil rm gs://a/b",
            "which rm ls",
            "lsof -c bash -p 3",
            "usermod -aG sudo x",
            "pacman -Q curl wget",
            "bash /usr/local/bin/deploy.sh --config prod run",
            "python3 /usr/bin/certbot renew",
            "docker-compose exec web ls",
            "kubectl exec web -- ls",
            "uv run ruff check",
            "bundle exec rake",
            "npm run build",
            "npm run build -- --watch",
            "cargo run -- a b",
            "go run .",
            "gh run list",
            "yarn run build",
            "useradd -c 'Deploy Agent' -s /bin/bash x",
            "unheard-of bash",
            "ls -l /bin/sh",
            "ping -c 3 h",
            "journalctl -u nginx --since '1 hour ago'",
            "unheard-of exec",
            "unheard-of -e 5",
            "unheard-of -- x",
            "systemctl restart nginx",
            "git commit -m 'exec it'",
            "grep -e 'a b' x",
        ]
        .into_iter()
        .filter(|line| !settled(line))
        .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
