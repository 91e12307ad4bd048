//! A folder with suites, and the command in it.

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

pub const GOOD: &str = "\
suite: shell
summary: two tests
tests:
  - name: one
    summary: does nothing
    needs: {modules: [loop], config: [BLOCK], kernel: 5.10..}
    program: {shell: 'true'}
    dose: {rounds: 3, attempts: 2}
    symptom: {crash: {title: '^WARNING'}}
  - name: two
    summary: does nothing either
    program: {shell: 'true'}
    symptom: {reported: {matching: leak}}
";

/// A folder with suites and an empty cache, as a newcomer's.
pub struct Place {
    folder: TempDir,
}

/// How a command ended: exit code, standard output, standard error, without what differs between hosts.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new(suite: &str) -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place { folder };
        place.write("suites/shell.yaml", suite);
        std::fs::create_dir(place.path().join("empty")).expect("a folder");
        place
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[])
    }

    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let mut command = cargo_bin_cmd!("kregress");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_") || name == "CC") {
            command.env_remove(name);
        }
        command.current_dir(self.path()).env("KREGRESS_CACHE", self.path().join("cache"));
        command.env("NO_COLOR", "1").envs(environment.iter().copied()).args(arguments);
        let output = command.output().expect("kregress starts");
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.replace(&self.path().display().to_string(), "PLACE")
        };
        Ended {
            code: output.status.code().expect("an exit code"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// As [`Place::run_with`], for a command that must fail and print its reason alone.
    pub fn refused(&self, code: i32, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let ended = self.run_with(arguments, environment);
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{arguments:?}: {}", ended.err);
        assert!(!self.path().join("reports").exists(), "{arguments:?} left a run behind");
        ended.err
    }
}
