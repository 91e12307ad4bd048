//! That no test of the project skips in a way of its own.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() && !path.ends_with("loud-skip") && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nobody_skips_without_this_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "crates"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 100, "{files:?}");
    let own_way = |line: &str| {
        let words = line.to_ascii_lowercase();
        (words.contains("print") && (words.contains("\"skipped:") || words.contains("\"skipped,")))
            || (words.contains("var") && words.contains("\"kregress_ci\""))
    };
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a source file");
        let lines = text.lines().enumerate().filter(|(_, line)| own_way(line));
        found.extend(lines.map(|(n, line)| format!("{}:{}: {}", file.display(), n + 1, line.trim())));
    }
    assert!(found.is_empty(), "use loud_skip::skip or loud_skip::optional:\n{}", found.join("\n"));
}
