#!/usr/bin/env bash
# Builds the four programs, each with its own `-p` (with `--workspace`, one member's feature flags would change
# another's dependencies), and puts them side by side into target/tests/bin, where the integration tests and
# benchmarks take them from. nextest runs this once before the integration tests; so does tests/check.sh.
# `tests/build-programs.sh release` builds what the benchmarks measure, into target/tests/bin-release.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:-dev}
target=${CARGO_TARGET_DIR:-target}
case $profile in
    dev) built=$target/debug bin=$target/tests/bin ;;
    release) built=$target/release bin=$target/tests/bin-release ;;
    *) echo "usage: tests/build-programs.sh [dev|release]" >&2; exit 64 ;;
esac
mkdir -p "$bin"
for pair in shell:countersign-sh host:countersign-hostd server:countersign-server cli:countersign; do
    package=countersign-${pair%%:*} program=${pair##*:}
    cargo build --quiet --locked --profile "$profile" -p "$package" --bin "$program"
    if ! cmp --silent "$built/$program" "$bin/$program"; then
        cp --force "$built/$program" "$bin/$program.new"
        mv --force "$bin/$program.new" "$bin/$program"
    fi
done
if [ -n "${NEXTEST_ENV:-}" ]; then
    echo "COUNTERSIGN_TESTS_BIN=$(realpath "$bin")" >> "$NEXTEST_ENV"
fi
