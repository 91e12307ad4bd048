//! What earlier bisections saw of the same kernels with the same test.
//!
//! Only bisections record what the test and the kernels were made of, so only they can be trusted to speak about the
//! same ones. A kernel is the same by what boots, a test by everything that its verdict depends on.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::state::{AttemptSummary, BisectionState};
use crate::bisect::Seen;
use crate::event::{BisectionRecord, BisectionSource, Event};
use crate::journal::RunDir;
use crate::lab::prepare::collection_digest;
use crate::machine::Machine;
use crate::suite::{Installed, ProgramSource, Test};

/// Parts of a test that say nothing about how it is judged.
const NO_MATTER: &[&str] = &["summary", "links", "history", "known", "span", "control_of"];

/// A digest of everything in a test that its verdict depends on: its description, the files that it names, and its
/// machine.
pub fn test_digest(test: &Test, machine: &Machine) -> String {
    let mut value = serde_json::to_value(test).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        NO_MATTER.iter().for_each(|key| drop(map.remove(*key)));
        if let Some(dose) = map.get_mut("dose").and_then(|dose| dose.as_object_mut()) {
            // how many attempts make a verdict of a run is no matter of a single one
            dose.remove("attempts");
            dose.remove("chance");
        }
    }
    let mut hash = Sha256::new();
    hash.update(value.to_string());
    hash.update(format!("{machine:?}"));
    let launch = test.program.launch();
    let source = launch.source;
    if let ProgramSource::Collection(wanted) = &source {
        hash.update(collection_digest(wanted.collection, wanted.tree, wanted.program));
    }
    if let Some(Installed { collection, tree, .. }) = launch.installs {
        hash.update(collection_digest(collection, tree, Path::new("")));
    }
    let program = source.file();
    for file in program.into_iter().chain(test.files.iter().map(PathBuf::as_path)) {
        hash.update(fs::read(file).unwrap_or_default());
        hash.update([0]);
    }
    for header in program.map_or_else(Vec::new, headers) {
        hash.update(fs::read(header).unwrap_or_default());
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The headers beside a program.
fn headers(program: &Path) -> Vec<PathBuf> {
    let folder = program.parent().map(Path::to_owned).unwrap_or_default();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut headers: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "h")).collect();
    headers.sort();
    headers
}

/// What earlier bisections in `root` saw of the candidates of `record` with the same test, as events. Journals that
/// cannot be read are passed over.
pub fn earlier(root: &Path, record: &BisectionRecord) -> Vec<Event> {
    let ours: HashMap<&str, &str> =
        record.candidates.iter().map(|candidate| (candidate.id.as_str(), candidate.name.as_str())).collect();
    let mut events = Vec::new();
    for dir in runs(root) {
        let Ok(Some(state)) = BisectionState::of(&dir) else { continue };
        if state.record().test_digest != record.test_digest || !alike(&state.record().source, &record.source)
        {
            continue;
        }
        for (node, tried) in state.all_tried() {
            let kernel = ours.get(state.candidate(node).id.as_str());
            let (Some(kernel), Some(content)) = (kernel, &tried.content) else { continue };
            let seen = tried
                .attempts
                .iter()
                .filter_map(AttemptSummary::seen)
                .fold(Seen::default(), |sum, seen| sum + seen);
            if seen.attempts > 0 {
                let (kernel, from) = ((*kernel).to_owned(), dir.id().to_owned());
                events.push(Event::Earlier { kernel, seen, from, content: Some(content.clone()) });
            }
        }
    }
    events
}

/// Whether kernels of the same id from both sources are built alike.
fn alike(a: &BisectionSource, b: &BisectionSource) -> bool {
    match (a, b) {
        (BisectionSource::Series { .. }, BisectionSource::Series { .. }) => true,
        (
            BisectionSource::Tree { config, config_digest, compiler, arch, .. },
            BisectionSource::Tree {
                config: b_config,
                config_digest: b_digest,
                compiler: b_compiler,
                arch: b_arch,
                ..
            },
        ) => (config, config_digest, compiler, arch) == (b_config, b_digest, b_compiler, b_arch),
        _ => false,
    }
}

/// The newest bisection in `root` that did not end, or else the newest at all.
pub fn latest(root: &Path) -> Option<RunDir> {
    let of = |dir: RunDir| BisectionState::of(&dir).ok().flatten().map(|state| (dir, state));
    let mut all = runs(root).into_iter().rev().filter_map(of).peekable();
    all.peek()?;
    let all: Vec<(RunDir, BisectionState)> = all.collect();
    let open = all.iter().find(|(_, state)| state.answer().is_none()).or(all.first());
    open.map(|(dir, _)| dir.clone())
}

/// The runs in a folder, oldest first.
fn runs(root: &Path) -> Vec<RunDir> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.iter().map(|path| RunDir::at(path)).collect()
}
