//! A folder with a small source in a repository, a suite, and the command in it.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

const SUITE: &str = "\
suite: pump
summary: the pump
tests:
  - name: control
    summary: nothing of the queue's
    program: {shell: 'true'}
    symptom: {crash: {title: '^KASAN'}}
  - name: near
    summary: a test of the same folder
    history: {files: [drivers/net/hose.c]}
    program: {shell: 'true'}
    symptom: {crash: {title: '^KASAN'}}
  - name: use-after-free
    summary: a freed buffer is used
    history: {introduced: {commit: 0123456789ab}, files: [drivers/net/pump.c]}
    program: {shell: 'true'}
    symptom: {crash: {title: '^KASAN'}}
";

/// The source of the driver: ten functions, so that patches stand apart.
pub fn pump() -> String {
    (0..10)
        .map(|n| format!("int pump_{n}(void)\n{{\n\tint a = {n};\n\n\tfill(a);\n\treturn a;\n}}\n\n"))
        .collect()
}

pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A repository on `main`, whose first commit is tagged `v6.12.9`.
    pub fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a temporary folder") };
        place.write("suites/pump.yaml", SUITE);
        place.write("linux/Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 9\nEXTRAVERSION =\n");
        place.write("linux/Kbuild", "");
        place.write("linux/Kconfig", "");
        place.write("linux/drivers/net/pump.c", &pump());
        place.write("linux/Documentation/pump.rst", "The pump\n");
        place.git(&["init", "-q", "-b", "main"]);
        place.git(&["add", "."]);
        place.git(&["commit", "-q", "-m", "Linux 6.12.9"]);
        place.git(&["tag", "v6.12.9"]);
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

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let date = "2026-01-01T00:00:00Z";
        let output = Command::new("git")
            .arg("-C")
            .arg(self.path().join("linux"))
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)])
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")])
            .output()
            .expect("git starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A commit that changes one place of a file.
    pub fn commit(&self, file: &str, from: &str, to: &str, message: &str) {
        let path = format!("linux/{file}");
        let text = self.read(&path);
        assert!(text.contains(from), "{from} is in {file}");
        self.write(&path, &text.replacen(from, to, 1));
        self.git(&["commit", "-q", "-a", "-m", message]);
    }

    /// Four patches on `topic`: a fix, one that stands on it, one far from both, and a text.
    pub fn with_topic() -> Place {
        let place = Place::new();
        place.git(&["checkout", "-q", "-b", "topic"]);
        let driver = "drivers/net/pump.c";
        place.commit(
            driver,
            "int a = 1;",
            "int a = 100;",
            "net: pump: forget the buffer\n\ncommit 9b25f381de6b8942645f43735cb0a4fb0ab3a6d1 upstream.\n\nFixes: 0123456789ab (\"net: pump: free the buffer\")\nCc: stable@vger.kernel.org # 5.15+",
        );
        place.commit(driver, "int a = 100;", "int a = 101;", "net: pump: count one more");
        place.commit(driver, "int a = 8;", "int a = 80;", "net: pump: pump faster");
        place.commit(
            "Documentation/pump.rst",
            "The pump",
            "The pump and its hose",
            "docs: pump: name the hose",
        );
        place
    }

    /// The commits of `topic` as mails with a cover letter.
    pub fn mails(&self) -> Vec<String> {
        let text =
            self.git(&["format-patch", "--stdout", "--cover-letter", "--no-signature", "v6.12.9..topic"]);
        let starts: Vec<usize> = text
            .match_indices("From ")
            .map(|(at, _)| at)
            .filter(|at| *at == 0 || text[..*at].ends_with("\n\n"))
            .chain([text.len()])
            .collect();
        starts.windows(2).map(|two| text[two[0]..two[1]].to_owned()).collect()
    }

    /// What `kregress queue` says on both streams, and its exit code.
    pub fn said(&self, arguments: &[&str]) -> String {
        self.said_by("queue", arguments)
    }

    /// What a command says on both streams, and its exit code.
    pub fn said_by(&self, subcommand: &str, arguments: &[&str]) -> String {
        let mut command = cargo_bin_cmd!("kregress");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_") || name == "CC") {
            command.env_remove(name);
        }
        command.current_dir(self.path()).env("KREGRESS_CACHE", self.path().join("cache"));
        // without the trees of the box
        command.env("KREGRESS_KERNEL_CATALOGUES", "kernels").env("KREGRESS_SUITES", "suites");
        let output =
            command.env("NO_COLOR", "1").arg(subcommand).args(arguments).output().expect("it starts");
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.replace(&self.path().display().to_string(), "PLACE")
        };
        format!(
            "{}{}exit code {}\n",
            text(&output.stdout),
            text(&output.stderr),
            output.status.code().expect("it ended by itself")
        )
    }

    /// The same up to where it would build.
    pub fn dry(&self, queue: &str, more: &[&str]) -> String {
        let arguments = [&[queue, "--onto", "linux@v6.12.9", "--dry-run"], more].concat();
        let said = self.said(&arguments);
        assert!(!self.path().join("reports").exists(), "{arguments:?} left a run behind");
        said
    }
}
