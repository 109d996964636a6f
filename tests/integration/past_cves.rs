//! The pages that name tests for attacks name tests that are there.

use std::fs;
use std::path::{Path, PathBuf};

/// Pages, and how many tests each names at least: a page whose names are no longer found says nothing.
const PAGES: [(&str, usize); 2] = [("docs/PAST-CVES.md", 40), ("docs/SECURITY.md", 30)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// Every source file below a folder, with its text.
fn sources(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            into.push((path, text));
        }
    }
}

/// `file::function` in backquotes.
fn named(page: &str) -> Vec<(&str, &str)> {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter_map(|text| text.split_once("::")).filter(|(file, name)| word(file) && word(name)).collect()
}

/// Whether a function of this name, with a test's attribute above it, is in this file or folder, or a file
/// of this name in this folder.
fn is_there(files: &[(PathBuf, String)], module: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    files.iter().any(|(path, text)| {
        let stem = path.file_stem().is_some_and(|stem| stem == module);
        let folder = path.components().any(|part| part.as_os_str() == module);
        if folder && path.file_stem().is_some_and(|stem| stem == name) {
            return true;
        }
        let Some((before, _)) = text.split_once(&head).filter(|_| stem || folder) else { return false };
        before.lines().rev().take(6).any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
            || (text.contains("proptest!") && before.contains("proptest!"))
    })
}

#[test]
fn every_test_that_a_page_names_exists() {
    let root = root();
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    for (page, least) in PAGES {
        let text = fs::read_to_string(root.join(page)).expect("a page");
        let names = named(&text);
        assert!(names.len() >= least, "{page} names {} tests", names.len());
        let gone: Vec<_> = names.iter().filter(|(module, name)| !is_there(&files, module, name)).collect();
        assert!(gone.is_empty(), "{page} names tests that are not there: {gone:?}");
    }
    assert!(!is_there(&files, "past_cves", "no_such_test"));
}
