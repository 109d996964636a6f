//! `seeds DIR`: writes the examples of each target, and each of their lines, into a folder of its name.

use std::fs;
use std::path::Path;

fn main() {
    let dir = std::env::args().nth(1).expect("usage: seeds DIR");
    for target in countersign_fuzz::TARGETS {
        let corpus = Path::new(&dir).join(target.name);
        fs::create_dir_all(&corpus).expect("corpus");
        let lines = target.examples.iter().flat_map(|text| text.lines());
        for (number, text) in target.examples.iter().copied().chain(lines).enumerate() {
            fs::write(corpus.join(format!("example-{number}")), text).expect("example");
        }
    }
}
