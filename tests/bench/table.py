"""The targets beside what peers.sh has measured, as the table of docs/BENCHMARKS.md.

table.py RESULTS    medians; runs that the bench calls disturbed are left out where three others are left, and counted
"""
import json, os, statistics, sys

results = sys.argv[1]
disturbed = 0


def load(name):
    path = os.path.join(results, name)
    return json.load(open(path)) if os.path.exists(path) else None


def runs(data, item, name):
    global disturbed
    good = [run for run in (data or {}).get("data", {}).get(item, {}).get(name, []) if not run.get("error")]
    calm = [run for run in good if not run["noisy"] and run["other"] <= 0.10]
    disturbed += len(good) - len(calm)
    return calm if len(calm) >= 3 else good


def median(data, item, name, key):
    values = [run[key] for run in runs(data, item, name) if key in run]
    return statistics.median(values) if values else None


def quantile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else None


def keys(data, name):
    return [ns / 1e3 for run in runs(data, "bash", name) for ns in run.get("lat_ns", [])]


def names(data, item):
    return [name for name in (data or {}).get("data", {}).get(item, {}) if name not in ("raw", "ours")]


def row(what, target, ours, met, unit, others):
    """`others` are floors and peers by name; what was not measured stays out of the table."""
    if ours is None:
        return
    said = ", ".join(f"{name} {value:.2f}" for name, value in others if value is not None)
    print(f"| {what} | {target} | {ours:.2f} {unit} | {'yes' if met else '**no**'} | {said} |")


def over_raw(what, file, item, key, limit):
    data = load(file)
    raw, own = (median(data, item, name, key) for name in ("raw", "ours"))
    if raw is None or own is None:
        return
    others = [("raw itself", raw * 1e3)]
    for name in names(data, item):
        value = median(data, item, name, key)
        others.append((name, None if value is None else (value - raw) * 1e3))
    row(what, f"≤ {limit} ms", (own - raw) * 1e3, (own - raw) * 1e3 <= limit, "ms", others)


def beside_script(what, data, item, key, unit):
    own, script = (median(data, item, name, key) for name in ("ours", "script"))
    if own is None or script is None:
        return
    others = [(name, median(data, item, name, key)) for name in ["raw"] + names(data, item)]
    row(what, "≤ script's", own, own <= script, unit, others)


def echo():
    data = load("echo.json")
    own, script = (quantile(keys(data, name), 0.5) for name in ("ours", "script"))
    if own is None or script is None:
        return
    others = [(name, quantile(keys(data, name), 0.5)) for name in ["raw"] + names(data, "bash")]
    row("echo of a key in bash, p50", "≤ script's", own, own <= script, "µs", others)


def idle():
    data = load("idle.json")
    for item, limit, what in (("1", 2048, "one login"), ("16", 614, "each of 16")):
        own = median(data, item, "ours", "pss_kb")
        others = [(name, median(data, item, name, "pss_kb")) for name in names(data, item)]
        row(f"idle PSS of front and spawner, {what}", f"≤ {limit} KiB", own, (own or 0) <= limit, "KiB", others)


def scp():
    took = load("scp.json")
    if took:
        ratio = statistics.median(took["raw"]) / statistics.median(took["ours"])
        row("scp of 500 MB, rate against direct", "≥ 0.95", ratio, ratio >= 0.95, "", [("direct, s", statistics.median(took["raw"]))])


def enter():
    took = load("enter.json")
    for part, limit in ((0.5, 2), (0.99, 8)) if took else ():
        own = quantile(took["ours"]["released"], part)
        others = [("plain bash", quantile(took["bash"]["released"], part))]
        others += [(f"to the first byte {name}", quantile(took[wrapper]["shown"], part)) for name, wrapper in (("ours", "ours"), ("the way alone", "way"))]
        row(f"Enter to released, p{part * 100:.0f}", f"≤ {limit} ms", own, own <= limit, "ms", others)


print("| what | target | ours | met | floors and peers in the same run |\n|---|--:|--:|---|---|")
over_raw("start to prompt over plain bash", "startup.json", "prompt", "prompt", 6)
over_raw("multiplexed `ssh host true`, whitelisted, over raw", "ssh.json", "mux-true", "wall", 8)
echo()
log = load("throughput.json")
beside_script("200 MB log through a recording pty, wall", log, "catlog", "wall", "s")
beside_script("the same, CPU of login shell, daemon, service and `cat`", log, "catlog", "cpu", "s")
scp()
idle()
enter()
host = load("hostd.json") or {}
for what, value in host.items():
    print(f"\n{what}: {value:.2f}")
if disturbed:
    print(f"\nDisturbed runs among all of these: {disturbed}.")
