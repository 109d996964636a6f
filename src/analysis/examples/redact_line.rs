//! Shows what redaction finds in each line of its standard input.
use countersign_analysis::redact::find;
use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lines() {
        let line = line?;
        for f in find(&line) {
            writeln!(out, "{:?} cut={} {}", line.get(f.start..f.end).unwrap_or_default(), f.is_cut(), f.kind)?;
        }
    }
    Ok(())
}
