"""scp of one file into an account with our login shell and into one without, in turns.

copy.py RESULT FILE SSH_CONFIG ROUNDS
"""
import json, os, statistics, subprocess, sys, time

result, file, config, rounds = sys.argv[1:5]
took = {"raw": [], "ours": []}
for turn in range(int(rounds) + 1):
    for name, values in took.items():
        began = time.monotonic()
        subprocess.run(["scp", "-O", "-q", "-F", config, file, f"bp-{name}:/dev/null"], check=True)
        if turn:  # the first fills the page cache
            values.append(time.monotonic() - began)
size = os.path.getsize(file) / 1e6
medians = {name: statistics.median(values) for name, values in took.items()}
for name, values in took.items():
    print(f"scp {name}: {size / medians[name]:.0f} MB/s ({min(values):.2f}..{max(values):.2f} s)")
print(f"scp ours / direct: {medians['raw'] / medians['ours']:.3f}")
json.dump(took, open(result, "w"))
