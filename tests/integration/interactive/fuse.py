"""A file system of the agent's own, without a library: one directory with one script, whose text depends on who reads.

    fuse.py MOUNTPOINT STALL SEEN     answers nothing any more once the file STALL exists; a byte in SEEN for each read

Each process that reads x.sh for the first time is shown harmless text, and every later one the other.
"""

import ctypes
import os
import struct
import sys

mountpoint, stall, seen = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}".encode()
if libc.mount(b"fuse", mountpoint.encode(), b"fuse", 0, options) != 0:
    sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")

GOOD, EVIL = b"echo good\n", b"echo evil\n"
FORGET, GETATTR, OPEN, READ, INIT, OPENDIR, INTERRUPT, LOOKUP, STATFS = 2, 3, 14, 15, 26, 27, 36, 1, 17
QUIET = {18, 25, 29, 34}  # release, flush, releasedir, access
readers = set()


def attributes(node):
    mode, size = (0o40755, 0) if node == 1 else (0o100755, len(GOOD))
    return struct.pack("<6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, os.getuid(), os.getgid(), 0, 512, 0)


print("ready", flush=True)
while True:
    request = os.read(device, 1 << 20)
    _, code, unique, node, _, _, pid, _ = struct.unpack_from("<IIQQIIII", request)
    if code in (FORGET, INTERRUPT) or os.path.exists(stall):
        continue
    error, body = 0, b""
    if code == INIT:
        body = struct.pack("<IIIIHHII", 7, 31, 0, 0, 0, 0, 4096, 1) + bytes(36)
    elif code == GETATTR:
        body = struct.pack("<QII", 0, 0, 0) + attributes(node)
    elif code == LOOKUP and request[40:].split(b"\0")[0] == b"x.sh":
        body = struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2)
    elif code in (OPEN, OPENDIR):
        # 1: nothing of it is kept, each read comes here.
        body = struct.pack("<QII", 0, 1, 0)
    elif code == READ:
        offset, size = struct.unpack_from("<QI", request, 48)
        readers.add(pid)
        with open(seen, "a") as file:
            file.write(".")
        body = (GOOD if len(readers) == 1 else EVIL)[offset : offset + size]
    elif code == STATFS:
        body = bytes(80)
    elif code == LOOKUP:
        error = -2
    elif code not in QUIET:
        error = -38
    os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
