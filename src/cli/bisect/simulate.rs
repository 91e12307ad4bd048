//! `kregress bisect --simulate`: what a search would take.

use std::sync::Arc;

use crate::bisect::simulate::{Outcomes, World, simulate};
use crate::bisect::{Aims, Costs, History};
use crate::progress::percent;

/// Searches that are simulated.
const SEARCHES: u32 = 100;

/// The most candidates; a line of more takes too long to simulate.
const MOST: usize = 20_000;

/// A search that is to be planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulationRequest {
    candidates: usize,
    chance: f64,
    cost: f64,
}

/// Reads `N,CHANCE[,COST]`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<SimulationRequest, String> {
    let form = "expected candidates, chance per attempt, and what a kernel costs in attempts: 1024,0.3,5";
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (candidates, chance, cost) = match parts[..] {
        [candidates, chance] => (candidates, chance, "0"),
        [candidates, chance, cost] => (candidates, chance, cost),
        _ => return Err(form.to_owned()),
    };
    let candidates: usize = candidates.parse().map_err(|_| form.to_owned())?;
    let chance = super::parse_chance(chance).map_err(|why| format!("the chance {chance}: {why}"))?;
    let cost: f64 = cost.parse().map_err(|_| form.to_owned())?;
    if !(1..=MOST).contains(&candidates) {
        return Err(format!("from 1 to {MOST} candidates can be simulated, not {candidates}"));
    }
    if !(0.0..=1e6).contains(&cost) {
        return Err(format!("a kernel costs from 0 to 1000000 attempts, not {cost}"));
    }
    Ok(SimulationRequest { candidates, chance, cost })
}

/// Simulates and prints.
pub fn print(asked: &SimulationRequest, aims: Aims) {
    let history = Arc::new(History::linear(asked.candidates));
    let costs = Costs { kernel: asked.cost, attempt: 1.0 };
    let world = World { history, bad: asked.chance, spurious: 0.0, costs };
    let outcomes = simulate(&world, aims, SEARCHES, 1);
    print!("{}", text(asked, &outcomes));
}

fn text(asked: &SimulationRequest, outcomes: &Outcomes) -> String {
    let shown = |count: u32| percent(outcomes.share(count));
    format!(
        "\
{} candidates in a line, the bug shows in {} of the attempts, a kernel costs as much as {} attempts
{} simulated searches: {} named the right one, {} a wrong one, {} none
attempts: {:.0} on average, at most {}; kernels: {:.0} on average
",
        asked.candidates,
        percent(asked.chance),
        asked.cost,
        outcomes.trials,
        shown(outcomes.correct),
        shown(outcomes.wrong),
        shown(outcomes.inconclusive),
        outcomes.mean_attempts(),
        outcomes.most_attempts,
        outcomes.mean_kernels(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read() {
        assert_eq!(parse("64,0.5"), Ok(SimulationRequest { candidates: 64, chance: 0.5, cost: 0.0 }));
        assert_eq!(parse("64, 30%, 5"), Ok(SimulationRequest { candidates: 64, chance: 0.3, cost: 5.0 }));
        let said: Vec<String> =
            ["64", "x,0.5", "64,2", "0,0.5", "64,0.5,-1"].iter().map(|t| parse(t).unwrap_err()).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        expected candidates, chance per attempt, and what a kernel costs in attempts: 1024,0.3,5
        expected candidates, chance per attempt, and what a kernel costs in attempts: 1024,0.3,5
        the chance 2: above 0, at most 1
        from 1 to 20000 candidates can be simulated, not 0
        a kernel costs from 0 to 1000000 attempts, not -1
        ");
    }

    #[test]
    fn a_plan_is_printed() {
        let asked = SimulationRequest { candidates: 64, chance: 0.5, cost: 5.0 };
        let outcomes = Outcomes {
            trials: 100,
            correct: 99,
            wrong: 0,
            inconclusive: 1,
            attempts: 5230,
            kernels: 900,
            most_attempts: 80,
        };
        insta::assert_snapshot!(text(&asked, &outcomes), @r"
        64 candidates in a line, the bug shows in 50% of the attempts, a kernel costs as much as 5 attempts
        100 simulated searches: 99% named the right one, 0.0% a wrong one, 1.0% none
        attempts: 52 on average, at most 80; kernels: 9 on average
        ");
    }
}
