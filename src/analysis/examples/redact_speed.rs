//! Speed of redaction: a typical line, the worst lines there are, and output.
use countersign_analysis::redact::{Stream, find};
use std::io::Write;
use std::time::Instant;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let typical = [
        "docker run --rm -e POSTGRES_PASSWORD=hunter2xQ9 -p 5432:5432 postgres:16",
        "curl -sS -H \"Authorization: Bearer $TOKEN\" https://api.example.io/v1/status | jq .",
        "git log --oneline -20 && cargo test --workspace --all-features",
        "ssh deploy@web-1 'sudo systemctl restart nginx && journalctl -u nginx -n 20'",
    ];
    for line in typical {
        find(line);
        let start = Instant::now();
        for _ in 0..2000 {
            std::hint::black_box(find(std::hint::black_box(line)));
        }
        writeln!(out, "{:8.2} us  {line}", start.elapsed().as_secs_f64() * 1e6 / 2000.0)?;
    }
    let units = [
        "a",
        "=",
        ":",
        "$(",
        "${",
        "`",
        "'",
        "\"",
        "((",
        "<<E\n",
        "<(",
        "p=",
        "key=",
        "password=\"",
        "token: a ",
        "://a:",
        "@",
        "a@",
        "-----BEGIN PRIVATE KEY-----\n",
        "AKIA",
        "eyJ",
        "1 ",
        "41",
        "bash -c '",
        "mysql -p",
        "eval \"",
        "|sudo -S ",
        "Cookie: a=b;",
        "\\",
        "password ",
        "x<<<",
        "bearer ",
        "{",
        "echo a|",
        "su -c ",
        "mysql htpasswd -b redis-cli AUTH ",
        "--x ",
        "a=b ",
        "env A=b ",
        "hunter2 ",
        "-p aB3dE5fG7h ",
        "if a=b;",
        "a.",
        "_",
        "é",
        "ghp_",
    ];
    let mut worst = (0.0, "");
    for unit in units {
        let text: String = unit.chars().cycle().take(65_536 / unit.len().max(1) * unit.chars().count()).collect();
        let start = Instant::now();
        std::hint::black_box(find(&text));
        let took = start.elapsed().as_secs_f64() * 1e3;
        if took > 10.0 {
            writeln!(out, "{took:8.2} ms  64 KiB of {unit:?}")?;
        }
        if took > worst.0 {
            worst = (took, unit);
        }
    }
    writeln!(out, "{:8.2} ms  the worst 64 KiB: {:?}", worst.0, worst.1)?;
    let logs = [
        "2026-11-20T14:47:23.123Z INFO  [worker-3] GET /api/v1/items/42 200 1534 bytes in 12 ms from 10.0.0.7\n",
        "   Compiling serde v1.0.229 (registry+https://github.com/rust-lang/crates.io-index)\n",
        "-rw-r--r-- 1 root root  4096 Nov 20 14:47 src/main.rs\n",
        "Nov 20 14:47:23 web-1 systemd[1]: Started nginx.service - A high performance web server.\n",
    ];
    let mut text = Vec::new();
    while text.len() < 32 << 20 {
        for log in logs {
            text.extend_from_slice(log.as_bytes());
        }
    }
    let start = Instant::now();
    let mut stream = Stream::default();
    let mut bytes = 0;
    for piece in text.chunks(64 * 1024) {
        bytes += stream.push(piece).len();
    }
    bytes += stream.finish().len();
    let speed = text.len() as f64 / 1e6 / start.elapsed().as_secs_f64();
    writeln!(out, "{speed:8.0} MB/s of output, {bytes} of {} bytes", text.len())
}
