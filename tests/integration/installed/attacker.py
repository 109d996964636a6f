"""What a program of the agent's account can try against another process.

    attacker.py PID…    prints one line for each attack that worked: "PID name"

It runs nothing of the gate and trusts nothing of it. A test first lets it attack a process of the same account, where
every attack must work: otherwise this file would prove nothing.
"""

import ctypes
import errno
import os
import resource
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.syscall.restype = ctypes.c_long

PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206
PROCESS_VM_READV, PROCESS_VM_WRITEV, KCMP = 310, 311, 312
PIDFD_SEND_SIGNAL, PIDFD_OPEN, PIDFD_GETFD, PROCESS_MADVISE = 424, 434, 438, 440


class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call(number, *arguments):
    # All arguments at their full width: an int is passed as 32 bits otherwise.
    return check(libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]))


def ptrace_attach(pid):
    check(libc.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0x40000000)
    libc.ptrace(PTRACE_DETACH, pid, None, None)


def ptrace_seize(pid):
    check(libc.ptrace(PTRACE_SEIZE, pid, None, None))
    # Only a stopped process can be let go; the end of this program does it otherwise.
    libc.ptrace(PTRACE_DETACH, pid, None, None)


def first_mapping(pid):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            span, rights = line.split()[:2]
            if rights.startswith("rw"):
                return int(span.split("-")[0], 16)
    raise OSError(errno.ESRCH, "nothing is mapped")


def memory(pid, mode):
    with open(f"/proc/{pid}/mem", mode, buffering=0) as file:
        if mode == "rb":
            file.seek(first_mapping(pid))
            file.read(1)


def vm(pid, number):
    here = ctypes.create_string_buffer(1)
    # An address of this program: what is refused for want of rights is refused before the address matters.
    try:
        there = first_mapping(pid)
    except OSError:
        there = ctypes.addressof(here)
    if number == PROCESS_VM_WRITEV:
        call(PROCESS_VM_READV, pid, ctypes.byref(IoVec(ctypes.addressof(here), 1)), 1, ctypes.byref(IoVec(there, 1)), 1, 0)
    call(number, pid, ctypes.byref(IoVec(ctypes.addressof(here), 1)), 1, ctypes.byref(IoVec(there, 1)), 1, 0)


def pidfd(pid):
    return call(PIDFD_OPEN, pid, 0)


def take_descriptor(pid):
    for number in range(64):
        try:
            os.close(call(PIDFD_GETFD, pidfd(pid), number, 0))
            return
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
    raise OSError(errno.EBADF, "no descriptor")


def open_descriptors(pid):
    for number in range(64):
        try:
            os.close(os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK))
            return
        except FileNotFoundError:
            continue
    raise OSError(errno.EACCES, "no descriptor could be opened")


def read(name):
    def attack(pid):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            file.read(1)

    return attack


def write(name, text):
    def attack(pid):
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write(text)

    return attack


def signals(number):
    def attack(pid):
        os.kill(pid, number)
        if number == signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)

    return attack


def limits(pid):
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def look(name):
    return lambda pid: os.readlink(f"/proc/{pid}/{name}")


ATTACKS = {
    "ptrace_attach": ptrace_attach,
    "ptrace_seize": ptrace_seize,
    "read_mem": lambda pid: memory(pid, "rb"),
    "write_mem": lambda pid: memory(pid, "r+b"),
    "process_vm_readv": lambda pid: vm(pid, PROCESS_VM_READV),
    "process_vm_writev": lambda pid: vm(pid, PROCESS_VM_WRITEV),
    "pidfd_getfd": take_descriptor,
    "pidfd_send_signal": lambda pid: call(PIDFD_SEND_SIGNAL, pidfd(pid), signal.SIGCONT, 0, 0),
    "kcmp": lambda pid: call(KCMP, pid, os.getpid(), 0, 0, 0),
    "list_descriptors": lambda pid: os.listdir(f"/proc/{pid}/fd"),
    "open_descriptors": open_descriptors,
    "environment": read("environ"),
    "auxiliary_vector": read("auxv"),
    "maps": read("maps"),
    "current_system_call": read("syscall"),
    "working_directory": look("cwd"),
    "root_directory": look("root"),
    "out_of_memory_score": write("oom_score_adj", "1000"),
    "memory_references": write("clear_refs", "1"),
    "core_dump_filter": write("coredump_filter", "0"),
    "resource_limits": limits,
    "signal_stop": signals(signal.SIGSTOP),
    "signal_continue": signals(signal.SIGCONT),
    "signal_zero": signals(0),
    "signal_window": signals(signal.SIGWINCH),
    # Last: it leaves nothing to attack.
    "signal_kill": signals(signal.SIGKILL),
}


def main():
    for pid in map(int, sys.argv[1:]):
        for name, attack in ATTACKS.items():
            try:
                attack(pid)
            except OSError:
                continue
            print(pid, name, flush=True)


main()
