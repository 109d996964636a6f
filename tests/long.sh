#!/usr/bin/env bash
# Fuzzes the readers of foreign bytes, each for as long as it is told, and keeps a summary.
#
#   tests/long.sh [SECONDS [TARGET…]]     600 seconds each, every target, unless told otherwise
#
# Without TARGET the tamper matrix of the ledger runs first, whole: every byte of a history flipped, every entry changed
# under the second verifier as well, and every change of the golden histories (some 275,000), each in both modes of
# `--signatures`. The tests of each day take a sample of it.
#
# Needs a nightly compiler and cargo-fuzz (`cargo install --locked cargo-fuzz`). What was found is kept in
# target/fuzz/corpus, so that a later run goes on from there; the summary of the last run of each target is in
# tests/fuzz/SUMMARY.md, which is committed. An input that breaks a promise ends the script with a failure and its
# place; it becomes an example in tests/fuzz/src/lib.rs once the reader is mended.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
[ $# -eq 0 ] || shift
[[ $seconds =~ ^[0-9]+$ ]] || { echo "usage: tests/long.sh [SECONDS [TARGET…]]" >&2; exit 64; }
readonly summary=tests/fuzz/SUMMARY.md work=$PWD/target/fuzz

cargo +nightly --version >/dev/null || { echo "needs a nightly compiler: rustup toolchain install nightly" >&2; exit 69; }
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

known() { sed -n 's/^name = "\(.*\)"$/\1/p' tests/fuzz/Cargo.toml | grep -vx -e countersign-fuzz -e seeds; }
if [ $# -eq 0 ]; then
    COUNTERSIGN_FULL_MATRIX=1 cargo nextest run -p countersign-ledger --test verify --no-capture \
        -E 'test(flipped_bytes_are_seen) | test(agrees_on_what_anyone_can_change)'
    # Without nextest, which ends a test after three minutes.
    COUNTERSIGN_FULL_MATRIX=1 cargo test --locked --release -p countersign-ledger --test verify -- matrix:: splices:: --nocapture
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(known)

# The line of one target in the summary, put in the place of an older one. Two runs may be at it.
remember() {
    exec 9> "$work/summary.lock"
    flock 9
    [ -e "$summary" ] || printf '# The last run of each fuzz target\n\nWritten by `tests/long.sh`. `covered` counts edges of the instrumented program, `kept` inputs that reached new ones.\n\n| target | date | commit | seconds | inputs | covered | kept | promises broken |\n|---|---|---|--:|--:|--:|--:|--:|\n' > "$summary"
    { grep -v "^| $1 |" "$summary"; printf '%s\n' "$2"; } > "$work/summary.new"
    { grep -v '^| [a-z_]* | 2' "$work/summary.new"; grep '^| [a-z_]* | 2' "$work/summary.new" | sort; } > "$summary"
    exec 9>&-
}

mkdir -p "$work/corpus" "$work/logs"
cargo +nightly run --quiet --release --manifest-path tests/fuzz/Cargo.toml --target-dir "$work/examples" --bin seeds -- "$work/corpus"
for target in "${targets[@]}"; do
    known | grep -qx "$target" || { echo "there is no target $target; they are: $(known | tr '\n' ' ')" >&2; exit 64; }
    mkdir -p "$work/corpus/$target"
    log=$work/logs/$target.log status=0
    printf '== %s, %s s\n' "$target" "$seconds"
    cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir "$work/build" --sanitizer none "$target" "$work/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/broken-$target-" > "$log" 2>&1 || status=$?
    inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    last=$(grep -o 'cov: [0-9]* .*corp: [0-9]*' "$log" | tail -1)
    covered=$(sed -n 's/^cov: \([0-9]*\).*/\1/p' <<< "$last") kept=$(sed -n 's/.*corp: \([0-9]*\).*/\1/p' <<< "$last")
    [ -n "$inputs" ] || { tail -20 "$log" >&2; echo "FAILED: $target did not run; all of it is in $log" >&2; exit 1; }
    remember "$target" "| $target | $(date -u +%F) | $(git rev-parse --short HEAD) | $seconds | $inputs | ${covered:-0} | ${kept:-0} | $([ $status = 0 ] && echo 0 || echo 1) |"
    [ $status = 0 ] || { tail -30 "$log" >&2; echo "FAILED: $target; the input is $work/broken-$target-*" >&2; exit 1; }
    printf '== ok: %s inputs\n' "$inputs"
done
