//! `--resume`: going on with an earlier run, and taking culprits back.

use std::path::Path;

use super::input::{Handed, QueueInput};
use super::judge::{Judging, STDIN_FILE, started};
use super::{QueueArgs, library, one_tree, onto, output, plan};
use crate::arch::{Arch, GUEST};
use crate::cancel::Cancel;
use crate::cli::error::CliError;
use crate::cli::paths::PathArgs;
use crate::cli::run::placed;
use crate::cli::selection::load_suites;
use crate::event::Event;
use crate::event::queue::QueueEvent;
use crate::journal::{Journal, RunDir};
use crate::kernel::compile::BuildSource;
use crate::progress::{Fetching, for_queue};
use crate::queue::{self, QueueState, digest};
use crate::report::ExitStatus;

/// Goes on with a run.
///
/// # Errors
/// It is none of a queue, or what it was made of was changed.
pub fn go_on(args: &QueueArgs, paths: &PathArgs, named: &str) -> Result<ExitStatus, CliError> {
    let dir = find(&args.output.reports, named)?;
    let none = || CliError::setup(format!("run {} is none of `kregress queue`", dir.id()));
    let state = QueueState::of(&dir).map_err(CliError::setup)?.ok_or_else(none)?;
    let record = state.record().clone();
    let input = match record.input.as_str() {
        "-" => dir.path().join(STDIN_FILE).display().to_string(),
        input => input.to_owned(),
    };
    let handed = Handed::read(&input, &record.reading)?;
    let cache = paths.cache()?;
    let cancel = Cancel::new();
    let shown = for_queue();
    let library = library(args, paths, &cache, &cancel)?;
    let progress = Fetching::among(shown.bars.clone());
    let arch = record.tree.arch.as_deref().and_then(Arch::named).unwrap_or(GUEST);
    let wanted = onto::Wanted { arch: Some(arch), config: Some(&record.tree.config) };
    let mut tree = one_tree(&record.tree.named, &handed, &library, wanted, &progress)?;
    tree.compiler.clone_from(&record.tree.compiler);
    if let BuildSource::Git { reference, .. } = &mut tree.source {
        // a branch may have moved on
        reference.clone_from(&record.tree.commit);
    }
    let config_digest = library.builder().config_digest(&tree.config, tree.arch).map_err(CliError::setup)?;
    let changed = |what: &str| {
        CliError::setup(format!(
            "{what} was changed since run {} began, so that its attempts no longer say the same; begin a new run",
            dir.id()
        ))
    };
    if config_digest != record.tree.config_digest {
        return Err(changed(&format!("the configuration {}", tree.config)));
    }
    let input = QueueInput::on(handed, tree, &record.reading, None, &library, &progress, &cancel)?;
    if digest(&input.reading.kept) != record.digest {
        return Err(changed(&format!("{}, or its tree {},", record.input, record.tree.named)));
    }
    let suites = load_suites(&args.suite, &paths.suites()?)?;
    let tests = plan::again(&record.tests, &suites)?;
    let places = placed(&tests, paths)?;
    plan::unchanged(&record.tests, &places)?;

    let journal = Journal::resume(dir.path()).map_err(CliError::setup)?;
    output::point_latest_at(&dir);
    // what was appended before the journal was locked
    let state = QueueState::of(&dir).map_err(CliError::setup)?.unwrap_or(state);
    let mut events = vec![started(&dir, tests.len())];
    let judging = Judging { args, paths, cache, library: &library, input: &input, cancel };
    // a budget that is not repeated is none
    if judging.budget() != record.budget {
        let (aims, budget) = (record.aims, judging.budget());
        events.push(Event::Queue(Box::new(QueueEvent::Limits { aims, budget })));
    }
    for (nth, patch) in args.withdraw.iter().enumerate() {
        if state.numbers().place(*patch).is_none() {
            let text = format!("--withdraw {patch}: no patch of this number was tested");
            return Err(CliError::usage(text));
        }
        let reason = args.reasons.get(nth).or(args.reasons.last()).cloned().unwrap_or_default();
        events.push(Event::Queue(Box::new(QueueEvent::Withdrawn { patch: *patch, reason })));
    }
    drop(progress);
    judging.run(state, places, &dir, &journal, events, shown)
}

/// The run; `latest` is the latest one of a queue, whatever ran since then.
fn find(root: &Path, named: &str) -> Result<RunDir, CliError> {
    match named {
        "latest" => queue::latest(root).ok_or_else(|| {
            CliError::setup(format!(
                "no run in {} is one of a queue; `kregress queue QUEUE --onto TREE` begins one",
                root.display()
            ))
        }),
        named => RunDir::find(root, named).map_err(CliError::setup),
    }
}
