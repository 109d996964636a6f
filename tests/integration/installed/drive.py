"""Logins driven through pexpect, as the frameworks of agents do it.

    drive.py HOME COMMAND…             each scenario on a login of its own that this command begins
    drive.py --control HOME COMMAND…   the burst alone, where no gate is

Prints the name of each scenario that went as it should. Somebody approves every line but those that say NEVER.
"""

import os
import sys
import time

import pexpect

PROMPT = r"\$ "
LIMIT = 20


def login(rows=24, columns=80):
    child = pexpect.spawn(command[0], command[1:], encoding="utf8", timeout=LIMIT, dimensions=(rows, columns))
    child.delaybeforesend = None
    child.expect(PROMPT)
    return child


def line(child, text, output):
    """A line whose output is not in its text, so that no echo is taken for it."""
    child.send(text + "\r")
    child.expect(output)
    child.expect(PROMPT)


def leave(child, status=0):
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == status, child.exitstatus


def exists(name):
    return os.path.exists(os.path.join(home, name))


BURST = ["touch a", "touch b", "touch c #NEVER", "touch d", "touch e"]


def burst(child):
    child.send("".join(text + "\r" for text in BURST))
    child.expect("denied")
    child.expect(PROMPT)
    # What follows a denied line is dropped until there is a pause.
    time.sleep(1)
    line(child, "echo bu''rst", "burst")
    assert [exists(name) for name in "abcde"] == [True, True, False, False, False], os.listdir(home)


def denied_text_runs_nothing(child):
    child.send("cat <<EOF #NEVER\r$(touch body)\rEOF\r")
    child.expect("denied")
    child.expect(PROMPT)
    line(child, "echo st''atus $?", "status 126")
    assert not exists("body")


def type_ahead(child):
    child.send("echo be''gun; sleep 1; echo sl''ept\r")
    child.expect("begun")
    child.send("touch ahead #NEVER\r")
    child.expect("slept")
    child.expect("denied")
    child.expect(PROMPT)
    assert not exists("ahead")
    child.send("echo on''ce; sleep 1; echo mo''re\r")
    child.expect("once")
    child.send("echo PAR")
    child.expect("more")
    child.expect(PROMPT)
    line(child, "TI''AL", "PARTIAL")


def nested(child):
    child.send("bash --norc\r")
    child.expect(r"bash-[0-9.]+\$ ")
    # Documented: what runs within an approved shell is recorded and not held.
    line(child, "touch nested; echo in''ner #NEVER", "inner")
    assert exists("nested")
    child.send("exit\r")
    child.expect(PROMPT)
    child.send("touch outer #NEVER\r")
    child.expect("denied")
    child.expect(PROMPT)
    assert not exists("outer")


def replaced(child):
    child.send("exec sh -c 'echo repl''aced; read text; echo got: $text'\r")
    child.expect("replaced")
    child.send("touch replaced #NEVER\r")
    child.expect("got: touch replaced #NEVER")
    leave(child)
    assert not exists("replaced")


def hook_removed(child):
    line(child, "PROMPT_COMMAND=; unset PROMPT_COMMAND", "readonly variable")
    child.send("touch hole #NEVER\r")
    child.expect("denied")
    child.expect(PROMPT)
    assert not exists("hole")


def interrupted(child):
    child.send("echo be''gun; sleep 60; touch interrupted\r")
    child.expect("begun")
    # An interrupt before it is bash's, which starts it all the same: so does bash without the gate.
    until_runs("sleep")
    child.sendintr()
    child.expect(PROMPT)
    line(child, "echo st''atus $?", "status 130")
    assert not exists("interrupted")


def stopped(child):
    child.send("sleep 60\r")
    until_runs("sleep")
    child.send("\x1a")
    child.expect("Stopped")
    child.expect(PROMPT)
    line(child, "jobs; kill %1; echo ki''lled", "killed")


def until_runs(name):
    """Waits for such a program, which is in the foreground before it has its name."""
    until = time.time() + LIMIT
    while name.encode() not in running():
        assert time.time() < until
        time.sleep(0.05)


def running():
    names = b""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            owner = os.stat(f"/proc/{pid}").st_uid
            with open(f"/proc/{pid}/comm", "rb") as comm:
                names += comm.read() if owner == os.stat(home).st_uid else b""
        except OSError:
            continue
    return names


def pasted(child):
    child.send("\x1b[200~echo fi''rst\necho sec''ond\x1b[201~\r")
    child.expect("first\r\nsecond\r\n")


def resized(child):
    child.setwinsize(40, 111)
    line(child, "echo si''ze: $(stty size </dev/tty)", "size: 40 111")


def left(child):
    child.send("exit 9\r")
    leave(child, 9)


SCENARIOS = [
    burst,
    denied_text_runs_nothing,
    type_ahead,
    nested,
    replaced,
    hook_removed,
    interrupted,
    stopped,
    pasted,
    resized,
    left,
]


def control():
    child = login()
    child.send("".join(text + "\r" for text in BURST))
    line(child, "echo bu''rst", "burst")
    print(*[name for name in "abcde" if exists(name)])
    child.close(force=True)


words = sys.argv[1:]
only_control = words[0] == "--control"
home, *command = words[1:] if only_control else words
if only_control:
    control()
else:
    for scenario in SCENARIOS:
        child = login()
        scenario(child)
        child.close(force=True)
        print(scenario.__name__, flush=True)
