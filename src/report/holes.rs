//! What a merged run lacks of the plans that its parts are of.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::fold::RunSummary;
use crate::event::{CellId, MergedRun, PartitionRecord};
use crate::plan::Partition;

impl RunSummary {
    /// With what it lacks as notices.
    pub(super) fn with_holes(mut self) -> RunSummary {
        let holes = self.holes();
        self.notices.extend(holes);
        self
    }

    /// What a merged run lacks of the plans that its parts are of, a sentence each. A part is not missing whose cells other
    /// runs have. Where there is a hole, cells may be missing that nobody has named.
    pub fn holes(&self) -> Vec<String> {
        let mut groups: BTreeMap<(&str, u32), Vec<(&MergedRun, &PartitionRecord)>> = BTreeMap::new();
        for member in &self.split.merged {
            if let Some(partition) = &member.partition {
                groups.entry((&partition.by, partition.of)).or_default().push((member, partition));
            }
        }
        let mut holes = Vec::new();
        for ((by, of), parts) in groups {
            let plans: BTreeSet<&str> = parts.iter().map(|(_, partition)| partition.plan.as_str()).collect();
            let here: BTreeSet<u32> = parts.iter().map(|(_, partition)| partition.part).collect();
            // asked of all cells only where a part is not there
            if (plans.len() == 1 && here.len() == of as usize) || plans.iter().all(|plan| self.covers(plan)) {
                continue;
            }
            let missing = (1..=of).filter(|part| !here.contains(part));
            holes.extend(missing.map(|part| {
                format!(
                    "partition {part}/{of} is missing: no run of --partition {by}:{part}/{of} is among these"
                )
            }));
            let (first, plan) = (parts[0].0, &parts[0].1.plan);
            let others = parts.iter().filter(|(_, partition)| partition.plan != *plan);
            holes.extend(others.map(|(member, partition)| {
                format!(
                    "partition {}/{of} (run {}) is of another plan than partition {}/{of} (run {}): the tests, the kernels or \
                     the durations were not the same, so that cells may be in none of the parts",
                    partition.part, member.run, parts[0].1.part, first.run
                )
            }));
        }
        holes
    }

    /// Whether every cell of a plan is known to be here: all that its tests and kernels can have together, or as many as it
    /// has with its digest.
    fn covers(&self, plan: &str) -> bool {
        let partitions = || self.split.merged.iter().filter_map(|member| member.partition.as_deref());
        let mut of_plan = partitions().filter(|partition| partition.plan == plan);
        // its lists stand with the first of its parts
        let Some(record) = of_plan.find(|partition| !partition.kernels.is_empty()) else {
            return partitions()
                .filter(|partition| partition.plan == plan)
                .all(|partition| partition.cells == 0);
        };
        let set = |names: &[String]| names.iter().cloned().collect::<HashSet<String>>();
        let (kernels, tests) = (set(&record.kernels), set(&record.tests));
        let here = self.cells().filter(|cell| kernels.contains(cell.kernel()) && tests.contains(cell.test()));
        let count = here.clone().count();
        if count == kernels.len() * tests.len() {
            return true;
        }
        let here = || here.map(|cell| cell.id()).collect::<Vec<CellId>>();
        count as u64 == record.cells
            && format!("{record}")
                .parse::<Partition>()
                .is_ok_and(|partition| partition.of(&here(), None).record.plan == plan)
    }
}
