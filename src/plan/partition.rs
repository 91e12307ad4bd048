//! A plan in parts, one for each of several hosts: every cell is in exactly one of them.
//!
//! Which cell is in which part depends on the names of the cells alone, and for slices of equal duration on one earlier run
//! that all hosts read: never on the order in which kernels were named, on this host, or on what ran here before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::choice::EarlierCells;
use crate::event::{CellId, PartitionRecord};

/// The most parts of a plan.
const MOST: u32 = 100_000;

/// How a plan is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DivideBy {
    /// Cells in the order of their names, one for each part after the other; or by what they took.
    Slice,
    /// By a hash of each cell's name: a cell stays in its part whatever others there are.
    Hash,
}

/// One part of a plan, as `slice:2/4` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    by: DivideBy,
    part: u32,
    of: u32,
}

/// A text that is no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// It does not say how.
    #[error(
        "`{0}` does not say how the cells are divided: expected slice:M/N or hash:M/N, such as slice:1/4"
    )]
    By(String),
    /// Its numbers are none.
    #[error("`{0}` is no part of anything: expected M/N, such as 1/4")]
    Numbers(String),
    /// Nothing is divided into no parts.
    #[error("there are no parts of 0: expected M/N, such as 1/4")]
    NoParts,
    /// There is none of that number.
    #[error("there is no part {part} of {of}: the parts are 1/{of} to {of}/{of}")]
    NoSuchPart {
        /// The number.
        part: u32,
        /// How many there are.
        of: u32,
    },
    /// There are too many.
    #[error("a plan has at most {MOST} parts, not {0}")]
    TooMany(u32),
}

impl FromStr for Partition {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Partition, PartitionError> {
        let unknown = || PartitionError::By(text.to_owned());
        let (by, numbers) = text.split_once(':').ok_or_else(unknown)?;
        let by = match by {
            "slice" => DivideBy::Slice,
            "hash" => DivideBy::Hash,
            _ => return Err(unknown()),
        };
        let digits =
            |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let both = numbers.split_once('/').and_then(|(part, of)| Some((digits(part)?, digits(of)?)));
        let (part, of) = both.ok_or_else(|| PartitionError::Numbers(numbers.to_owned()))?;
        match () {
            () if of == 0 => Err(PartitionError::NoParts),
            () if part == 0 || part > of => Err(PartitionError::NoSuchPart { part, of }),
            () if of > MOST => Err(PartitionError::TooMany(of)),
            () => Ok(Partition { by, part, of }),
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.by.word(), self.part, self.of)
    }
}

impl DivideBy {
    fn word(self) -> &'static str {
        match self {
            DivideBy::Slice => "slice",
            DivideBy::Hash => "hash",
        }
    }
}

/// The cells of one part, and what its run says of the plan.
#[derive(Clone, Debug)]
pub struct PlanPart {
    cells: HashSet<CellId>,
    /// What the run's first event says.
    pub record: PartitionRecord,
}

impl PlanPart {
    /// Whether a cell is in this part.
    pub fn has(&self, cell: &CellId) -> bool {
        self.cells.contains(cell)
    }

    /// How many cells are in it.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

impl Partition {
    /// Whether slices of equal duration can be asked of it.
    pub fn is_slice(self) -> bool {
        self.by == DivideBy::Slice
    }

    /// Its cells of a plan, which is given in its order. Slices are balanced by what cells took in `balance`, if that is
    /// given.
    pub fn of(self, plan: &[CellId], balance: Option<&EarlierCells>) -> PlanPart {
        let mut sorted: Vec<&CellId> = plan.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let seconds = balance.map(|earlier| milliseconds(&sorted, earlier));
        let mut hash = Sha256::new();
        hash.update(format!("{}/{}\0", self.by.word(), self.of));
        for (place, cell) in sorted.iter().enumerate() {
            let seconds = seconds.as_ref().map(|seconds| seconds[place]);
            hash.update(format!("{}\0{}\0{seconds:?}\0", cell.test, cell.kernel));
        }
        let parts: Vec<u32> = match (self.by, &seconds) {
            (DivideBy::Hash, _) => sorted.iter().map(|cell| hashed(cell, self.of)).collect(),
            (DivideBy::Slice, None) => (0..self.of).cycle().take(sorted.len()).collect(),
            (DivideBy::Slice, Some(seconds)) => balanced(&sorted, seconds, self.of),
        };
        let cells = sorted.into_iter().zip(parts).filter(|(_, part)| *part == self.part - 1);
        let cells: HashSet<CellId> = cells.map(|(cell, _)| cell.clone()).collect();
        let record = PartitionRecord {
            by: self.by.word().to_owned(),
            part: self.part,
            of: self.of,
            cells: plan.len() as u64,
            plan: hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            kernels: each_once(plan.iter().map(|cell| cell.kernel.as_str())),
            tests: each_once(plan.iter().map(|cell| cell.test.as_str())),
        };
        PlanPart { cells, record }
    }
}

/// The part of a cell, from 0, by its name.
fn hashed(cell: &CellId, of: u32) -> u32 {
    let digest = Sha256::digest(cell.to_string());
    let number = u64::from_le_bytes(std::array::from_fn(|n| digest[n]));
    (number % u64::from(of)) as u32
}

/// The part of each cell, from 0: the longest first, each into the part that has the least so far.
fn balanced(cells: &[&CellId], milliseconds: &[u64], of: u32) -> Vec<u32> {
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|place| (std::cmp::Reverse(milliseconds[*place]), cells[*place]));
    // what a part has, then its number
    let mut least: std::collections::BinaryHeap<_> =
        (0..of).map(|part| std::cmp::Reverse((0, part))).collect();
    let mut parts = vec![0; cells.len()];
    for place in order {
        let Some(std::cmp::Reverse((sum, part))) = least.pop() else { break };
        parts[place] = part;
        least.push(std::cmp::Reverse((sum + milliseconds[place], part)));
    }
    parts
}

/// What each cell may take: as in the earlier run, else the mean of its test there, else the mean of all.
fn milliseconds(cells: &[&CellId], earlier: &EarlierCells) -> Vec<u64> {
    let took = |seconds: f64| (seconds.clamp(0.0, 1e9) * 1000.0).round() as u64;
    // whole numbers, so that the sum does not depend on the order
    let mut tests: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut all = (0, 0);
    let judged = earlier.iter().filter(|(_, cell)| cell.verdict.is_some() && cell.seconds > 0.0);
    let known: HashMap<&CellId, u64> = judged.map(|(id, cell)| (id, took(cell.seconds))).collect();
    for (id, took) in &known {
        for (sum, count) in [tests.entry(id.test.as_str()).or_default(), &mut all] {
            *sum += took;
            *count += 1;
        }
    }
    let mean = |(sum, count): (u64, u64)| sum / count.max(1);
    let of = |cell: &&CellId| {
        known
            .get(cell)
            .copied()
            .unwrap_or_else(|| mean(tests.get(cell.test.as_str()).copied().unwrap_or(all)))
    };
    // a cell that took no time is one all the same
    cells.iter().map(|cell| of(cell).max(1)).collect()
}

fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::EarlierCell;
    use crate::verdict::Verdict;

    fn cell(test: usize, kernel: usize) -> CellId {
        CellId { test: format!("s::t{test}"), kernel: format!("6.{kernel}") }
    }

    fn plan(tests: usize, kernels: usize) -> Vec<CellId> {
        (0..kernels).flat_map(|kernel| (0..tests).map(move |test| cell(test, kernel))).collect()
    }

    fn earlier(cells: &[CellId], seconds: impl Fn(usize) -> f64) -> EarlierCells {
        let of = |(n, cell): (usize, &CellId)| {
            let known = EarlierCell { verdict: Some(Verdict::Good), seconds: seconds(n), passed: true };
            (cell.clone(), known)
        };
        cells.iter().enumerate().map(of).collect()
    }

    fn names(part: &PlanPart) -> String {
        let mut names: Vec<String> = part.cells.iter().map(CellId::to_string).collect();
        names.sort();
        names.join(" ")
    }

    #[test]
    fn what_is_no_part_says_what_is() {
        let said = |text: &str| text.parse::<Partition>().unwrap_err().to_string();
        let texts = [
            "slice:0/4",
            "slice:5/4",
            "hash:x",
            "hash:1",
            "hash:-1/4",
            "hash:+1/4",
            "slice:1/0",
            "1/4",
            "count:1/4",
            "hash:1/4/2",
            "hash:1/200000",
            "",
        ];
        let table: Vec<String> = texts.iter().map(|text| format!("{text:14} {}", said(text))).collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        slice:0/4      there is no part 0 of 4: the parts are 1/4 to 4/4
        slice:5/4      there is no part 5 of 4: the parts are 1/4 to 4/4
        hash:x         `x` is no part of anything: expected M/N, such as 1/4
        hash:1         `1` is no part of anything: expected M/N, such as 1/4
        hash:-1/4      `-1/4` is no part of anything: expected M/N, such as 1/4
        hash:+1/4      `+1/4` is no part of anything: expected M/N, such as 1/4
        slice:1/0      there are no parts of 0: expected M/N, such as 1/4
        1/4            `1/4` does not say how the cells are divided: expected slice:M/N or hash:M/N, such as slice:1/4
        count:1/4      `count:1/4` does not say how the cells are divided: expected slice:M/N or hash:M/N, such as slice:1/4
        hash:1/4/2     `1/4/2` is no part of anything: expected M/N, such as 1/4
        hash:1/200000  a plan has at most 100000 parts, not 200000
                       `` does not say how the cells are divided: expected slice:M/N or hash:M/N, such as slice:1/4
        ");
        assert_eq!("hash:3/4".parse::<Partition>().unwrap().to_string(), "hash:3/4");
    }

    #[test]
    fn parts_are_what_they_always_were() {
        let of = |text: &str| names(&text.parse::<Partition>().unwrap().of(&plan(2, 2), None));
        let table = ["slice:1/3", "slice:2/3", "slice:3/3", "hash:1/3", "hash:2/3", "hash:3/3"]
            .map(|text| format!("{text} {}", of(text)).trim_end().to_owned());
        insta::assert_snapshot!(table.join("\n"), @r"
        slice:1/3 s::t0@6.0 s::t1@6.1
        slice:2/3 s::t0@6.1
        slice:3/3 s::t1@6.0
        hash:1/3
        hash:2/3 s::t0@6.1 s::t1@6.1
        hash:3/3 s::t0@6.0 s::t1@6.0
        ");
    }

    #[test]
    fn as_many_slices_as_kernels_have_a_kernel_each() {
        let part = "slice:2/3".parse::<Partition>().unwrap().of(&plan(5, 3), None);
        assert!(part.cells.iter().all(|cell| cell.kernel == "6.1"), "{}", names(&part));
    }

    #[test]
    fn a_cell_stays_in_its_part_of_a_hash() {
        let part: Partition = "hash:2/4".parse().unwrap();
        let (few, many) = (part.of(&plan(3, 3), None), part.of(&plan(9, 9), None));
        for cell in plan(3, 3) {
            assert_eq!(few.has(&cell), many.has(&cell), "{cell}");
        }
        assert_ne!(few.record.plan, many.record.plan);
    }

    #[test]
    fn slices_take_about_as_long_as_each_other() {
        let plan = plan(10, 4);
        let took = earlier(&plan, |n| if n % 10 == 0 { 100.0 } else { 10.0 });
        let sums = (1..=4).map(|part| {
            let part = format!("slice:{part}/4").parse::<Partition>().unwrap().of(&plan, Some(&took));
            part.cells.iter().map(|cell| took[cell].seconds).sum::<f64>()
        });
        let sums: Vec<f64> = sums.collect();
        let (least, most) =
            (sums.iter().copied().fold(f64::MAX, f64::min), sums.iter().copied().fold(0.0, f64::max));
        assert!(most - least <= 10.0, "{sums:?}");
    }

    proptest! {
        /// Whatever is asked, each cell is in one part, whatever the order of the plan.
        #[test]
        fn the_parts_are_the_whole(
            tests in 0usize..12,
            kernels in 1usize..8,
            of in 1u32..12,
            turn in 0usize..50,
            by in prop_oneof![Just("slice"), Just("hash")],
            balance in proptest::option::of(0.0..500.0f64),
            known in 0usize..60,
        ) {
            let plan = plan(tests, kernels);
            let mut turned = plan.clone();
            turned.rotate_left(turn % plan.len().max(1));
            let known = &plan[..known.min(plan.len())];
            let earlier = balance.map(|most| earlier(known, |n| (n * 37 % 11) as f64 * most));
            let mut seen: HashMap<CellId, u32> = HashMap::new();
            let mut plans = HashSet::new();
            for part in 1..=of {
                let partition: Partition = format!("{by}:{part}/{of}").parse().unwrap();
                let one = partition.of(&plan, earlier.as_ref());
                let other = partition.of(&turned, earlier.as_ref());
                prop_assert_eq!(&one.cells, &other.cells);
                prop_assert_eq!(&one.record.plan, &other.record.plan);
                plans.insert(one.record.plan);
                for cell in one.cells {
                    *seen.entry(cell).or_default() += 1;
                }
            }
            prop_assert_eq!(seen.len(), plan.len());
            prop_assert!(seen.values().all(|count| *count == 1));
            prop_assert_eq!(plans.len(), 1);
        }
    }
}
