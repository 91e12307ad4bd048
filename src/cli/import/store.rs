//! Writing an imported suite where one may be that was changed since.

use std::fs;
use std::io;
use std::path::Path;

use similar::TextDiff;
use suite_import::{Change, SuiteDraft, merge, write};

use crate::atomic_file;
use crate::cli::error::CliError;
use crate::suite;

/// Writes a suite into the folder, or takes it into the file that is there, and says what is different.
pub(super) fn store(draft: &SuiteDraft, by: &str, folder: &Path, dry_run: bool) -> Result<(), CliError> {
    let path = folder.join(format!("{}.yaml", draft.name));
    let failed = |error: io::Error| CliError::setup(format!("{}: {error}", path.display()));
    let (text, state) = match fs::read_to_string(&path) {
        Ok(existing) => {
            let merged = merge(&existing, draft, by);
            let state = if merged.text == existing { "as before" } else { "changed" };
            merged.changes.iter().for_each(|change| print!("{}", shown(change)));
            if merged.text == existing {
                println!("{:>5} tests  {} ({state})", draft.tests.len(), path.display());
                return Ok(());
            }
            (merged.text, state)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (write(draft, by), "new"),
        Err(error) => return Err(failed(error)),
    };
    println!("{:>5} tests  {} ({state})", draft.tests.len(), path.display());
    if dry_run {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(failed)?;
    atomic_file::write(&path, text.as_bytes()).map_err(failed)?;
    // what somebody changed may not fit what came in
    suite::load_file(&path).map(drop).map_err(CliError::located)
}

/// A change for people, with a diff of what is different.
fn shown(change: &Change) -> String {
    match change {
        Change::Added(entry) => format!("+ {entry}: new in the collection\n"),
        Change::Gone(entry) => format!("- {entry}: no longer in the collection, removed\n"),
        Change::StaysRemoved(entry) => format!("  {entry}: was removed here, stays so\n"),
        Change::Updated { entry, before, now } => {
            format!("~ {entry}: changed in the collection\n{}", diff(before, now))
        }
        Change::Kept { entry, here, imported } => {
            format!(
                "! {entry}: changed here, kept; the collection would have it so:\n{}",
                diff(here, imported)
            )
        }
    }
}

fn diff(before: &str, now: &str) -> String {
    // the digests are for the next import
    let said = |text: &str| -> String {
        text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("# import ")).collect()
    };
    let (before, now) = (said(before), said(now));
    let diff = TextDiff::from_lines(&before, &now);
    let mut lines = String::new();
    for line in diff.unified_diff().context_radius(1).to_string().lines() {
        lines += &format!("    {line}\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use suite_import::{ProgramValue, TestDraft};

    fn draft(summary: &str) -> SuiteDraft {
        let test = TestDraft {
            name: "a".into(),
            summary: summary.into(),
            program: vec![("shell", ProgramValue::Text("true".into()))],
            symptom: "{reported: {matching: 'TFAIL'}}".into(),
            ..TestDraft::default()
        };
        SuiteDraft {
            name: "s".into(),
            summary: "tests".into(),
            memory_mib: 512,
            tests: vec![test],
            ..SuiteDraft::default()
        }
    }

    #[test]
    fn what_is_written_loads_and_a_change_of_ones_own_survives() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("suites");
        store(&draft("one"), "import", &folder, true).unwrap();
        assert!(!folder.exists());
        store(&draft("one"), "import", &folder, false).unwrap();
        let path = folder.join("s.yaml");
        let text = fs::read_to_string(&path).unwrap().replace("summary: one", "summary: own");
        fs::write(&path, &text).unwrap();
        store(&draft("two"), "import", &folder, false).unwrap();
        let suite = suite::load_file(&path).unwrap();
        assert_eq!(suite.tests[0].summary, "own");
    }

    #[test]
    fn a_change_is_shown_with_its_diff() {
        let kept = Change::Kept { entry: "a".into(), here: "x\ny\n".into(), imported: "x\nz\n".into() };
        insta::assert_snapshot!(shown(&kept), @r"
        ! a: changed here, kept; the collection would have it so:
            @@ -1,2 +1,2 @@
             x
            -y
            +z
        ");
    }
}
