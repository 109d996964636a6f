#!/usr/bin/env bash
# Checks everything, and installs what the checks need. CI runs exactly this.
#
#   tests/check.sh                 every check; exits 0 only when all passed that this machine can run, and says at
#                                  the end what it cannot (no FUSE in its kernel, no corpora beside the repository)
#   tests/check.sh --update-deps   writes the dependency lists in tests/deps anew, then exits
#
# Debian packages are installed with apt-get (through sudo where not root), cargo tools with `cargo install
# --locked`, asciinema 2.4 with pip into target/tools. The integration tests make users, mounts and a sshd in a
# private mount namespace, so they need root: without it they are run through sudo.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PROGRAMS="countersign-shell countersign-host countersign-server countersign-cli"
readonly TOOLS=$PWD/target/tools
could_not_run=() not_here=()

# What incremental builds keep is of no use to a first build, and takes twice the space of all the rest.
[ -d "${CARGO_TARGET_DIR:-target}/debug/incremental" ] || export CARGO_INCREMENTAL=0

# --- saying what happens ------------------------------------------------------------------------------------

# step WHAT COMMAND…: says it, runs it, says how long it took; a failure ends the script. The command stands alone
# on its line: behind `||` or in an `if`, bash takes `set -e` out of functions, and a step whose tests failed went
# on to its last line and passed.
step() {
    step=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$step"
    "$@"
    printf '== ok, %d s: %s\n' $((SECONDS - start)) "$step"
    step=
}

say_what_failed() {
    local status=$?
    [ -z "${step:-}" ] || printf '== FAILED after %d s: %s\n' $((SECONDS - start)) "$step" >&2
    exit "$status"
}
trap say_what_failed EXIT

# unavailable WHAT WHY: remembers tests that cannot run; the script ends with a failure that names them.
unavailable() { could_not_run+=("$1 ($2)"); printf 'cannot run: %s: %s\n' "$1" "$2" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else echo "needs root or sudo: $*" >&2; return 1
    fi
}

# --- what the checks need -----------------------------------------------------------------------------------

# Debian package : what it is for.
debian_packages() {
    cat <<'LIST'
bsdutils:replay on a terminal
coreutils:every test
dash:inner shells
fish:inner shells
git:refused transfers
jq:the dependency floors and verification by hand
less:a pager in a login
locales:a locale in which a backslash may be half a letter
mount:installed tests
openssh-client:installed tests and verification by hand
openssh-server:installed tests
python3:tests of the sockets
python3-pexpect:logins that are driven as agents drive them
python3-venv:replay by asciinema 2.4
rsync:refused transfers
strace:durability before asking
systemd:the units
tcsh:inner shells
tmux:logins that are driven as agents drive them, and screens
util-linux:installed tests
vim:an editor in a login
zsh:inner shells
LIST
}

has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
    local missing=() line
    while IFS= read -r line; do has_package "${line%%:*}" || missing+=("${line%%:*}"); done < <(debian_packages)
    if [ ${#missing[@]} -gt 0 ]; then
        echo "installing: ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        as_root apt-get update -q </dev/null || true
        as_root apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null || true
    fi
    while IFS= read -r line; do
        has_package "${line%%:*}" || unavailable "${line#*:}" "Debian package ${line%%:*}"
    done < <(debian_packages)
}

# cargo_tool CRATE COMMAND…: installs the crate unless the command works.
cargo_tool() {
    local crate=$1
    shift
    "$@" >/dev/null 2>&1 || cargo install --locked "$crate"
}

install_cargo_tools() {
    cargo_tool cargo-nextest cargo nextest --version
    cargo_tool cargo-deny cargo deny --version
}

# Both players under fixed names, where the recording tests look for them.
install_asciinema() {
    local two=$TOOLS/asciinema2/bin/asciinema three=$TOOLS/asciinema3/bin/asciinema
    if ! "$two" --version 2>/dev/null | grep -q '^asciinema 2\.4'; then
        rm -rf "$TOOLS/asciinema2"
        python3 -m venv "$TOOLS/asciinema2" \
            && "$TOOLS/asciinema2/bin/pip" install --quiet --disable-pip-version-check 'asciinema==2.4.0' \
            || unavailable "replay by asciinema 2.4" "pip install asciinema==2.4.0 failed"
    fi
    if ! "$three" --version 2>/dev/null | grep -q '^asciinema 3\.2'; then
        mkdir -p "$(dirname "$three")"
        if command -v asciinema >/dev/null && asciinema --version | grep -q '^asciinema 3\.2'; then
            ln -sf "$(command -v asciinema)" "$three"
        else
            cargo install --locked --root "$TOOLS/asciinema3" --version 3.2.0 asciinema \
                || unavailable "replay by asciinema 3.2" "cargo install asciinema 3.2.0 failed"
        fi
    fi
}

# --- the checks ---------------------------------------------------------------------------------------------

# What a program links, one package a line: name, version, and whether it is a build-time macro.
dependency_list() {
    cargo tree --locked -p "$1" -e normal --prefix none | sed -e 's/ (\*)$//' -e 's, (/[^)]*),,' | sort -u
}

update_dependency_lists() {
    local package
    mkdir -p tests/deps
    for package in $PROGRAMS; do dependency_list "$package" > "tests/deps/$package.txt"; done
}

check_dependency_lists() {
    local package failed=0
    for package in $PROGRAMS; do
        diff -u "tests/deps/$package.txt" <(dependency_list "$package") || failed=1
    done
    [ $failed = 0 ] || { echo "dependencies changed; if that is meant: tests/check.sh --update-deps, and commit" >&2; return 1; }
    # The fuzz targets are a workspace of their own, which nothing here builds.
    cargo tree --quiet --locked --manifest-path tests/fuzz/Cargo.toml > /dev/null \
        || { echo "tests/fuzz/Cargo.lock is behind; run cargo check in tests/fuzz, and commit it" >&2; return 1; }
    # The login shell of every agent links no network client, no TLS, no database and no runtime.
    if grep -E '^(reqwest|hyper|h2|rustls|native-tls|sqlx|libsqlite3-sys|tokio|axum|tower|http)( |-)' tests/deps/countersign-shell.txt; then
        echo "countersign-sh must not link these" >&2
        return 1
    fi
}

# Floors of docs/ARCHITECTURE.md: what each package of ours may import of ours, build and test dependencies too.
check_floors() {
    local wrong
    wrong=$(cargo metadata --locked --no-deps --format-version 1 | jq -r '
        ["core","sys","analysis","policy","ledger","api"] as $below
        | {core: [], sys: [], analysis: ["core"], ledger: ["core"], api: ["core"], policy: ["core","analysis"],
           shell: $below, host: $below, server: $below, cli: $below, tests: ($below + ["shell","host","cli"] - ["sys"])} as $may
        | .packages[] | (.name | ltrimstr("countersign-")) as $name
        | if $may[$name] == null then "\($name): not on any floor; add it to tests/check.sh" else
            (.dependencies[] | select(.name | startswith("countersign-")) | .name | ltrimstr("countersign-"))
            | . as $used | select(($may[$name] | index($used)) | not) | "\($name) must not import \(.)"
          end')
    [ -z "$wrong" ] || { echo "$wrong" >&2; return 1; }
}

check_files() {
    local failed=0 long paths raw
    long=$(git ls-files -z 'src/*.rs' 'tests/*.rs' | xargs -0 -r wc -l | awk '$2 != "total" && $1 > 500 { print $2 ": " $1 " lines" }')
    [ -z "$long" ] || { printf 'over 500 lines; split by idea:\n%s\n' "$long" >&2; failed=1; }
    paths=$(git grep -nIE '/(work|farm)/|/root/[.](cargo|rustup|pyenv)' -- . ':!*.lock' || true)
    [ -z "$paths" ] || { printf 'paths of a machine:\n%s\n' "$paths" >&2; failed=1; }
    # Outside of the analysis, and of markers that were made legible when they were recorded.
    raw=$(git grep -nE '\bvisible\(|\(visible\)' -- 'src/*.rs' ':!src/core' ':!src/analysis' ':!src/cli/src/replay/player.rs' || true)
    [ -z "$raw" ] || { printf 'show foreign text with legible():\n%s\n' "$raw" >&2; failed=1; }
    return $failed
}

clippy() { cargo clippy --quiet --locked --workspace --all-targets -- -D warnings -D missing_docs; }

# A program's reading order leads through its private modules, and the help of a flag, with bare addresses, is its
# documentation: neither is an error.
documentation() {
    RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links -A rustdoc::bare_urls' \
        cargo doc --quiet --locked --workspace --no-deps
}

unit_tests() { cargo nextest run --locked --workspace --exclude countersign-tests --no-tests=pass; }

integration_tests() {
    export COUNTERSIGN_TESTS_SKIPPED=$PWD/target/tests/skipped
    rm -f "$COUNTERSIGN_TESTS_SKIPPED"
    if [ "$(id -u)" != 0 ] && [ -z "${COUNTERSIGN_TESTS_NO_ROOT:-}" ]; then
        local host
        host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
        export "CARGO_TARGET_${host}_RUNNER=sudo --preserve-env"
    fi
    cargo nextest run --locked -p countersign-tests
    if [ -s "$COUNTERSIGN_TESTS_SKIPPED" ]; then
        while IFS= read -r line; do
            case $line in
                *COUNTERSIGN_TESTS_NO_ROOT*) could_not_run+=("$line") ;;
                *) not_here+=("$line") ;;
            esac
        done < <(sort -u "$COUNTERSIGN_TESTS_SKIPPED")
    fi
}

# --- the order ----------------------------------------------------------------------------------------------

case "${1:-}" in
    "") ;;
    --update-deps) update_dependency_lists; exit 0 ;;
    *) echo "usage: tests/check.sh [--update-deps]" >&2; exit 64 ;;
esac

step "Debian packages" install_packages
step "cargo tools" install_cargo_tools
step "asciinema 2.4 and 3.2" install_asciinema
step "format" cargo fmt --all --check
step "file sizes and paths" check_files
step "floors" check_floors
step "dependency lists" check_dependency_lists
step "licences, bans, sources" cargo deny --locked check licenses bans sources
step "clippy" clippy
step "documentation" documentation
step "unit tests" unit_tests
[ -d "${COUNTERSIGN_SHARED:-../shared}/corpora" ] || not_here+=("risk and redaction on the corpora: there are none in ../shared or COUNTERSIGN_SHARED")
step "documentation tests" cargo test --quiet --locked --workspace --doc
step "the four programs" bash tests/build-programs.sh
step "integration tests" integration_tests

if [ ${#could_not_run[@]} -gt 0 ]; then
    printf '\nFAILED: these could not run:\n' >&2
    printf '  %s\n' "${could_not_run[@]}" >&2
    exit 1
fi
[ ${#not_here[@]} = 0 ] || printf '\nnot run here: %s' "${not_here[@]}"
printf '\nall checks passed, %d s\n' "$SECONDS"
