//! Simulates queues of 300 patches and 150 tests and prints what comes out:
//! `cargo run --release -p queue-triage --example simulate -- [QUEUES [SEED]]`.
//!
//! First for several numbers of good attempts that make a test fine (its worth), then with difficulties. A harmful patch
//! counts as named if it is named for a test that it breaks; "wrong" are queues in which anybody is blamed wrongly. At the
//! end: how long the next step takes to be found.

use std::time::{Duration, Instant};

use flaky_bisect::simulate::Random;
use queue_triage::simulate::{Cause, Storms, Trial, World, run};
use queue_triage::{Config, KernelOf, Outcome, Step, Triage};

/// Attempts of running everything on both ends, ten times each.
const EVERYTHING: f64 = 3000.0;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let queues: u64 = arguments.next().map_or(500, |text| text.parse().expect("a number of queues"));
    let seed: u64 = arguments.next().map_or(20, |text| text.parse().expect("a seed"));
    println!(
        "{queues} queues of 300 patches, 150 tests (10 flake at 2 to 30 %), 0 to 3 harmful patches, seed {seed}"
    );
    println!(
        "{:36} worth  named 1.0  named 0.5  named 0.1  >= 0.5  of shown  wrong  attempts  fewer  kernels",
        ""
    );
    for worth in [2, 3, 4, 5, 6] {
        row("one test a patch", worth, queues, seed, |_, _, _| {});
    }
    for (worth, most) in [(2, 3), (3, 3)] {
        row_with("one to three tests a patch", worth, (queues, seed), most, |_, _, _| {});
    }
    let some = queues.div_ceil(5);
    row("flaky tests that fail together", 3, some, seed, |world, _, _| {
        world.storms = Some(Storms { chance: 0.1, factor: 3.0 });
    });
    row("five tests broken on the baseline", 3, some, seed, |world, _, random| {
        (0..5).for_each(|_| world.flaky.push((random.below(150), 1.0)));
    });
    row("two culprits for each test", 3, some, seed, |world, _, random| {
        for harm in &mut world.harms {
            let other = 1 + random.below(300);
            harm.cause = Cause::Either(vec![harm.cause.patches()[0], other]);
        }
    });
    row("two patches that break it together", 3, some, seed, |world, _, random| {
        for harm in &mut world.harms {
            let other = 1 + random.below(300);
            harm.cause = Cause::Together(vec![harm.cause.patches()[0], other]);
        }
    });
    row("culprits that cannot be taken out", 3, some, seed, |world, config, _| {
        for harm in &world.harms {
            config.patches[harm.cause.patches()[0] - 1].stays = Some("conflict".into());
        }
    });
    row("every tenth patch needs the one before", 3, some, seed, |_, config, _| {
        (1..30).for_each(|nth| config.patches[10 * nth].needs = vec![10 * nth]);
    });
    row("prefixes around it do not build", 3, some, seed, |world, _, random| {
        for harm in world.harms.clone() {
            let first = harm.cause.patches()[0].saturating_sub(random.below(4)).max(1);
            let test = [None, Some(harm.test)][random.below(2)];
            world.unjudged.push((test, first..=(first + random.below(4)).min(299)));
        }
    });
    step_times();
}

fn row(
    name: &str,
    worth: u32,
    queues: u64,
    seed: u64,
    change: impl Fn(&mut World, &mut Config, &mut Random),
) {
    row_with(name, worth, (queues, seed), 1, change);
}

fn row_with(
    name: &str,
    worth: u32,
    (queues, seed): (u64, u64),
    most_tests: usize,
    change: impl Fn(&mut World, &mut Config, &mut Random),
) {
    let mut sums = Sums::default();
    for queue in 0..queues {
        // the same queues in every row
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(queue));
        let mut world = World::of_a_release(&mut random, 1..=most_tests);
        let mut config = Config::new(world.patches, world.tests);
        config.aims.worth = worth;
        change(&mut world, &mut config, &mut random);
        sums.add(&world, &run(&world, config, &mut random));
    }
    sums.print(name, worth, queues);
}

#[derive(Default)]
struct Sums {
    /// Planted and named patches by chance.
    planted: [u32; 3],
    named: [u32; 3],
    /// Those with a chance of at least 0.5 whose test failed on the tip at all.
    shown: u32,
    wrong: u32,
    attempts: u64,
    kernels: usize,
}

impl Sums {
    fn add(&mut self, world: &World, trial: &Trial) {
        let mut patches: Vec<(usize, usize, bool, bool)> = Vec::new();
        for (harm, named) in world.harms.iter().zip(&trial.named) {
            let patch = harm.cause.patches()[0];
            let nth = [1.0, 0.5, 0.1].iter().position(|chance| *chance == harm.chance).expect("one of these");
            let shown = trial.report.findings[harm.test].tip.bad > 0;
            match patches.iter_mut().find(|(other, ..)| *other == patch) {
                Some((_, _, any_named, any_shown)) => {
                    *any_named |= named;
                    *any_shown |= shown;
                }
                None => patches.push((patch, nth, *named, shown)),
            }
        }
        for (_, nth, named, shown) in patches {
            self.planted[nth] += 1;
            self.named[nth] += u32::from(named);
            self.shown += u32::from(shown && nth < 2);
        }
        self.wrong += u32::from(!trial.wrong.is_empty());
        self.attempts += u64::from(trial.report.attempts);
        self.kernels += trial.report.kernels;
    }

    fn print(&self, name: &str, worth: u32, queues: u64) {
        let share = |a: u32, b: u32| format!("{:.1} %", 100.0 * f64::from(a) / f64::from(b.max(1)));
        let of = |nth: usize| format!("{}/{}", self.named[nth], self.planted[nth]);
        let (named, planted) = (self.named[0] + self.named[1], self.planted[0] + self.planted[1]);
        let attempts = self.attempts as f64 / queues as f64;
        println!(
            "{name:38} {worth:>3}  {:>9}  {:>9}  {:>9}  {:>6}  {:>8}  {:>5}  {attempts:>8.0}  {:>5.1}  {:>7.1}",
            of(0),
            of(1),
            of(2),
            share(named, planted),
            share(named, self.shown),
            share(self.wrong, queues as u32),
            EVERYTHING / attempts,
            self.kernels as f64 / queues as f64,
        );
    }
}

/// How long the next step takes in a queue with three regressions and ten flaky tests.
fn step_times() {
    let mut triage = Triage::new(Config::new(300, 150)).expect("it makes sense");
    let mut random = Random::new(1);
    let mut times: Vec<Duration> = Vec::new();
    loop {
        let begin = Instant::now();
        let step = triage.next();
        times.push(begin.elapsed());
        let Step::Run { kernel, tasks } = step else { break };
        for task in tasks {
            let broken = match task.test {
                0 => kernel.holds(77),
                1 => kernel.holds(150) && random.chance(0.5),
                2 => kernel.holds(223) && random.chance(0.5),
                test => test >= 140 && random.chance(0.2),
            };
            let outcome = if broken { Outcome::Bad } else { Outcome::Good };
            triage.observe(KernelOf::clone(&kernel), task.test, outcome).expect("it is of the queue");
        }
    }
    times.sort();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!("the next step, of {}: median {median:.1?}, at most {most:.1?}", times.len());
}
