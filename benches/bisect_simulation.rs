//! What the search costs and how often it errs, on kernels that do not exist: 1024 commits in a line, 500 searches a
//! row, the culprit drawn for each. Then how long the choice of the next commit takes in 20,000 commits with merges.
//!
//! `cargo bench --bench bisect_simulation [-- SEARCHES]`

use std::sync::Arc;
use std::time::Instant;

use kregress::bisect::simulate::{Random, World, simulate};
use kregress::bisect::{Aims, Costs, Find, History, Posterior, Seen, choose};

const COMMITS: usize = 1024;
const ROWS: [(f64, f64); 5] = [(0.9, 0.0), (0.5, 0.0), (0.3, 0.0), (0.1, 0.0), (0.3, 0.01)];

fn main() {
    let searches = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(500);
    for (kernel, what) in [(0.0, "kernels cost nothing"), (5.0, "a kernel costs as much as 5 attempts")] {
        println!("{COMMITS} commits in a line, {searches} searches a row, {what}\n");
        println!("| p | spurious | correct | wrong | inconclusive | mean attempts | most | mean kernels |");
        println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for (bad, spurious) in ROWS {
            let history = Arc::new(History::linear(COMMITS));
            let world = World { history, bad, spurious, costs: Costs { kernel, attempt: 1.0 } };
            let found = simulate(&world, Aims::default(), searches, 42);
            println!(
                "| {bad} | {spurious} | {:.1}% | {:.1}% | {:.1}% | {:.1} | {} | {:.1} |",
                100.0 * found.share(found.correct),
                100.0 * found.share(found.wrong),
                100.0 * found.share(found.inconclusive),
                found.mean_attempts(),
                found.most_attempts,
                found.mean_kernels(),
            );
        }
        println!();
    }
    large_history();
}

/// Topic branches of up to 40 commits that start at one of the last 2000 commits and are merged, until there are 20,000
/// nodes.
fn merged_history(random: &mut Random) -> History {
    let mut parents: Vec<Vec<usize>> = vec![vec![]];
    let mut main = 0;
    while parents.len() < 20_000 {
        let mut tip = parents.len() - 1 - random.below(parents.len().min(2000));
        for _ in 0..1 + random.below(40) {
            parents.push(vec![tip]);
            tip = parents.len() - 1;
        }
        parents.push(vec![main, tip]);
        main = parents.len() - 1;
    }
    History::new(parents).expect("a history by construction")
}

fn large_history() {
    let mut random = Random::new(7);
    let start = Instant::now();
    let history = Arc::new(merged_history(&mut random));
    println!("{} commits with merges: read in {:?}", history.candidates(), start.elapsed());
    let culprit = 1 + random.below(history.candidates());
    let mut posterior = Posterior::new(Arc::clone(&history), Find::Cause, None);
    posterior.observe(history.newest(), Seen::new(5, 10));
    posterior.observe(0, Seen::new(0, 5));
    let (mut slowest, mut attempts) = (std::time::Duration::ZERO, 15);
    while posterior.leader().1 < 0.99 && attempts < 2000 {
        let start = Instant::now();
        let Some(choice) = choose(&posterior, 1.0, |_| Some(0.0)) else { break };
        slowest = slowest.max(start.elapsed());
        let holds = history.ancestors(choice.node)[culprit];
        posterior.observe(choice.node, Seen::new(u32::from(holds && random.chance(0.5)), 1));
        attempts += 1;
    }
    let right = posterior.leader().0 == culprit;
    println!(
        "the slowest choice of {attempts}: {slowest:?}; the culprit was {}",
        if right { "found" } else { "missed" }
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    println!("most memory: {}", peak.trim());
}
