//! Candidates from kernels that are there: the packages of a line in the order of their versions, or a list.

use std::cmp::Ordering;

use crate::bisect::Find;
use crate::event::{BisectionSource, CandidateRecord};
use crate::kernel::{RequestedKernel, UnavailableKernel};

/// Kernels in order, the old end first.
#[derive(Clone, Debug)]
pub struct Series {
    /// The kernels.
    pub kernels: Vec<RequestedKernel>,
    /// Those between the ends that are unavailable.
    pub left_out: Vec<String>,
    /// Whether they are of several lines.
    pub several_lines: bool,
}

/// Ends between which nothing can be searched. The messages show the arguments that are meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// Both ends are the same.
    #[error(
        "--good {good} and --bad {bad} are the same kernel: there is nothing between them; `kregress run` judges one kernel"
    )]
    Same {
        /// The good end, as it was written.
        good: String,
        /// The bad end.
        bad: String,
    },
    /// The bad end is the older one, and the cause is looked for.
    #[error(
        "--bad {bad} comes before --good {good}: what brought the bug cannot be between them; add `--find fix` to find what removed it, or exchange the two"
    )]
    BadIsOlder {
        /// The good end.
        good: String,
        /// The bad end.
        bad: String,
    },
    /// The good end is the older one, and the fix is looked for.
    #[error(
        "--good {good} comes before --bad {bad}: what removed the bug cannot be between them; leave `--find fix` out to find what brought it, or exchange the two"
    )]
    GoodIsOlder {
        /// The good end.
        good: String,
        /// The bad end.
        bad: String,
    },
    /// The ends are of two architectures.
    #[error("--good {good} and --bad {bad} are of two architectures: no change lies between them")]
    Arches {
        /// The good end.
        good: String,
        /// The bad end.
        bad: String,
    },
    /// A kernel without a version has no place in a range.
    #[error(
        "{option} {name} has no version, so that nobody can say what lies between the ends; name the kernels in their order with --kernels"
    )]
    NoVersion {
        /// `--good` or `--bad`.
        option: &'static str,
        /// The kernel.
        name: String,
    },
    /// An end is not part of the list.
    #[error("{option} {name} is not among the kernels of --kernels: {listed}")]
    NotListed {
        /// `--good` or `--bad`.
        option: &'static str,
        /// The kernel.
        name: String,
        /// The kernels of the list.
        listed: String,
    },
    /// An end must be one kernel.
    #[error("{option} {asked} stands for {count} kernels, an end is one: {kernels}")]
    Several {
        /// `--good` or `--bad`.
        option: &'static str,
        /// What was written.
        asked: String,
        /// How many it stands for.
        count: usize,
        /// The first of them.
        kernels: String,
    },
}

impl Misuse {
    /// The two ends are in the order that does not fit what is looked for.
    pub fn order(find: Find, good: &str, bad: &str) -> Misuse {
        let (good, bad) = (good.to_owned(), bad.to_owned());
        match find {
            Find::Cause => Misuse::BadIsOlder { good, bad },
            Find::Fix => Misuse::GoodIsOlder { good, bad },
        }
    }
}

/// The old and the new end of a search.
fn ends(find: Find, good: RequestedKernel, bad: RequestedKernel) -> (RequestedKernel, RequestedKernel) {
    match find {
        Find::Cause => (good, bad),
        Find::Fix => (bad, good),
    }
}

impl Series {
    /// The kernels of `known` whose versions lie between the ends, and the ends themselves.
    ///
    /// # Errors
    /// The ends are none.
    pub fn between(
        find: Find,
        good: RequestedKernel,
        bad: RequestedKernel,
        known: Vec<RequestedKernel>,
        left_out: &[UnavailableKernel],
    ) -> Result<Series, Misuse> {
        let no_version =
            |option, wanted: &RequestedKernel| Misuse::NoVersion { option, name: wanted.name().to_owned() };
        let good_version = good.version().ok_or_else(|| no_version("--good", &good))?;
        let bad_version = bad.version().ok_or_else(|| no_version("--bad", &bad))?;
        let names = (good.name().to_owned(), bad.name().to_owned());
        let older = match find {
            Find::Cause => good_version.cmp(&bad_version),
            Find::Fix => bad_version.cmp(&good_version),
        };
        if good.arch() != bad.arch() {
            return Err(Misuse::Arches { good: names.0, bad: names.1 });
        }
        match older {
            _ if same(&good, &bad) => return Err(Misuse::Same { good: names.0, bad: names.1 }),
            Ordering::Greater => return Err(Misuse::order(find, &names.0, &names.1)),
            Ordering::Equal | Ordering::Less => {}
        }
        let (old, new) = ends(find, good, bad);
        let (first, last) = (old.version(), new.version());
        let upstream = |wanted: &RequestedKernel| wanted.version().map(|version| version.upstream());
        let inside = |wanted: &RequestedKernel| {
            let version = wanted.version();
            version > first && version < last && ![upstream(&old), upstream(&new)].contains(&upstream(wanted))
        };
        let mut kernels: Vec<RequestedKernel> = known.into_iter().filter(inside).collect();
        kernels.sort_by_key(RequestedKernel::version);
        kernels.insert(0, old);
        kernels.push(new);
        Ok(Series::of(kernels, left_out))
    }

    /// The kernels of a list, in its order, from one end to the other.
    ///
    /// # Errors
    /// The ends are none, or not in the list.
    pub fn listed(
        find: Find,
        good: RequestedKernel,
        bad: RequestedKernel,
        list: Vec<RequestedKernel>,
        left_out: &[UnavailableKernel],
    ) -> Result<Series, Misuse> {
        let place = |option: &'static str, end: &RequestedKernel| {
            list.iter().position(|wanted| same(wanted, end)).ok_or_else(|| Misuse::NotListed {
                option,
                name: end.name().to_owned(),
                listed: list.iter().map(RequestedKernel::name).collect::<Vec<_>>().join(", "),
            })
        };
        let (at_good, at_bad) = (place("--good", &good)?, place("--bad", &bad)?);
        let (first, last) = match find {
            Find::Cause => (at_good, at_bad),
            Find::Fix => (at_bad, at_good),
        };
        match first.cmp(&last) {
            Ordering::Less => Ok(Series::of(list[first..=last].to_vec(), left_out)),
            Ordering::Equal => Err(Misuse::Same { good: good.name().to_owned(), bad: bad.name().to_owned() }),
            Ordering::Greater => Err(Misuse::order(find, good.name(), bad.name())),
        }
    }

    fn of(kernels: Vec<RequestedKernel>, left_out: &[UnavailableKernel]) -> Series {
        let mut lines: Vec<_> = kernels.iter().filter_map(|kernel| kernel.version()?.line()).collect();
        lines.dedup();
        let left_out = left_out.iter().map(|out| format!("{}: {}", out.name, out.reason)).collect();
        Series { kernels, left_out, several_lines: lines.len() > 1 }
    }

    /// The list of candidates: each kernel after the one before it.
    pub fn candidates(&self) -> Vec<CandidateRecord> {
        let candidate = |(at, kernel): (usize, &RequestedKernel)| CandidateRecord {
            name: kernel.name().to_owned(),
            id: id_of(kernel),
            parents: at.checked_sub(1).into_iter().collect(),
            ..CandidateRecord::default()
        };
        self.kernels.iter().enumerate().map(candidate).collect()
    }

    /// What the record says of it.
    pub fn source(&self) -> BisectionSource {
        BisectionSource::Series { left_out: self.left_out.clone(), several_lines: self.several_lines }
    }
}

/// What a kernel is known by in other runs: a release, or the file of one that has no name.
pub fn id_of(kernel: &RequestedKernel) -> String {
    match (kernel.release(), kernel.flavour()) {
        (release, Some(_)) if !release.is_empty() => release.to_owned(),
        _ => kernel.spec(),
    }
}

fn same(a: &RequestedKernel, b: &RequestedKernel) -> bool {
    a.name() == b.name() && a.release() == b.release()
}
