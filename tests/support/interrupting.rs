//! A program that interrupts the shell that it was started by while this reads a line.

/// For python3: waits in the background until the shell that it was started by reads a long message, and interrupts it there.
/// Makes a file `looking` once it looks.
pub const INTERRUPTING: &str = r#"
import os, signal, time
shell = os.getppid()
if os.fork(): os._exit(0)
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_IGN)
null = os.open("/dev/null", os.O_RDWR)
for number in range(3): os.dup2(null, number)
counts = os.open(f"/proc/{shell}/io", os.O_RDONLY)
read = lambda: int(os.pread(counts, 200, 0).split()[1])
time.sleep(0.5)
before, until = read(), time.time() + 30
open("looking", "w").close()
while time.time() < until:
    if read() - before > 5000:
        os.kill(shell, signal.SIGINT)
        break
"#;
