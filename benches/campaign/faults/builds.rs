//! `kill -9` while kernels are built: no compiler is left, the store is whole, the next start goes on, and the kernel is the
//! one that an undisturbed build makes. What is built is a stand-in for a kernel's source, which takes a second or two. No guest
//! boots it: the queue that is killed has patches that do not build, so that its answer needs none.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::Value;

use super::left::{left, temporary};
use super::table::{Outcome, Table};
use crate::place::{Place, ends_within};

/// Knows the targets of a kernel's Makefile. As kbuild does, it writes a record behind each object, and takes an object without
/// one for not made.
const MAKEFILE: &str = "VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 1
EXTRAVERSION =

OBJECTS = $(patsubst %.c,$(O)/%.o,$(sort $(wildcard *.c)))

allnoconfig alldefconfig:
\t@cp $(KCONFIG_ALLCONFIG) $(O)/.config

vmlinux: $(OBJECTS)
\t@mkdir -p $(O)/include/config
\t@echo 6.12.1$(LOCALVERSION) > $(O)/include/config/kernel.release
\t@$(CC) -nostdlib -static -Wl,-e,part_0 -o $(O)/vmlinux $(OBJECTS)
\t@touch $(O)/System.map $(O)/modules.order $(O)/modules.builtin

FORCE:
$(O)/%.o: %.c FORCE
\t@if [ ! -e $@ ] || [ ! -e $(O)/.$*.o.cmd ] || [ $< -nt $@ ]; then \\
\t\techo '  CC      $*.o'; $(CC) -c -o $@ $< && touch $(O)/.$*.o.cmd; \\
\tfi
";

/// Files of the source: a build of them takes long enough to be killed at many places.
const PARTS: usize = 16;

const QUEUE: &str = "
suite: queue
summary: a test that no kernel of this queue comes to
tests:
  - name: control
    summary: nothing is done
    program: {shell: 'true'}
    symptom: {crash: {title: '^KASAN'}}
";

const FAULTS: [&str; 3] = [
    "kill -9 while a kernel is built",
    "kill -9 while a kernel is built again after a change",
    "kill -9 in a queue of patches",
];

/// Kills so many builds and queues, in turn.
pub fn attempt(place: &Place, times: u32, random: &mut impl Rng, table: &mut Table) {
    let is_missing = |tool: &&&str| Command::new(tool).arg("--version").output().is_err();
    if let Some(missing) = ["make", "gcc", "ld", "objcopy", "git", "patch"].iter().find(is_missing) {
        let why = Outcome::NotHere(format!("there is no {missing}"));
        return FAULTS.iter().for_each(|fault| table.add(fault, why.clone()));
    }
    let world = World { root: place.path().join("built") };
    world.make();
    let (mut whole, mut answer): ([Option<Duration>; 3], String) = ([None; 3], String::new());
    for n in 0..times as usize {
        let which = n % FAULTS.len();
        let limit = *whole[which].get_or_insert_with(|| {
            world.prepare(which, n);
            let start = Instant::now();
            let code = world.command(which, false).status().expect("kregress starts").code();
            assert_eq!(code, Some(if which == 2 { 100 } else { 0 }), "undisturbed");
            let took = start.elapsed();
            if which == 2 {
                answer = world.answer();
            }
            took
        });
        let moment = limit.mul_f64(random.gen_range(0.0..1.0));
        table.attempt(FAULTS[which], || {
            world.prepare(which, n);
            match which {
                2 => world.killed_queue(place, moment, &answer),
                _ => world.killed_build(place, which, moment),
            }
        });
    }
}

/// A folder with the source, the catalogue, and caches.
struct World {
    root: PathBuf,
}

impl World {
    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn make(&self) {
        let part = |n: usize| format!("int part_{n}(void) {{ return {n}; }}\n");
        for tree in ["linux", "queued"] {
            for (file, text) in [("Makefile", MAKEFILE), ("Kbuild", ""), ("Kconfig", "")] {
                self.write(&format!("{tree}/{file}"), text);
            }
            (0..PARTS).for_each(|n| self.write(&format!("{tree}/part_{n}.c"), &part(n)));
        }
        let config = "# base: allnoconfig\nCONFIG_PVH=y\n";
        self.write("kernels/configs/tiny.config", config);
        self.write("kernels/configs/small.config", config);
        self.write(
            "kernels/mine.yaml",
            "kernels:\n  - {name: mine, source: {folder: ../linux}, config: tiny}\n",
        );
        self.write("suites/queue.yaml", QUEUE);
        self.git(&["init", "-q", "-b", "main"]);
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", "Linux 6.12.1, really"]);
        self.git(&["tag", "base"]);
        for n in [3, 7, 11] {
            self.write(&format!("queued/part_{n}.c"), &part(n).replace(';', ""));
            self.git(&["commit", "-q", "-a", "-m", &format!("part {n}: forget what ends a statement")]);
        }
    }

    fn git(&self, arguments: &[&str]) {
        let names = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path("queued")).args(names).args(arguments);
        command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")]);
        let output = command.output().expect("git starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What stands there when it begins: nothing, or a build of the source before a change.
    fn prepare(&self, which: usize, n: usize) {
        let _ = std::fs::remove_dir_all(self.path("reports"));
        if which != 1 {
            let _ = std::fs::remove_dir_all(self.path("cache"));
        } else {
            let _ = self.command(0, false).status();
            self.write("linux/part_5.c", &format!("int part_5(void) {{ return {}; }}\n", 1000 + n));
        }
    }

    /// The command that builds, or tries the queue: from its beginning, or as it goes on.
    fn command(&self, which: usize, goes_on: bool) -> Command {
        let words: &[&str] = match (which, goes_on) {
            (2, false) => &["queue", "queued@base..main", "--onto", "queued@base", "--tests", "control"],
            (2, true) => &["queue", "--resume", "latest"],
            _ => &["kernels", "build", "mine"],
        };
        self.kregress("cache", words)
    }

    fn kregress(&self, cache: &str, words: &[&str]) -> Command {
        let mut command = Command::new(crate::place::kregress());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_") || name == "CC") {
            command.env_remove(name);
        }
        command.current_dir(&self.root).env("KREGRESS_CACHE", self.path(cache)).env("NO_COLOR", "1");
        command.env("KREGRESS_KERNEL_CATALOGUES", "kernels").env("KREGRESS_SUITES", "suites").args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The images of a cache's kernels, by their hashes.
    fn images(&self, cache: &str) -> BTreeSet<String> {
        let kernels = std::fs::read_dir(self.path(cache).join("kernels")).into_iter().flatten().flatten();
        // one that is being stored has a record as well, and is not there yet
        let whole = kernels.filter(|kernel| !kernel.file_name().to_string_lossy().starts_with('.'));
        let records = whole.filter_map(|kernel| std::fs::read(kernel.path().join("kernel.json")).ok());
        let records = records.filter_map(|text| serde_json::from_slice::<Value>(&text).ok());
        records.filter_map(|record| Some(record["digest"].as_str()?.to_owned())).collect()
    }

    /// The image that this source becomes if nobody disturbs the build.
    fn expected(&self) -> Option<String> {
        let _ = std::fs::remove_dir_all(self.path("undisturbed"));
        let built = self.kregress("undisturbed", &["kernels", "build", "mine"]).status();
        built.ok().filter(std::process::ExitStatus::success)?;
        self.images("undisturbed").pop_first()
    }

    fn killed_build(&self, place: &Place, which: usize, moment: Duration) -> Outcome {
        kill(self.command(which, false).env("TMPDIR", temporary(place)), moment);
        let Some(expected) = self.expected() else {
            return Outcome::Wrong("it does not build at all".into());
        };
        let was_finished = self.images("cache").contains(&expected);
        let output = self.command(which, true).stderr(Stdio::piped()).output().expect("kregress starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Outcome::Wrong(format!("the next build ends with {}: {said}", output.status));
        }
        if was_finished && said.contains("Compiling") {
            return Outcome::Wrong(format!("what was in the store is compiled again: {said}"));
        }
        if !self.images("cache").contains(&expected) {
            return Outcome::Wrong("the next build makes another kernel than an undisturbed one".into());
        }
        self.is_left(place)
    }

    fn killed_queue(&self, place: &Place, moment: Duration, expected: &str) -> Outcome {
        let journal = || {
            let text = std::fs::read_to_string(self.run()?.join("journal.jsonl")).ok()?;
            Some(text[..text.rfind('\n').map_or(0, |at| at + 1)].to_owned())
        };
        kill(self.command(2, false).env("TMPDIR", temporary(place)), moment);
        let before = journal().unwrap_or_default();
        let begun = before.contains(r#"{"event":"queue"#);
        let code = self.command(2, begun).status().expect("kregress starts").code();
        if code != Some(100) {
            return Outcome::Wrong(format!("gone on with, it ends with {code:?}"));
        }
        if begun && !journal().unwrap_or_default().starts_with(&before) {
            return Outcome::Lost("what the journal had is not its beginning any more".into());
        }
        let answer = self.answer();
        match answer == expected && answer.matches("does not build").count() >= 3 {
            true => self.is_left(place),
            false => Outcome::Wrong(format!("{answer:?} instead of {expected:?}")),
        }
    }

    fn run(&self) -> Option<PathBuf> {
        let runs = std::fs::read_dir(self.path("reports")).ok()?.flatten().map(|run| run.path());
        runs.filter(|run| !run.is_symlink() && run.join("journal.jsonl").is_file()).max()
    }

    /// What is said of the patches that do not build.
    fn answer(&self) -> String {
        let report = self.kregress("cache", &["report"]).stdout(Stdio::piped()).output();
        let text = String::from_utf8_lossy(&report.expect("kregress starts").stdout).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("does not build")).collect();
        lines.join("\n")
    }

    /// Halves in the store, damage, and what else must not be left.
    fn is_left(&self, place: &Place) -> Outcome {
        let kernels = std::fs::read_dir(self.path("cache/kernels")).into_iter().flatten().flatten();
        let names = kernels.map(|kernel| kernel.file_name().to_string_lossy().into_owned());
        if let Some(half) = names.into_iter().find(|name| name.starts_with('.')) {
            return Outcome::Leftover(format!("{half} in the store"));
        }
        let scratch = std::fs::read_dir(self.path("cache/scratch")).map_or(0, Iterator::count);
        if scratch > 0 {
            return Outcome::Leftover(format!("{scratch} entries of the scratch folder"));
        }
        let verified = self.kregress("cache", &["cache", "verify"]).status();
        match verified.is_ok_and(|status| status.success()) {
            true => left(place),
            false => Outcome::Wrong("the store is damaged".into()),
        }
    }
}

/// Starts a command and kills it after this time, if it has not ended.
fn kill(command: &mut Command, moment: Duration) {
    let mut child = command.spawn().expect("kregress starts");
    ends_within(child.id() as i32, moment);
    let _ = child.kill();
    let _ = child.wait();
}
