//! Where the evidence of one attempt is kept.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::event::CellId;

/// The longest name of a cell's folder; file systems allow 255 bytes.
const NAME_LIMIT: usize = 200;

/// The folder of one attempt, `attempts/<test>@<kernel>/<n>/` in the run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptDir {
    run: PathBuf,
    relative: String,
}

impl AttemptDir {
    pub(super) fn new(run: &Path, cell: &CellId, attempt: u32) -> AttemptDir {
        AttemptDir { run: run.to_owned(), relative: format!("attempts/{}/{attempt}", cell_name(cell)) }
    }

    /// Makes the folder and those above it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(&self) -> io::Result<()> {
        std::fs::create_dir_all(self.path())
    }

    /// The folder itself.
    pub fn path(&self) -> PathBuf {
        self.run.join(&self.relative)
    }

    /// The kernel console, bytes as the guest printed them.
    pub fn console(&self) -> PathBuf {
        self.run.join(self.console_relative())
    }

    /// The console's path as the journal has it: relative to the run's folder.
    pub fn console_relative(&self) -> String {
        format!("{}/console.log", self.relative)
    }

    /// What the test's program wrote to standard output and standard error.
    pub fn output(&self) -> PathBuf {
        self.run.join(self.output_relative())
    }

    /// The output's path relative to the run's folder.
    pub fn output_relative(&self) -> String {
        format!("{}/output.log", self.relative)
    }

    /// The memory of the guest, where it is kept.
    pub fn vmcore(&self) -> PathBuf {
        self.path().join(crate::vm::guest::VMCORE)
    }

    /// The script by which a person comes into the guest that the attempt had.
    pub fn reproduce(&self) -> PathBuf {
        self.run.join(self.reproduce_relative())
    }

    /// The script's path as the journal has it: relative to the run's folder.
    pub fn reproduce_relative(&self) -> String {
        format!("{}/reproduce.sh", self.relative)
    }
}

/// The name of a cell's folder: readable, without a character that a shell or a file system treats specially, and
/// different for different cells.
fn cell_name(cell: &CellId) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '~');
    let part = |name: &str| -> String { name.chars().map(|c| if plain(c) { c } else { '_' }).collect() };
    let mut name = format!("{}@{}", part(&cell.test), part(&cell.kernel));
    let (suite, test) = cell.test.split_once("::").unwrap_or((&cell.test, ""));
    let reversible = [suite, test, &cell.kernel].iter().all(|s| s.chars().all(plain) && !s.contains("__"))
        && name.len() <= NAME_LIMIT;
    if !reversible {
        // Two cells can have the same readable name; a part of the hash of the true one keeps them apart.
        let hash = Sha256::digest(format!("{}\0{}", cell.test, cell.kernel));
        let tail: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        name.truncate(NAME_LIMIT - tail.len() - 1);
        name = format!("{name}-{tail}");
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn name(test: &str, kernel: &str) -> String {
        cell_name(&CellId { test: test.into(), kernel: kernel.into() })
    }

    #[test]
    fn names_are_readable() {
        assert_eq!(name("block::elevator-switch-race", "6.17.13"), "block__elevator-switch-race@6.17.13");
        assert_eq!(name("a::b", "6.12.90+deb13.1"), "a__b@6.12.90+deb13.1");
        assert_eq!(name("a::b", "7.3~rc7"), "a__b@7.3~rc7");
    }

    #[test]
    fn paths_are_relative_to_the_run() {
        let cell = CellId { test: "a::b".into(), kernel: "6.1".into() };
        let dir = AttemptDir::new(Path::new("reports/x"), &cell, 2);
        assert_eq!(dir.console_relative(), "attempts/a__b@6.1/2/console.log");
        assert_eq!(dir.console(), Path::new("reports/x/attempts/a__b@6.1/2/console.log"));
        assert_eq!(dir.reproduce(), Path::new("reports/x/attempts/a__b@6.1/2/reproduce.sh"));
        assert_eq!(dir.output(), Path::new("reports/x/attempts/a__b@6.1/2/output.log"));
    }

    #[test]
    fn names_that_look_alike_stay_apart() {
        let cells = [
            ("a::b", "6.1"),
            ("a__b", "6.1"),
            ("a/b", "6.1"),
            ("a b", "6.1"),
            ("a::b", "6/1"),
            ("a::b::c", "6.1"),
            ("a::b__c", "6.1"),
            ("a::b_:c", "6.1"),
        ];
        let names: BTreeSet<String> = cells.iter().map(|(t, k)| name(t, k)).collect();
        assert_eq!(names.len(), cells.len(), "{names:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_name_leaves_its_folder(test: String, kernel: String) {
            let name = name(&test, &kernel);
            proptest::prop_assert!(name.len() <= NAME_LIMIT);
            proptest::prop_assert!(name.contains('@') || name.len() > 100, "{}", name);
            proptest::prop_assert!(name.chars().all(|c| c.is_ascii_graphic() && c != '/' && c != '\\'));
        }
    }
}
