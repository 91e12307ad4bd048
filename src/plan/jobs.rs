//! The cells of a plan as jobs of a CI system, each of which is a `kregress run` of its own.

use serde::Serialize;

/// One job. What it runs is named by its kernels and its slice of their cells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// For people; unique among the jobs of a plan.
    pub name: String,
    /// Its kernels, for `-k`, joined by commas.
    pub kernels: String,
    /// Its share of their cells, for `--partition`.
    pub partition: String,
    /// How many cells that is; of a slice of several, at most one less.
    pub cells: usize,
}

/// Everything that these kernels have.
const WHOLE: &str = "slice:1/1";

/// A job for each kernel; at most `most`, which then have several kernels each, spread so that none has many more cells
/// than another. Kernels without a cell have no job.
pub fn by_kernel(cells: &[(String, usize)], most: usize) -> Vec<Job> {
    let mut cells: Vec<&(String, usize)> = cells.iter().filter(|(_, cells)| *cells > 0).collect();
    let jobs = most.clamp(1, cells.len().max(1));
    // the largest first, each to the job that has the least
    cells.sort_by_key(|(_, cells)| std::cmp::Reverse(*cells));
    let mut loads: Vec<(usize, Vec<&str>)> = vec![(0, Vec::new()); jobs];
    for (kernel, cells) in cells {
        let least = (0..jobs).min_by_key(|nth| (loads[*nth].0, loads[*nth].1.len()));
        let (load, kernels) = &mut loads[least.unwrap_or_default()];
        *load += cells;
        kernels.push(kernel);
    }
    loads.retain(|(_, kernels)| !kernels.is_empty());
    let job = |(cells, kernels): (usize, Vec<&str>)| Job {
        name: match kernels.as_slice() {
            [only] => (*only).to_owned(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        },
        kernels: kernels.join(","),
        partition: WHOLE.to_owned(),
        cells,
    };
    loads.into_iter().map(job).collect()
}

/// Equal slices of all cells of all kernels: at most `most`, and none without a cell.
pub fn by_slice(cells: &[(String, usize)], most: usize) -> Vec<Job> {
    let kernels: Vec<&str> =
        cells.iter().filter(|(_, cells)| *cells > 0).map(|(kernel, _)| &**kernel).collect();
    let all: usize = cells.iter().map(|(_, cells)| cells).sum();
    let jobs = most.clamp(1, all.max(1));
    let slice = |m: usize| Job {
        name: format!("{m} of {jobs}"),
        kernels: kernels.join(","),
        partition: format!("slice:{m}/{jobs}"),
        // it takes every cell whose number is m more than a multiple
        cells: (all + jobs - m) / jobs,
    };
    if all == 0 { Vec::new() } else { (1..=jobs).map(slice).collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slices_together_have_every_cell_once() {
        for (all, jobs) in [(5, 2), (5, 4), (4, 4), (1, 3), (39, 7)] {
            let counts: Vec<usize> = by_slice(&cells(&[all]), jobs).iter().map(|job| job.cells).collect();
            assert_eq!(counts.iter().sum::<usize>(), all, "{counts:?}");
        }
    }

    fn cells(counts: &[usize]) -> Vec<(String, usize)> {
        counts.iter().enumerate().map(|(nth, cells)| (format!("6.12.{nth}"), *cells)).collect()
    }

    #[test]
    fn kernels_become_jobs() {
        let names = |counts: &[usize], most| -> Vec<String> {
            by_kernel(&cells(counts), most)
                .into_iter()
                .map(|job| format!("{} {}", job.kernels, job.cells))
                .collect()
        };
        assert_eq!(names(&[3, 1], 256), ["6.12.0 3", "6.12.1 1"]);
        assert_eq!(names(&[3, 0, 1], 256), ["6.12.0 3", "6.12.2 1"]);
        assert_eq!(names(&[5, 1, 2, 2], 2), ["6.12.0 5", "6.12.2,6.12.3,6.12.1 5"]);
        assert_eq!(names(&[], 256), Vec::<String>::new());
        let jobs = by_kernel(&cells(&[1, 1, 1]), 1);
        assert_eq!((jobs[0].name.as_str(), jobs[0].partition.as_str()), ("6.12.0 and 2 more", "slice:1/1"));
    }

    #[test]
    fn slices_are_no_more_than_cells() {
        let slices: Vec<String> = by_slice(&cells(&[2, 1]), 8).into_iter().map(|job| job.partition).collect();
        assert_eq!(slices, ["slice:1/3", "slice:2/3", "slice:3/3"]);
        assert!(by_slice(&cells(&[0]), 8).is_empty());
    }

    proptest! {
        #[test]
        fn every_kernel_and_every_slice_is_in_exactly_one_job(
            counts in prop::collection::vec(0usize..50, 0..400),
            most in 1usize..300,
        ) {
            let cells = cells(&counts);
            let jobs = by_kernel(&cells, most);
            prop_assert!(jobs.len() <= most);
            let mut found: Vec<&str> = jobs.iter().flat_map(|job| job.kernels.split(',')).collect();
            found.sort_unstable();
            let mut wanted: Vec<&str> = cells.iter().filter(|(_, n)| *n > 0).map(|(name, _)| &**name).collect();
            wanted.sort_unstable();
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(jobs.iter().map(|job| job.cells).sum::<usize>(), counts.iter().sum::<usize>());
            let names: BTreeSet<&str> = jobs.iter().map(|job| &*job.name).collect();
            prop_assert_eq!(names.len(), jobs.len());
            let slices = by_slice(&cells, most);
            for (nth, job) in slices.iter().enumerate() {
                prop_assert_eq!(&job.partition, &format!("slice:{}/{}", nth + 1, slices.len()));
            }
            prop_assert!(slices.len() <= most && slices.is_empty() == (counts.iter().sum::<usize>() == 0));
        }
    }
}
