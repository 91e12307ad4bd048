//! Power cuts, simulated on what kregress asks of the file system: `strace` tells each write, sync and rename, and a model of the
//! worst disk that keeps its promises follows them. It has names at once and contents not before they are synced, so that what
//! takes its final name must be synced; and names not before their folder is synced, which must have happened to what is
//! acknowledged. All moments at which the power may go are looked at, not some.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::hosts::{forget_cache, forget_runs, run};
use super::left::left;
use super::table::{Outcome, Table};
use crate::place::Place;

const CALLS: &str = "trace=openat,creat,write,writev,pwrite64,pwritev,copy_file_range,sendfile,ftruncate,fsync,fdatasync,syncfs,\
                     rename,renameat,renameat2,mkdir,mkdirat";

/// What the journal says last may be lost for so long, seconds: a second, and what a host that is busy adds.
const LATEST: f64 = 4.0;

const FAULTS: [&str; 2] = ["the power goes in a run", "the power goes while a kernel is stored"];

/// Looks at a run that makes all anew, and at a kernel's way into the store.
pub fn attempt(place: &Place, table: &mut Table) {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        let why = Outcome::NotHere("there is no strace".into());
        return FAULTS.iter().for_each(|fault| table.add(fault, why.clone()));
    }
    table.attempt(FAULTS[0], || {
        forget_runs(place);
        forget_cache(place);
        let tests = ["ends::clean", "ends::reports-the-symptom", "ends::crashes"];
        watched(place, &run(place, &tests, &[]), Some(100))
    });
    table.attempt(FAULTS[1], || {
        let cache = place.path().join("stored");
        let _ = std::fs::remove_dir_all(&cache);
        let image = place.vmlinuz();
        let mut command = place.command(&["kernels", "fetch"]);
        command.arg(&image).env("KREGRESS_CACHE", &cache).stdout(Stdio::null()).stderr(Stdio::null());
        watched(place, &command, Some(0))
    });
}

fn watched(place: &Place, inner: &Command, code: Option<i32>) -> Outcome {
    let log = place.path().join("strace");
    let mut command = Command::new("strace");
    // guests are left alone: what QEMU writes kregress syncs
    command.args(["-f", "-b", "execve", "-y", "-ttt", "-s", "0", "-e", CALLS, "-o"]).arg(&log);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(place.path()).stdin(Stdio::null());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().expect("strace starts");
    if output.status.code() != code {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // where nobody may be traced
        let refused = said.contains("Operation not permitted");
        return if refused {
            Outcome::NotHere(said)
        } else {
            Outcome::Wrong(format!("{}: {said}", output.status))
        };
    }
    let log = std::fs::read(&log).expect("the calls");
    let mut disk = Disk { place: place.path().to_owned(), ..Disk::default() };
    calls(&String::from_utf8_lossy(&log)).iter().for_each(|call| disk.take(call));
    match disk.complaint() {
        Some(complaint) => Outcome::Lost(complaint),
        None => left(place),
    }
}

/// One call that succeeded.
struct Call {
    at: f64,
    name: String,
    arguments: String,
}

/// The calls of a log, each where it ended.
fn calls(log: &str) -> Vec<Call> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((pid, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((at, text)) = rest.trim_start().split_once(' ') else { continue };
        let text = if let Some(before) = text.strip_suffix("<unfinished ...>") {
            begun.insert(pid, before.trim_end());
            continue;
        } else if text.starts_with("<... ") {
            let behind = text.split_once(" resumed>").map_or("", |(_, behind)| behind);
            format!("{}{behind}", begun.remove(pid).unwrap_or_default())
        } else {
            text.to_owned()
        };
        let Some((name, rest)) = text.split_once('(') else { continue };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { continue };
        if !result.starts_with('-') {
            let (name, arguments) = (name.to_owned(), format!("{arguments} = {result}"));
            calls.push(Call { at: at.parse().unwrap_or_default(), name, arguments });
        }
    }
    calls
}

/// What is on the disk and what is not.
#[derive(Default)]
struct Disk {
    place: PathBuf,
    /// Files with contents that are not on disk, and since when.
    dirty: BTreeMap<PathBuf, f64>,
    /// Names that are not on disk.
    nameless: BTreeSet<PathBuf>,
    complaints: BTreeSet<String>,
    now: f64,
}

impl Disk {
    fn take(&mut self, call: &Call) {
        self.now = call.at;
        let files = between(&call.arguments, '<', '>');
        let names = between(&call.arguments, '"', '"');
        let in_place = |path: &str| Some(self.place.join(path)).filter(|path| path.starts_with(&self.place));
        match call.name.as_str() {
            "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" | "sendfile" | "copy_file_range" => {
                let which = usize::from(call.name == "copy_file_range");
                if let Some(file) = files.get(which).and_then(|file| in_place(file)) {
                    self.dirty.entry(file).or_insert(call.at);
                }
            }
            "openat" if call.arguments.contains("O_CREAT") => {
                self.nameless.extend(files.last().and_then(|file| in_place(file)));
            }
            "mkdir" | "mkdirat" => self.nameless.extend(names.first().and_then(|name| in_place(name))),
            "fsync" | "fdatasync" => {
                if let Some(file) = files.first().and_then(|file| in_place(file)) {
                    self.synced(&file);
                }
            }
            "syncfs" => {
                self.dirty.clear();
                self.nameless.clear();
            }
            "rename" | "renameat" | "renameat2" => {
                if let [from, to] = names.as_slice()
                    && let (Some(from), Some(to)) = (in_place(from), in_place(to))
                {
                    self.rename(&from, &to);
                }
            }
            _ => {}
        }
    }

    fn synced(&mut self, file: &Path) {
        if let Some(since) = self.dirty.remove(file)
            && file.ends_with("journal.jsonl")
            && self.now - since > LATEST
        {
            self.complaints.insert(format!("the journal waited {:.1} s for the disk", self.now - since));
        }
        self.nameless.retain(|name| name.parent() != Some(file));
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let moved = |path: &Path| {
            path.strip_prefix(from).ok().map(|rest| match rest.as_os_str().is_empty() {
                true => to.to_owned(),
                false => to.join(rest),
            })
        };
        let is_final = !to.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_kept = !to.components().any(|part| part.as_os_str() == "scratch");
        for (path, since) in std::mem::take(&mut self.dirty) {
            let to = moved(&path);
            if let (Some(to), true) = (&to, is_final && is_kept) {
                let shown = to.strip_prefix(&self.place).unwrap_or(to).display();
                self.complaints.insert(format!("{shown} has its name before it is on disk"));
            }
            self.dirty.insert(to.unwrap_or(path), since);
        }
        let names = std::mem::take(&mut self.nameless);
        self.nameless = names.into_iter().map(|path| moved(&path).unwrap_or(path)).collect();
        self.nameless.insert(to.to_owned());
    }

    /// What is wrong, when the command has ended: it has told all, so that all of it must be there.
    fn complaint(&self) -> Option<String> {
        let kept = |path: &&PathBuf| {
            // CACHE/kernels/KERNEL/FILE
            let below = path.strip_prefix(&self.place).unwrap_or(path);
            let is_kernels = below.components().nth(1).is_some_and(|part| part.as_os_str() == "kernels");
            path.ends_with("journal.jsonl") || is_kernels
        };
        let runs = |path: &&PathBuf| {
            path.parent().is_some_and(|parent| parent.ends_with("reports")) && path.is_dir()
        };
        let files = self.dirty.keys().filter(kept).map(|file| format!("{} is not on disk", file.display()));
        let names = self.nameless.iter().filter(|path| kept(path) || runs(path) && !path.is_symlink());
        let names = names.map(|name| format!("the name of {} is not on disk", name.display()));
        let complaints: Vec<String> = self.complaints.iter().cloned().chain(files).chain(names).collect();
        (!complaints.is_empty()).then(|| complaints.join("; "))
    }
}

/// The texts between these marks.
fn between(text: &str, open: char, close: char) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once(open)
        && let Some((inside, after)) = behind.split_once(close)
    {
        found.push(inside);
        rest = after;
    }
    found
}
