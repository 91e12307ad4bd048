//! Reads how the kernel's detectors are set, before and after the dose. The files are opened before the program runs, so
//! that nothing which it mounts over them is read in their place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use guest_protocol::detectors::DetectorState;

/// Names of settings, and where the kernel shows them. A kernel without the detector has no such file.
const FILES: &[(&str, &str, Form)] = &[
    ("kernel.hung_task_timeout_secs", "/proc/sys/kernel/hung_task_timeout_secs", Form::Whole),
    ("kernel.hung_task_warnings", "/proc/sys/kernel/hung_task_warnings", Form::Whole),
    ("kernel.hung_task_check_interval_secs", "/proc/sys/kernel/hung_task_check_interval_secs", Form::Whole),
    ("kernel.hung_task_check_count", "/proc/sys/kernel/hung_task_check_count", Form::Whole),
    ("kernel.watchdog", "/proc/sys/kernel/watchdog", Form::Whole),
    ("kernel.soft_watchdog", "/proc/sys/kernel/soft_watchdog", Form::Whole),
    ("kernel.nmi_watchdog", "/proc/sys/kernel/nmi_watchdog", Form::Whole),
    ("kernel.watchdog_thresh", "/proc/sys/kernel/watchdog_thresh", Form::Whole),
    ("kernel.watchdog_cpumask", "/proc/sys/kernel/watchdog_cpumask", Form::Whole),
    ("kernel.prove_locking", "/proc/sys/kernel/prove_locking", Form::Whole),
    ("kernel.printk", "/proc/sys/kernel/printk", Form::Whole),
    ("kernel.tainted", "/proc/sys/kernel/tainted", Form::Whole),
    ("debug_locks", "/proc/lockdep_stats", Form::Line("debug_locks:")),
    ("oom_kill", "/proc/vmstat", Form::LineIfCounted("oom_kill ")),
    ("kfence.sample_interval", "/sys/module/kfence/parameters/sample_interval", Form::Whole),
    ("kcsan", "/sys/kernel/debug/kcsan", Form::Line("enabled:")),
    ("workqueue.watchdog_thresh", "/sys/module/workqueue/parameters/watchdog_thresh", Form::Whole),
    ("rcu_cpu_stall_suppress", "/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress", Form::Whole),
    ("rcu_cpu_stall_timeout", "/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout", Form::Whole),
    ("slab_debug=Z", "/sys/kernel/slab/kmalloc-64/red_zone", Form::Whole),
    ("slab_debug=P", "/sys/kernel/slab/kmalloc-64/poison", Form::Whole),
    ("slab_debug=F", "/sys/kernel/slab/kmalloc-64/sanity_checks", Form::Whole),
];

/// What tells of the kernel whatever is looked for.
const OF_EVERY_TEST: &[&str] = &["kernel.printk", "kernel.tainted", "oom_kill"];

/// Those that only rise or fall, and the console's level: what that held back is in the kernel's log.
const ONE_WAY: &[&str] =
    &["kernel.printk", "kernel.tainted", "debug_locks", "oom_kill", "kernel.hung_task_warnings"];

/// So many different values are reported of what changes often.
const MOST_MEANWHILE: usize = 8;

/// No such file is longer, bytes.
const MOST: usize = 16 * 1024;

/// What of a file counts.
#[derive(Clone, Copy)]
enum Form {
    /// All of it.
    Whole,
    /// What follows these words in a line.
    Line(&'static str),
    /// The same; a kernel without the line does not count such things.
    LineIfCounted(&'static str),
}

/// The detectors between their two readings.
pub struct Detectors(Vec<Watched>);

/// Without a file it exists and could not be opened.
struct Watched {
    state: DetectorState,
    file: Option<File>,
    form: Form,
}

impl Detectors {
    /// Opens and reads the files before the dose: those of every test and of these settings. Each takes its time.
    pub fn start(settings: &[String]) -> Detectors {
        let is_wanted =
            |name: &str| OF_EVERY_TEST.contains(&name) || settings.iter().any(|wanted| wanted == name);
        let wanted = FILES.iter().filter(|(name, ..)| is_wanted(name));
        Detectors(wanted.filter_map(|&(name, path, form)| Watched::open(name, path, form)).collect())
    }

    /// What was read before the dose.
    pub fn states(&self) -> Vec<DetectorState> {
        self.0.iter().map(|watched| watched.state.clone()).collect()
    }

    /// Reads what may have been changed for a while. The other files count what happened, or cannot be written.
    pub fn look(&mut self) {
        for Watched { state, file, form } in self.0.iter_mut().filter(|watched| watched.may_go_back()) {
            let Some(Ok(Some(now))) = file.as_ref().map(|file| read(file, *form)) else { continue };
            if state.before.as_ref() != Some(&now)
                && !state.meanwhile.contains(&now)
                && state.meanwhile.len() < MOST_MEANWHILE
            {
                state.meanwhile.push(now);
            }
        }
    }

    /// Reads them again after the dose.
    pub fn finish(self) -> Vec<DetectorState> {
        self.0.into_iter().map(Watched::finish).collect()
    }
}

impl Watched {
    /// Opens a file and reads it before the dose. One that does not exist belongs to a detector that this kernel lacks; one
    /// that exists and cannot be read leaves open what its detector does.
    fn open(name: &str, path: &str, form: Form) -> Option<Watched> {
        let mut state = DetectorState { name: name.to_owned(), ..DetectorState::default() };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                state.error = Some(format!("{path}: {error}"));
                return Some(Watched { state, file: None, form });
            }
        };
        match read(&file, form) {
            Ok(before) => state.before = Some(before?),
            Err(error) => state.error = Some(format!("{path}: {error}")),
        }
        Some(Watched { state, file: Some(file), form })
    }

    fn finish(self) -> DetectorState {
        let Watched { mut state, file, form } = self;
        match file.map(|file| read(&file, form)) {
            Some(Ok(after)) => state.after = after,
            Some(Err(error)) => state.error = state.error.or(Some(error.to_string())),
            None => {}
        }
        state
    }

    fn may_go_back(&self) -> bool {
        !ONE_WAY.contains(&self.state.name.as_str()) && !self.state.name.starts_with("slab_debug")
    }
}

/// Reads from the beginning, where the kernel makes the text anew; absent: it does not count such things.
fn read(file: &File, form: Form) -> io::Result<Option<String>> {
    let mut text = vec![0; MOST];
    let mut length = 0;
    while length < MOST {
        match file.read_at(&mut text[length..], length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    pick(&String::from_utf8_lossy(&text[..length]), form)
}

fn pick(text: &str, form: Form) -> io::Result<Option<String>> {
    let line = |words: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(words));
    let found = match form {
        Form::Whole => Some(text),
        Form::LineIfCounted(words) => line(words),
        Form::Line(words) => match line(words) {
            Some(rest) => Some(rest),
            None => return Err(io::Error::other(format!("it has no line that begins with {words:?}"))),
        },
    };
    Ok(found.map(|text| text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_out_of_files() {
        let stats = " lock-classes:                         1482 [max: 8192]\n debug_locks:                             1\n";
        let pick = |text: &str, form: Form| pick(text, form).map_err(|error| error.to_string());
        let found = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(pick(stats, Form::Line("debug_locks:")), found("1"));
        assert_eq!(pick("drop_slab 0\noom_kill 2\n", Form::LineIfCounted("oom_kill ")), found("2"));
        assert_eq!(pick("8\t4\t1\t7\n", Form::Whole), found("8\t4\t1\t7"));
        assert_eq!(pick("x\n", Form::LineIfCounted("oom_kill ")), Ok(None));
        let lacking = pick("x\n", Form::Line("debug_locks:")).unwrap_err();
        assert_eq!(lacking, "it has no line that begins with \"debug_locks:\"");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::create_dir(path("folder")).unwrap();
        std::fs::write(path("file"), "1\n").unwrap();
        let state = |name: &str| Watched::open("x", &path(name), Form::Whole).map(Watched::finish);
        assert_eq!(state("missing"), None);
        let sound = DetectorState { name: "x".into(), ..DetectorState::default() };
        let both = Some("1".to_owned());
        assert_eq!(
            state("file").unwrap(),
            DetectorState { before: both.clone(), after: both, ..sound.clone() }
        );
        // it opens, and reads with an error
        let unread = state("folder").unwrap();
        let error = unread.error.clone().unwrap();
        assert!(error.starts_with(&path("folder")) && error.contains("Is a directory"), "{error}");
        assert_eq!(DetectorState { error: None, ..unread }, sound);
        // it does not open
        let link = state(&format!("file{}", "x".repeat(300))).unwrap();
        assert!(link.error.is_some_and(|error| error.contains("name too long")));
        // a count that this kernel does not have
        assert!(Watched::open("x", &path("file"), Form::LineIfCounted("oom_kill ")).is_none());
    }

    #[test]
    fn what_was_changed_for_a_while_is_told() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(path.path(), text).unwrap();
        write("20\n");
        let state = DetectorState { name: "x".into(), before: Some("20".into()), ..DetectorState::default() };
        let file = File::open(path.path()).unwrap();
        let mut detectors = Detectors(vec![Watched { state, file: Some(file), form: Form::Whole }]);
        for text in ["20\n", "0\n", "0\n", "20\n"] {
            write(text);
            detectors.look();
        }
        let told = detectors.finish().remove(0);
        assert_eq!((told.meanwhile, told.after), (vec!["0".to_owned()], Some("20".into())));
    }

    #[test]
    fn a_file_is_read_anew() {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), "20\n").unwrap();
        let file = File::open(path.path()).unwrap();
        let now = || read(&file, Form::Whole).unwrap().unwrap();
        assert_eq!(now(), "20");
        std::fs::write(path.path(), "0\n").unwrap();
        assert_eq!(now(), "0");
    }
}
