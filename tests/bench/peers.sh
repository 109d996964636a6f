#!/usr/bin/env bash
# Our login shell beside other recorders and floors, in one run.
#
#   tests/bench/peers.sh BENCH RESULTS [PART…]      PARTS: throughput echo start idle ssh scp enter
#
# BENCH is a writable copy of the folder with bench.py, after its own setup.sh; RESULTS a folder for what was measured.
# Needs root. Builds release programs; everything that is installed is in a mount namespace of its own, where /etc is a
# copy that is gone afterwards. State is on the disk of RESULTS. BOOST=1 raises the priority of what is measured on a
# machine that does other work, instead of waiting until it is quiet. REPS and PEERS choose rounds and wrappers, PROGRAMS
# a folder with programs that are built already.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 2 ] || { sed -n 2,11p "$0" >&2; exit 64; }
bench=$(realpath "$1") results=$(mkdir -p "$2" && realpath "$2")
shift 2
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(throughput echo start idle ssh scp enter)
if [ "${COUNTERSIGN_BENCH:-}" != inside ]; then
    [ -n "${PROGRAMS:-}" ] || "$repository/tests/build-programs.sh" release
    COUNTERSIGN_BENCH=inside exec unshare --mount --propagation private "$0" "$bench" "$results" "${parts[@]}"
fi

bin=$(realpath "${PROGRAMS:-$repository/target/tests/bin-release}")
state=$(mktemp -d "$results/state.XXXXXX")
chmod 755 "$state"
prefix=() boost=()
[ -z "${BOOST:-}" ] || { prefix=(nice -n -20) boost=(--boost); }
started=()

stop() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    ! mountpoint -q "$state/etc" || umount -l "$state/etc"
    rm -rf "$state"
}
trap stop EXIT

# Starts a daemon among those whose processor time is not taken for a disturbance; $ready is what it says first.
daemon() {
    local log=$1
    shift
    mkdir -p /sys/fs/cgroup/cpuacct/bp/srv
    mkfifo "$log.ready"
    (echo 0 > /sys/fs/cgroup/cpuacct/bp/srv/tasks; exec "${prefix[@]}" "$@") > "$log.ready" 2> "$log" &
    started+=($!)
    pid=$!
    exec {from}< "$log.ready"
    read -r ready <&"$from"
}

as() { setpriv --reuid "$1" --regid "$1" --clear-groups env -i PATH=/usr/bin:/bin "${@:2}"; }
reviewer() { "$bin/countersign" "$@" --config "$state/$mode.toml"; }
allow() { reviewer rules add --exact "$1" "${@:2}" > /dev/null; }

# A service and a host under one uid: what the recorders are compared with.
trial() {
    mode=trial
    mkdir -m 700 "$state/service" "$state/host"
    daemon "$state/service.log" "$bin/countersign-server" serve --plain --listen 127.0.0.1:0 --state "$state/service"
    local url=${ready#listening on }
    (umask 077; "$bin/countersign-server" reviewer add ops-lead --url "$url" --state "$state/service" > "$state/trial.toml")
    local token
    token=$("$bin/countersign-server" enroll-token --name bench --state "$state/service")
    "$bin/countersign-hostd" enroll --trial --service "$url" --token "$token" --name bench --state "$state/host"
    socket=$state/front.sock
    daemon "$state/hostd.log" "$bin/countersign-hostd" serve --trial --state "$state/host" --socket "$socket" \
        --submissions-per-minute 1000000
    hostd=$pid
    ours="$bin/countersign-sh --trial --socket $socket"
}

# A person approves what no rule may let run; looked for twice a second.
approver() {
    (
        echo 0 > /sys/fs/cgroup/cpuacct/bp/srv/tasks
        while sleep 0.5; do
            for id in $(reviewer pending --json 2>/dev/null | jq -r '.[].id'); do reviewer approve "$id" < /dev/null; done
        done
    ) > "$results/approver.log" 2>&1 &
    started+=($!)
}

# The same with accounts of their own, TLS and a setuid login shell, for sshd.
installed() {
    mode=installed
    local upper=$state/etc accounts=(countersign countersign-hostd countersign-server)
    mkdir -p "$upper"
    mount -t tmpfs -o mode=755 none "$upper"
    cp -a /etc/. "$upper/"
    mount --rbind "$upper" /etc
    groupadd --system countersign-agents
    for account in "${accounts[@]}"; do useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$account"; done
    useradd --no-create-home --groups countersign-agents --shell /usr/sbin/nologin bps_ours
    mkdir -p /srv/countersign /run/countersign
    mount -t tmpfs -o mode=755 none /srv/countersign
    mount -t tmpfs -o mode=755 none /run/countersign
    chown countersign-hostd: /run/countersign
    cp "$bin"/countersign* /srv/countersign/
    shell=/srv/countersign/countersign-sh
    chown countersign:countersign-agents "$shell"
    chmod 4750 "$shell"
    for account in hostd server; do install -d -m 700 -o "countersign-$account" "$state/$account"; done
    mkdir /etc/countersign
    sed "s|/var/lib/countersign/host|$state/hostd|" "$repository/packaging/etc/countersign/hostd.toml" > /etc/countersign/hostd.toml
    echo 'submissions_per_minute = 1000000' >> /etc/countersign/hostd.toml
    cp "$repository/packaging/etc/countersign/countersign-sh.toml" /etc/countersign/
    local server=(setpriv --reuid countersign-server --regid countersign-server --clear-groups env -i PATH=/usr/bin:/bin /srv/countersign/countersign-server)
    local daemon_as=(setpriv --reuid countersign-hostd --regid countersign-hostd --clear-groups env -i PATH=/usr/bin:/bin /srv/countersign/countersign-hostd)
    daemon "$state/tls.log" "${server[@]}" serve --listen 127.0.0.1:0 --state "$state/server"
    local url=${ready#listening on } token
    (umask 077; "${server[@]}" reviewer add ops-lead --url "$url" --state "$state/server" > "$state/installed.toml")
    token=$("${server[@]}" enroll-token --name bench --state "$state/server")
    "${daemon_as[@]}" enroll --service "$url" --token "$token" --name bench --state "$state/hostd"
    daemon "$state/installed.log" "${daemon_as[@]}" serve --config /etc/countersign/hostd.toml
}

run() { (cd "$bench" && "${prefix[@]}" ./bench.py "$@" "${boost[@]}" --quiet); }
# Processor time of a process so far, threads that have ended included.
seconds() { awk -v ticks="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.2f\n", ($12 + $13) / ticks }' "/proc/$1/stat"; }
has() { [[ " ${parts[*]} " == *" $1 "* ]]; }

trial
if has throughput; then
    allow "/bin/cat $bench/data/build.log" --on-terminal
    before=$(seconds "$hostd")
    run throughput --items catlog --only "${PEERS:-relay-cast,script}" --no-anchors --reps "${REPS:-5}" \
        --wrapper "ours=$ours -c {q}" --json "$results/throughput.json"
    # Runs that were repeated used the daemon too.
    jq --argjson before "$before" --argjson after "$(seconds "$hostd")" \
        '{"hostd, CPU s a run": (($after - $before) / ([.data.catlog.ours[].tries] | add))}' "$results/throughput.json" > "$results/hostd.json"
    peak=$(awk '/VmHWM/ { print $2 }' "/proc/$hostd/status")
    jq --argjson peak "$peak" '."hostd, peak RSS KiB" = $peak' "$results/hostd.json" > "$state/hostd.json"
    cp "$state/hostd.json" "$results/hostd.json"
fi
if has echo || has idle; then approver; fi
has echo && run echo --only "${PEERS:-relay,script}" --reps "${REPS:-10}" --wrapper "ours=$ours -c {q}" --json "$results/echo.json"
if has start; then
    # Our own prompt is that of an interactive login, and bash -i is what it is compared with. The bench waits for
    # "bash-5.", which our prompt, \u@\h:\w, shows in a directory of that name.
    allow exit --on-terminal
    mount -t tmpfs -o mode=755 none /mnt
    mkdir /mnt/bash-5.2
    mount --bind "$bench" /mnt/bash-5.2
    bench=/mnt/bash-5.2 run startup --items prompt --only "${PEERS:-relay,script}" --reps "${REPS:-30}" --wrapper "ours=$ours" --json "$results/startup.json"
fi
has idle && run idle --only "${PEERS:-relay,script}" --reps "${REPS:-3}" --settle 3 --wrapper "ours=$ours -c {q}" --json "$results/idle.json"
if has enter; then
    allow 'echo RELEASED' --on-terminal
    "${prefix[@]}" python3 "$repository/tests/bench/enter.py" "$results/enter.json" "ours=$ours" "bash=/bin/bash --norc --noprofile -i"
fi
if has ssh || has scp; then
    installed
    allow true
fi
has ssh && run ssh --items notty-true,mux-true --only "${PEERS:-force-sh,script}" --reps "${REPS:-15}" --login-shell "ours=$shell" --json "$results/ssh.json"
if has scp; then
    # sshd and its accounts are those of the ssh part.
    run ssh --items notty-true --only raw --reps 1 --login-shell "ours=$shell" --json "$state/accounts.json" > /dev/null
    mkdir -p /run/sshd
    daemon "$state/sshd.log" sh -c "echo started; exec /usr/sbin/sshd -D -e -f $bench/ssh/sshd_config"
    head -c 500000000 /dev/urandom > "$state/500MB"
    allow "scp -t /dev/null"
    "${prefix[@]}" python3 "$repository/tests/bench/copy.py" "$results/scp.json" "$state/500MB" "$bench/ssh/config" "${REPS:-5}"
fi
json=()
for part in throughput echo startup idle ssh; do [ -e "$results/$part.json" ] && json+=("$results/$part.json"); done
[ ${#json[@]} -eq 0 ] || (cd "$bench" && ./bench.py report "${json[@]}") > "$results/report.md"
(
    echo "$(date +%F), $(git -C "$repository" rev-parse --short HEAD), load $(cut -d' ' -f1-3 /proc/loadavg)${BOOST:+, raised priority}"
    echo
    python3 "$repository/tests/bench/table.py" "$results"
) | tee "$results/table.md"
