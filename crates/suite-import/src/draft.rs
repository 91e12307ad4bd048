//! What an import found, before it is written down.

/// Everything that one import of a collection found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// The suites, by name.
    pub suites: Vec<SuiteDraft>,
    /// Tests that became none, in the collection's order.
    pub left_out: Vec<LeftOut>,
}

/// A test that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name in the collection.
    pub test: String,
    /// Why, a phrase without a full stop.
    pub reason: String,
}

/// After how many seconds a kernel calls a blocked task hung by itself (`CONFIG_DEFAULT_HUNG_TASK_TIMEOUT`). Tests that were written
/// for such kernels may block for less: one of xfstests waits a minute for space that a thin device has not.
pub(crate) const USUAL_HANG: u32 = 120;

/// A suite to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuiteDraft {
    /// Its name, which is the file's as well.
    pub name: String,
    /// What its tests have in common.
    pub summary: String,
    /// Memory of a guest in MiB, unless a test says otherwise.
    pub memory_mib: u32,
    /// Files of the kernel that its tests look at, as in `kernel-files`.
    pub kernel_files: Vec<String>,
    /// Disks of all its tests.
    pub disks: Vec<DiskDraft>,
    /// Packages of the userland of all its tests.
    pub packages: Vec<String>,
    /// Users besides root in that userland.
    pub users: Vec<String>,
    /// When an attempt is ended, seconds, unless a test says otherwise.
    pub terminate: Option<u32>,
    /// After how many seconds a blocked task is hung.
    pub hang: Option<u32>,
    /// Its tests, sorted by name.
    pub tests: Vec<TestDraft>,
}

/// A test to be. What is empty or absent is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestDraft {
    /// Its name, `[a-z0-9-]`.
    pub name: String,
    /// The bug in a sentence.
    pub summary: String,
    /// What the reader of the file should know, a comment line each.
    pub notes: Vec<String>,
    /// Commits, reports.
    pub links: Vec<String>,
    /// The commits that removed the bug; it is gone where all of them are.
    pub fixed: Vec<String>,
    /// The numbers that it has as a vulnerability.
    pub cves: Vec<String>,
    /// Modules that must be there and are loaded.
    pub modules: Vec<String>,
    /// Options as in `needs.config`.
    pub config: Vec<String>,
    /// Versions as in `needs.kernel`.
    pub kernel: Option<String>,
    /// How long the guest must have been up, seconds.
    pub uptime: Option<u32>,
    /// Whether only the host's own processor will do.
    pub kvm: bool,
    /// A sysctl, and what is written to it.
    pub sysctl: Option<(&'static str, &'static str)>,
    /// Arguments of the kernel's command line.
    pub cmdline: Vec<String>,
    /// Virtual cpus.
    pub cpus: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// Disks besides those of its machine.
    pub disks: Vec<DiskDraft>,
    /// Packages of its userland.
    pub packages: Vec<String>,
    /// Keys and values of `program`.
    pub program: Vec<(&'static str, ProgramValue)>,
    /// The dose, seconds.
    pub seconds: Option<u32>,
    /// When an attempt is ended, seconds.
    pub terminate: Option<u32>,
    /// The value of `symptom`, as YAML on one line.
    pub symptom: String,
}

/// A blank disk of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskDraft {
    /// Its name.
    pub name: String,
    /// Its size, MiB.
    pub blank_mib: u32,
    /// A variable with the path of its device.
    pub variable: String,
}

/// A value below `program`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramValue {
    /// One text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl Import {
    /// Adds a test to the suite of this name, which `start` makes if it is not there yet.
    pub fn add(&mut self, suite: &str, start: impl FnOnce() -> SuiteDraft, mut test: TestDraft) {
        let place = match self.suites.binary_search_by(|draft| draft.name.as_str().cmp(suite)) {
            Ok(place) => place,
            Err(place) => {
                self.suites.insert(place, SuiteDraft { name: suite.to_owned(), ..start() });
                place
            }
        };
        let tests = &mut self.suites[place].tests;
        let wanted = test.name.clone();
        let mut number = 2;
        loop {
            match tests.binary_search_by(|draft| draft.name.as_str().cmp(&test.name)) {
                Ok(_) => test.name = format!("{wanted}-{number}"),
                Err(place) => return tests.insert(place, test),
            }
            number += 1;
        }
    }

    /// Notes that a test was left out.
    pub fn leave_out(&mut self, test: &str, reason: impl Into<String>) {
        self.left_out.push(LeftOut { test: test.to_owned(), reason: reason.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_suite() {
        let mut import = Import::default();
        for name in ["b", "a", "a", "a"] {
            import.add("s", SuiteDraft::default, TestDraft { name: name.into(), ..TestDraft::default() });
        }
        let names: Vec<&str> = import.suites[0].tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["a", "a-2", "a-3", "b"]);
    }
}
