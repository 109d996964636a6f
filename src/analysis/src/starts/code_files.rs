//! Files of code among the words of a program of which nothing is known: it
//! mostly runs them (`uv run x.py`, `spark-submit x.jar`, `pm2 start x.js`).

use super::acting::{READS_ONLY, only_shows};
use super::instructions::is_known;
use super::places::Places;
use super::{Found, path_of};
use crate::builtins::is_builtin;
use crate::facts::{Origin, SimpleCommand, Word};
use crate::programs::{interpreter, is_input};

/// How names of such files end.
const ENDINGS: &str = "\
    py pyc pyz js mjs cjs jsx ts tsx rb pl pm php sh bash zsh fish lua tcl exp jl r jar war dll exe so ko wasm \
    deb rpm gem whl snap apk go groovy kts ps1 yml yaml hcl tf sql ipynb nix scala clj exs nft conf cfg ini toml cnf";
/// What names of options hold whose value is a file of settings or code.
const NAMES_FILES: &str = "\
    conf script hook plugin init rcfile bazelrc filter helper askpass module preload include macro rsh sshcmd command \
    exec tool linker schema native-file cross-file rules wrapper engine loader";
/// Short options whose value mostly is such a file.
const SHORT: [&str; 4] = ["-c", "-C", "-f", "-F"];
/// Programs that read such files and run none of them.
const READERS: &str = "\
    black isort flake8 mypy ruff pylint pyflakes shellcheck shfmt yamllint jsonlint xmllint sqlfluff hadolint \
    eslint stylelint markdownlint ansible-lint cfn-lint actionlint kubeval kubeconform promtool amtool yq hexdump \
    b2sum sha224sum sha384sum fold fmt rev clang-format gofmt goimports rustfmt tflint tfsec tsc prettier bat dos2unix iconv pygmentize scc cloc";

impl Found {
    /// Those of a command that starts no other one of the line: of one that does, they are that one's.
    pub(super) fn files_of_code(&mut self, index: usize, all: &[SimpleCommand], places: &Places) {
        let Some(command) = all.get(index) else { return };
        let Some(base) = command.program_name() else { return };
        let starts = |other: &SimpleCommand| matches!(other.origin, Origin::Command { parent, .. } if parent == index);
        let known = only_shows(base)
            || READS_ONLY.contains(&base)
            || is_builtin("bash", base)
            || interpreter(base).is_some()
            || READERS.split_ascii_whitespace().any(|known| known == base);
        if known || all.iter().any(starts) {
            return;
        }
        let options = files_of_options(command.arguments()).filter(|_| !is_known(base));
        for path in options.chain(image(base, command.arguments())) {
            self.script(&path, places);
        }
        let words = command.arguments().iter().filter_map(path_of);
        let values = words.map(|text| text.split_once('=').map_or(text.clone(), |(_, value)| value.to_owned()));
        for path in values.filter(|path| is_code(path) && !is_input(path)) {
            self.script(&path, places);
        }
    }
}

/// `--config /srv/x`, `--hook=/srv/x`: whatever the file is called.
fn files_of_options(arguments: &[Word]) -> impl Iterator<Item = String> {
    let next = arguments.iter().skip(1).map(Some).chain([None]);
    let named = arguments.iter().zip(next).filter_map(|(word, next)| {
        let (option, value) =
            word.text.split_once('=').map_or((&*word.text, None), |(name, value)| (name, Some(value)));
        let name = option.strip_prefix('-')?;
        let holds = NAMES_FILES.split_ascii_whitespace().any(|known| name.contains(known));
        let holds = holds || SHORT.contains(&option) || name.starts_with("-on-");
        let is_file = holds && !["dir", "directory", "path"].iter().any(|end| name.ends_with(end));
        is_file.then(|| {
            value.map_or_else(
                || next.and_then(path_of),
                |_| path_of(word)?.split_once('=').map(|(_, value)| value.to_owned()),
            )
        })?
    });
    named.filter(|path| path.contains('/') && !path.contains("://") && !path.starts_with('-') && !is_input(path))
}

/// The file that is mounted as a file system: programs in it may be another user's.
fn image(program: &str, arguments: &[Word]) -> Option<String> {
    let text = |word: &Word| word.text.clone();
    let binds = arguments.iter().map(text).any(|text| matches!(&*text, "-B" | "-R" | "-M") || text.contains("bind"));
    let paths: Vec<String> = arguments.iter().filter_map(path_of).filter(|path| path.starts_with(['/', '~'])).collect();
    let of_system = |path: &String| {
        !path.starts_with("/dev/shm/") && ["/dev/", "/proc/", "/sys/"].iter().any(|system| path.starts_with(system))
    };
    let [image, _] = <[String; 2]>::try_from(paths).ok()?;
    (program == "mount" && !binds && !of_system(&image)).then_some(image)
}

fn is_code(path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    !path.contains("://") && !path.starts_with('-') && ENDINGS.split_ascii_whitespace().any(|known| known == ending)
}

#[cfg(test)]
mod tests {
    use crate::starts::starts;

    /// What no table knows runs what it is given.
    #[test]
    fn files_of_code_are_shown_for_programs_of_which_nothing_is_known() {
        let scripts = |line: &str| starts(line, "bash").scripts.into_iter().map(|one| one.path).collect::<Vec<_>>();
        for (line, file) in [
            ("pm2 start /srv/x.js", "/srv/x.js"),
            ("sudo spark-submit --master local x.PY", "x.PY"),
            ("dotnet x.dll", "x.dll"),
            ("go run x.go", "x.go"),
            ("nice packer build --var-file=v.hcl", "v.hcl"),
            ("unheard-of ~/x.sh", "~/x.sh"),
            ("unheard-of /srv/x.conf", "/srv/x.conf"),
            ("squid -f /srv/x", "/srv/x"),
            ("go build -toolexec /srv/x", "/srv/x"),
            ("borg --rsh /srv/x list", "/srv/x"),
            ("aria2c --on-download-complete=/srv/x u", "/srv/x"),
            ("certbot renew --config /srv/x", "/srv/x"),
            ("certbot renew --pre-hook=/srv/x", "/srv/x"),
            ("sudo unheard-of -plugin ./x", "./x"),
            ("sudo mount -o loop /srv/x /mnt", "/srv/x"),
            ("mount /dev/shm/x /mnt", "/dev/shm/x"),
            ("mount -t ext4 -o ro,loop ~/x /mnt", "~/x"),
        ] {
            assert!(scripts(line).iter().any(|path| path == file), "{line}: {:?}", scripts(line));
        }
        for line in [
            "cat x.py",
            "sudo cp x.py y",
            "git add x.py",
            "black x.py",
            "printf %s x.py",
            "unheard-of https://example.com/x.js",
            "unheard-of x",
            "nice wc x.py",
            "certbot renew --config-dir /srv/x",
            "unheard-of --config x",
            "unheard-of --include=https://example.com/x",
            "mount /dev/sdb1 /mnt",
            "mount --bind /srv/a /srv/b",
            "mount -o bind /srv/a /srv/b",
            "mount /mnt/x",
            "mount -t nfs h:/srv /mnt",
        ] {
            assert_eq!(scripts(line), [""; 0], "{line}");
        }
    }
}
