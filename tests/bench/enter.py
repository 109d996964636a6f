"""From Enter to a line's release, and to the first byte that it writes, in an open session.

enter.py RESULT NAME=COMMAND…    prints p50 and p99 in ms of 300 lines each, the wrappers taking turns

Released: the terminal is taken out of the editor's mode, which ours does when the decision is recorded and durable, and
the shell is handed the line next. bash does that at once.

Among them `way`, a floor: as many processes as a whitelisted line is handed through (counted in a system call trace
of one: 31, of which the front's look around are 4, signing 4, the service's statements 10) hand one byte on, and three
of them write as much as ours do there (in KiB) and wait for the disk of RESULT. Nothing is parsed, signed or decided.
"""
import json, os, pty, select, shlex, signal, socket, sys, tempfile, time

# What bash and our editor write when they are ready for a line, and when they took it: bracketed paste on and off.
LINE, READY, TAKEN, SHOWN = b"echo RELEASED\r", b"\x1b[?2004h", b"\x1b[?2004l", b"RELEASED"
ROUNDS, LINES = 6, 50


class Session:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(command[0], command)
        self.seen = b""
        self.until(READY)

    def until(self, text):
        while text not in self.seen:
            if not select.select([self.fd], [], [], 20)[0]:
                sys.exit(f"waited for {text!r}, saw {self.seen[-300:]!r}")
            self.seen += os.read(self.fd, 65536)
        rest = self.seen.split(text, 1)[1]
        self.seen = rest

    def line(self):
        time.sleep(0.005)
        os.write(self.fd, LINE[:-1])
        time.sleep(0.02)
        began = time.monotonic_ns()
        os.write(self.fd, LINE[-1:])
        self.until(TAKEN)
        released = time.monotonic_ns() - began
        self.until(SHOWN)
        shown = time.monotonic_ns() - began
        self.until(READY)
        return {"released": released / 1e6, "shown": shown / 1e6}


class Way:
    HANDS, SYNCED = 31, {7: 2, 20: 100, 24: 2}

    def __init__(self, directory):
        self.pids, self.first, last = [], *socket.socketpair()
        for hand in range(self.HANDS - 1):
            here = last
            after, last = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                self.hand_on(here, after, directory, self.SYNCED.get(hand))
            self.pids.append(pid)
        self.last = last

    def hand_on(self, here, after, directory, kib):
        file = tempfile.TemporaryFile(dir=directory, buffering=0) if kib else None
        while here.recv(1):
            if file:
                file.write(b"x" * kib * 1024)
                os.fdatasync(file.fileno())
            after.send(b"x")
        os._exit(0)

    def line(self):
        time.sleep(0.025)
        began = time.monotonic_ns()
        self.first.send(b"x")
        self.last.recv(1)
        return {"shown": (time.monotonic_ns() - began) / 1e6}

    def end(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main():
    result, wrappers = sys.argv[1], dict(word.split("=", 1) for word in sys.argv[2:])
    way = Way(os.path.dirname(os.path.abspath(result)))
    sessions = {name: Session(shlex.split(command)) for name, command in wrappers.items()} | {"way": way}
    took = {name: [] for name in sessions}
    for session in sessions.values():
        session.line()
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            took[name] += [session.line() for _ in range(LINES)]
    way.end()
    took = {name: {what: [line[what] for line in lines] for what in lines[0]} for name, lines in took.items()}
    for name, lines in took.items():
        for what, values in lines.items():
            values = sorted(values)
            print(f"enter {name}, {what}: p50 {values[len(values) // 2]:.2f} ms, p99 {values[int(len(values) * .99)]:.2f} ms, {len(values)} lines")
    json.dump(took, open(result, "w"))


main()
