//! Scripts as people write them, to be cut off anywhere.

pub(super) const SCRIPTS: &[&str] = &[
    r#"#!/bin/bash
set -euo pipefail
# Don't forget: "quotes" in comments (and brackets
log() { printf '%s %s\n' "$(date +%F)" "$*" >&2; }
for f in *.log "${HOME}"/logs/*.gz; do
    [[ -f $f && ! -L $f ]] || continue
    case ${f##*.} in
        gz) zcat "$f" | grep -c 'it''s' || true ;;
        (log|txt) wc -l <"$f" ;;
        *) log "skip: $f" ;;
    esac
done
"#,
    r#"deploy() (
    cd "$1" || exit 1
    local -a hosts=(web1 web2  # the front
        db1)
    for ((i = 0; i < ${#hosts[@]}; i++)); do
        ssh "${hosts[i]}" "sudo systemctl restart app && echo \"ok: $(hostname)\"" &
    done
    wait
)
if deploy /srv/app; then echo done; elif (( $? > 2 )); then echo bad; else echo no; fi
"#,
    r#"cat <<EOF >/tmp/a; cat <<-'END' | sort
user: $USER $(id -u) `whoami`
it's "quoted" \
joined
EOF
	one
	EOF $(
	END
x=$(cat <<A
inside
A
)
psql -c "select * from t where a = 'b' and c in ($(printf '%s,' "${ids[@]}"))" <<<"$input"
"#,
    r#"while IFS=: read -r name _ uid _; do
    if [[ $uid -ge 1000 && $name != @(nobody|guest*) ]]; then
        users[${#users[@]}]="$name"
        map["$name"]=$((uid % 2 ? uid : -uid))
    fi
done < <(getent passwd | grep -v '^#')
until curl -fsS "http://localhost:${PORT:-8080}/health" >/dev/null 2>&1 || (( ++n > 30 )); do sleep 1; done
[[ $out =~ ^([0-9]+)\.([0-9]+)$ ]] && echo "${BASH_REMATCH[1]}"
"#,
    r#"function backup {
  local dst=${1:-"$HOME/backup dir"} when=${2:-$(date +"%Y-%m-%d")}
  tar -czf "$dst/$when.tgz" --exclude='*.tmp' . || { echo "failed: $?" >&2; return 1; }
}
coproc BC { bc -l; }
echo "2^10" >&"${BC[1]}"; read -r r <&"${BC[0]}"
select opt in start stop "quit now"; do
  case $opt in start) backup && break;; quit*) exit;; esac
done
trap 'rm -f "$tmp"; echo "bye $(date)"' EXIT
time -p { ! false; } |& tee -a log &
"#,
    r#"git log --format='%h %s' -n 5 |
  while read -r h s; do
    printf '%-10s %s\n' "$h" "${s//\"/\'}"
  done &&
  echo $'tab\there\'s' "a${b:+"c ${d[@]:1:2} e"}f" $"loc" \
    >>out.txt 2>>err.txt {fd}>lock
find . \( -name '*.rs' -o -name '*.toml' \) -exec grep -Hn "$1" {} \; | awk -F: '{ print $1 ":" $2 }'
if ! { test -d x; } ; then :; fi; ((x = y << 2, z |= 1)) && let "a = (b + 1)"
"#,
];
