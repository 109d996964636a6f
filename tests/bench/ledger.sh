#!/usr/bin/env bash
# The speed table of the ledger, in one run: verifying beside SHA-256 alone and the published witness-log, and durable
# entries a second beside fdatasync alone.
#
#   tests/bench/ledger.sh DIR [ENTRIES]      1,000,000 entries unless told otherwise; DIR takes 1 GB for each million
#
# witness-log 0.6.1 is installed from PyPI into DIR; without Python or the registry its line is left out, loudly. Its
# entries carry no signature of their own, so it is to be read beside `checkpoint`, not `strict`.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -ge 1 ] || { sed -n 2,9p "$0" >&2; exit 64; }
dir=$(mkdir -p "$1" && realpath "$1") entries=${2:-1000000}
speed=${CARGO_TARGET_DIR:-target}/release/examples/verify_speed

cargo build --quiet --locked --release -p countersign-ledger --example verify_speed
[ -d "$dir/history" ] || { mkdir "$dir/history.new" && "$speed" generate "$dir/history.new" "$entries" && mv "$dir/history.new" "$dir/history"; }
for mode in checkpoint checkpoint checkpoint strict; do "$speed" measure "$dir/history" $mode; done

peer() {
    [ -x "$dir/peer/bin/python" ] || python3 -m venv "$dir/peer"
    "$dir/peer/bin/pip" install --quiet witness-log==0.6.1
    "$dir/peer/bin/python" - "$dir/peer/log.jsonl" "$entries" <<'PY'
import os, sys, time
import witness_log
path, entries = sys.argv[1], int(sys.argv[2])
if os.path.exists(path):
    os.remove(path)
log = witness_log.open(path)
for number in range(entries):
    log.append_intent(b'{"tool":"bash","args":"git status %d"}' % number)
text, key = log.to_dossier_json(), log.identity_pubkey_hex()
for _ in range(3):
    wall, cpu = time.monotonic(), time.process_time()
    report = witness_log.verify_dossier_json(text, 1.0, key)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    assert '"internally_consistent": true' in report
    print(f"witness-log 0.6.1, {entries} leaves, {len(text) / 1e6:.0f} MB in memory: {wall:.2f} s, {cpu:.2f} s of CPU")
PY
}
peer || echo "LEFT OUT: witness-log could not be installed or run" >&2
cargo bench --locked -p countersign-tests --bench durable
