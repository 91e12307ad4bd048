//! The folder of a run: its name, how it is made and how it is found again.

use std::fmt;
use std::fs::{File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{AttemptDir, FILE_NAME, JournalError};
use crate::event::CellId;

/// The name of a run's folder, for example `2026-11-21T09-12-33-a1b2`: when it started in UTC and four random digits.
/// Names in alphabetical order are in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// A name for a run that starts at `at`; `salt` keeps runs apart that start in the same second.
    pub fn new(at: Timestamp, salt: u16) -> RunId {
        let at = at.to_zoned(TimeZone::UTC);
        RunId(format!("{}-{salt:04x}", at.strftime("%Y-%m-%dT%H-%M-%S")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
    id: String,
}

impl RunDir {
    /// Makes the folder of a new run in `root` (usually `reports`), which is made if it is missing. Several processes
    /// may do this at once.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create(root: &Path) -> Result<RunDir, JournalError> {
        RunDir::create_at(root, Timestamp::now(), random_salt)
    }

    /// The same for a run that started at `at`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create_of(root: &Path, at: Timestamp) -> Result<RunDir, JournalError> {
        RunDir::create_at(root, at, random_salt)
    }

    fn create_at(root: &Path, at: Timestamp, mut salt: impl FnMut() -> u16) -> Result<RunDir, JournalError> {
        std::fs::create_dir_all(root)
            .map_err(|source| JournalError::Create { path: root.to_owned(), source })?;
        let mut tries = 0;
        loop {
            let id = RunId::new(at, salt());
            let path = root.join(id.as_str());
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(RunDir { path, id: id.0 }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries < 1000 => tries += 1,
                Err(source) => return Err(JournalError::Create { path, source }),
            }
        }
    }

    /// The folder `path`, whose last component is taken as the run's id. Nothing is made or looked up.
    pub fn at(path: &Path) -> RunDir {
        let id = path.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
        RunDir { path: path.to_owned(), id }
    }

    /// Finds a run by what a user writes: `latest`, an id in `root`, the random digits at an id's end when they are
    /// unambiguous, or the path of a run's folder or of its journal.
    ///
    /// # Errors
    /// There is no such run; the error lists the newest ones that are there.
    pub fn find(root: &Path, asked: &str) -> Result<RunDir, JournalError> {
        let has_journal = |path: &Path| path.join(FILE_NAME).is_file();
        let no_such_run =
            |hint| JournalError::NoSuchRun { asked: asked.to_owned(), root: root.to_owned(), hint };
        let ids = run_ids(root);
        if asked == "latest" {
            // The link is resolved, so that the run found stays the same when another one starts meanwhile.
            if let Ok(target) = std::fs::canonicalize(root.join("latest"))
                && let Some(id) = target.file_name().map(|n| n.to_string_lossy().into_owned())
                && has_journal(&root.join(&id))
            {
                return Ok(RunDir::at(&root.join(id)));
            }
            return ids
                .last()
                .map(|id| RunDir::at(&root.join(id)))
                .ok_or_else(|| no_such_run("there are no runs yet, `kregress run` makes one".into()));
        }
        if !asked.contains('/') {
            if ids.iter().any(|id| id == asked) {
                return Ok(RunDir::at(&root.join(asked)));
            }
            let ending: Vec<&String> = ids.iter().filter(|id| id.rsplit('-').next() == Some(asked)).collect();
            match ending.as_slice() {
                [] => {}
                [id] => return Ok(RunDir::at(&root.join(id))),
                several => {
                    let several: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
                    return Err(no_such_run(format!("several runs end like this: {}", several.join(", "))));
                }
            }
        }
        let path = Path::new(asked);
        if has_journal(path) {
            // The id of `.` or of a link is that of the folder it stands for.
            let id = std::fs::canonicalize(path).map(|real| RunDir::at(&real).id);
            return Ok(RunDir { path: path.to_owned(), id: id.unwrap_or_else(|_| asked.to_owned()) });
        }
        if path.file_name().is_some_and(|name| name == FILE_NAME) && path.is_file() {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let id = std::fs::canonicalize(parent).map(|real| RunDir::at(&real).id);
            return Ok(RunDir { path: parent.to_owned(), id: id.unwrap_or_else(|_| asked.to_owned()) });
        }
        let newest: Vec<&str> = ids.iter().rev().take(5).map(String::as_str).collect();
        Err(no_such_run(match newest.as_slice() {
            [] => "there are no runs".into(),
            newest => format!("the newest are {}", newest.join(", ")),
        }))
    }

    /// The runs in a folder, the oldest first.
    pub fn all(root: &Path) -> Vec<RunDir> {
        run_ids(root).iter().map(|id| RunDir::at(&root.join(id))).collect()
    }

    /// Finds runs by what a user writes where several may be named: what [`RunDir::find`] knows, a list of it with commas, or
    /// a folder of runs, which stands for all of them.
    ///
    /// # Errors
    /// As [`RunDir::find`].
    pub fn find_all(root: &Path, asked: &str) -> Result<Vec<RunDir>, JournalError> {
        let error = match RunDir::find(root, asked) {
            Ok(run) => return Ok(vec![run]),
            Err(error) => error,
        };
        if asked.contains(',') {
            let runs = asked.split(',').map(|asked| RunDir::find_all(root, asked));
            return Ok(runs.collect::<Result<Vec<_>, _>>()?.concat());
        }
        let inside = RunDir::all(Path::new(asked));
        if inside.is_empty() { Err(error) } else { Ok(inside) }
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's path.
    pub fn journal(&self) -> PathBuf {
        self.path.join(FILE_NAME)
    }

    /// The folder of one attempt; it is not made.
    pub fn attempt(&self, cell: &CellId, attempt: u32) -> AttemptDir {
        AttemptDir::new(&self.path, cell, attempt)
    }

    /// A file that the journal names relative to the run's folder; absent when the name points out of it, as that of
    /// a journal from elsewhere may.
    pub fn file(&self, relative: &str) -> Option<PathBuf> {
        let inside = Path::new(relative).components().all(|c| matches!(c, Component::Normal(_)));
        (inside && !relative.is_empty()).then(|| self.path.join(relative))
    }

    /// Whether a process is still writing the journal; false also where that is unknown.
    pub fn is_running(&self) -> bool {
        let Ok(file) = File::open(self.journal()) else { return false };
        let running = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        // Not left to the end of the file's life, see the journal's own lock.
        let _ = file.unlock();
        running
    }

    /// Points `latest`, next to the run's folder, at this run. The link always names a whole run: it is replaced in
    /// one step.
    ///
    /// # Errors
    /// The link cannot be made, for example because the file system has none or something else has that name.
    pub fn make_latest(&self) -> Result<(), JournalError> {
        let root = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (link, new) = (root.join("latest"), root.join(format!(".latest-{}", self.id)));
        let made = std::os::unix::fs::symlink(&self.id, &new).and_then(|()| {
            std::fs::rename(&new, &link).inspect_err(|_| {
                // The error that matters is the first one.
                let _ = std::fs::remove_file(&new);
            })
        });
        made.map_err(|source| JournalError::Latest { path: link, id: self.id.clone(), source })
    }
}

fn random_salt() -> u16 {
    RandomState::new().hash_one(0u8) as u16
}

/// The ids of the runs in `root`, oldest first. What begins with a dot is being made or removed.
fn run_ids(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| entry.path().join(FILE_NAME).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|id| !id.starts_with('.'))
        .collect();
    ids.sort();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;

    fn run(root: &Path, at: &str, salt: u16) -> RunDir {
        let run = RunDir::create_at(root, at.parse().unwrap(), || salt).unwrap();
        Journal::create(run.path()).unwrap();
        run
    }

    #[test]
    fn an_id_says_when() {
        let id = RunId::new("2026-11-21T09:12:33.7Z".parse().unwrap(), 0xa1b2);
        insta::assert_snapshot!(id, @"2026-11-21T09-12-33-a1b2");
    }

    #[test]
    fn two_runs_of_one_second_get_two_folders() {
        let root = tempfile::tempdir().unwrap();
        let at: Timestamp = "2026-11-21T09:12:33Z".parse().unwrap();
        let mut salts = [7, 7, 8].into_iter();
        let mut next = || salts.next().unwrap();
        let first = RunDir::create_at(root.path(), at, &mut next).unwrap();
        let second = RunDir::create_at(root.path(), at, &mut next).unwrap();
        assert_eq!((first.id(), second.id()), ("2026-11-21T09-12-33-0007", "2026-11-21T09-12-33-0008"));
    }

    #[test]
    fn runs_are_found_by_what_users_write() {
        let root = tempfile::tempdir().unwrap();
        let old = run(root.path(), "2026-11-20T09:00:00Z", 0x1111);
        let new = run(root.path(), "2026-11-21T09:00:00Z", 0x2222);
        let find = |asked: &str| RunDir::find(root.path(), asked).map(|run| run.id().to_owned());
        // Without a link, the newest.
        assert_eq!(find("latest").unwrap(), new.id());
        old.make_latest().unwrap();
        assert_eq!(find("latest").unwrap(), old.id());
        new.make_latest().unwrap();
        assert_eq!(find("latest").unwrap(), new.id());
        assert_eq!(find(old.id()).unwrap(), old.id());
        assert_eq!(find("1111").unwrap(), old.id());
        assert_eq!(find(old.path().to_str().unwrap()).unwrap(), old.id());
        assert_eq!(find(old.journal().to_str().unwrap()).unwrap(), old.id());
        let link = root.path().join("latest");
        assert_eq!(find(link.to_str().unwrap()).unwrap(), new.id());
    }

    #[test]
    fn a_run_that_is_not_there_is_said_with_those_that_are() {
        let root = tempfile::tempdir().unwrap();
        let message = |asked: &str| {
            let error = RunDir::find(root.path(), asked).unwrap_err().to_string();
            error.replace(root.path().to_str().unwrap(), "reports")
        };
        insta::assert_snapshot!(message("latest"), @"no run `latest` in reports: there are no runs yet, `kregress run` makes one");
        run(root.path(), "2026-11-20T09:00:00Z", 0x1111);
        run(root.path(), "2026-11-21T09:00:00Z", 0x1111);
        insta::assert_snapshot!(message("abcd"), @"no run `abcd` in reports: the newest are 2026-11-21T09-00-00-1111, 2026-11-20T09-00-00-1111");
        insta::assert_snapshot!(message("1111"), @"no run `1111` in reports: several runs end like this: 2026-11-20T09-00-00-1111, 2026-11-21T09-00-00-1111");
    }

    #[test]
    fn a_folder_named_latest_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let run = run(root.path(), "2026-11-20T09:00:00Z", 1);
        std::fs::create_dir(root.path().join("latest")).unwrap();
        assert!(matches!(run.make_latest(), Err(JournalError::Latest { .. })));
        let left: Vec<_> = std::fs::read_dir(root.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn a_running_run_is_told_from_an_ended_one() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::create(root.path()).unwrap();
        let journal = Journal::create(run.path()).unwrap();
        assert!(run.is_running());
        drop(journal);
        assert!(!run.is_running());
    }

    #[test]
    fn files_outside_of_the_run_are_refused() {
        let run = RunDir::at(Path::new("reports/x"));
        assert_eq!(
            run.file("attempts/a@b/1/console.log").unwrap(),
            Path::new("reports/x/attempts/a@b/1/console.log")
        );
        for bad in ["", "/etc/passwd", "../y", "attempts/../../y", "."] {
            assert_eq!(run.file(bad), None, "{bad}");
        }
    }
}
