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

/// `file::function` in backquotes, also `file::tests::function`.
fn named(page: &str) -> Vec<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    let parts = quoted.filter_map(|text| Some((text.split_once("::")?.0, text.rsplit_once("::")?.1)));
    parts.filter(|(file, name)| is_word(file) && is_word(name)).collect()
}

/// What stands in the last column of a table by itself: a function, or a file of tests.
fn named_alone(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches(['|', ' ']).rsplit_once(" | ")).map(|(_, cell)| cell);
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter(|word| is_word(word)).collect()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
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
        let somewhere = |name: &str| {
            let file = |path: &Path| path.components().any(|part| part.as_os_str() == name);
            files.iter().any(|(path, text)| file(&path.with_extension("")) || text.contains(&format!("fn {name}(")))
        };
        let gone: Vec<_> = named_alone(&text).into_iter().filter(|name| !somewhere(name)).collect();
        assert!(gone.is_empty(), "{page} names what is not there: {gone:?}");
    }
    assert!(!is_there(&files, "past_cves", "no_such_test"));
    assert_eq!(named_alone("| a `b` | c | `d`, `e::f`, `g h` |\n`i` | `j`"), ["d"]);
}
