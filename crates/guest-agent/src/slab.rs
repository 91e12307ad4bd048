//! Active objects of slab caches around the dose, from `/proc/slabinfo` (`slabinfo(5)`) and `/sys/kernel/slab` (kernel
//! documentation `ABI/testing/sysfs-kernel-slab`).

mod glob;
mod sizes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{Dir, Mode, OFlags, open, openat, readlinkat};

use self::sizes::Sizes;
use super::grace::grace_periods;
use guest_protocol::slab::{SlabCaches, SlabRow, SlabRows};

/// How long a kernel may keep back what was given to `kfree_rcu()`: `KFREE_DRAIN_JIFFIES` of `kernel/rcu/tree.c`, which is
/// five seconds from 6.1 to 6.18 for up to some five hundred objects a processor, and a grace period; more than these are
/// freed at once. Before it was a fiftieth of a second; since 7.0 they go through the caches' own sheaves.
const FREED_LATE: Duration = Duration::from_secs(6);

/// A reading that still falls is taken again, so often at most.
const READINGS: u32 = 3;

/// What the caches are reached by.
pub(super) trait Access {
    /// The text of `/proc/slabinfo`.
    fn slabinfo(&mut self) -> io::Result<String>;
    /// The names of all caches, each with the cache that it was merged into; empty where the kernel does not say.
    fn names(&mut self) -> Vec<(String, Option<String>)>;
    /// Gives the free objects of a cache's partial slabs back, so that they are not counted as active.
    fn shrink(&mut self, name: &str);
    /// Lets this time pass since the program's end, and what waits for grace periods of RCU happen.
    fn settle(&mut self, time: Duration);
}

/// The kernel's own, opened before the program runs: nothing that it mounts over them is read in their place.
#[derive(Debug)]
pub(super) struct Kernel {
    slabinfo: io::Result<File>,
    /// `/sys/kernel/slab`; absent: the kernel has none.
    caches: Option<OwnedFd>,
    /// When the program ended.
    over: Option<Instant>,
}

impl Kernel {
    pub fn open() -> Kernel {
        let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Kernel {
            slabinfo: File::open("/proc/slabinfo"),
            caches: open("/sys/kernel/slab", directory, Mode::empty()).ok(),
            over: None,
        }
    }
}

impl Access for Kernel {
    fn slabinfo(&mut self) -> io::Result<String> {
        let file = self.slabinfo.as_mut().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
        let mut text = String::new();
        // the kernel makes the text anew where it is read from the beginning
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Ok(text)
    }

    fn names(&mut self) -> Vec<(String, Option<String>)> {
        let Some(caches) = &self.caches else { return Vec::new() };
        let entries = Dir::read_from(caches).into_iter().flatten().flatten();
        let entries = entries.filter(|entry| !entry.file_name().to_bytes().starts_with(b"."));
        entries
            .map(|entry| {
                let target = readlinkat(caches, entry.file_name(), Vec::new()).ok();
                let target = target.map(|path| {
                    let path = path.to_string_lossy().into_owned();
                    path.rsplit('/').next().unwrap_or(&path).to_owned()
                });
                (entry.file_name().to_string_lossy().into_owned(), target)
            })
            .collect()
    }

    fn shrink(&mut self, name: &str) {
        let Some(caches) = &self.caches else { return };
        let opened =
            openat(caches, format!("{name}/shrink"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        let _ = opened.map(|file| File::from(file).write_all(b"1"));
    }

    fn settle(&mut self, time: Duration) {
        let since = *self.over.get_or_insert_with(Instant::now);
        std::thread::sleep((since + time).saturating_duration_since(Instant::now()));
        grace_periods();
    }
}

/// The caches between their two readings.
pub(super) struct Slab<A> {
    access: A,
    caches: SlabCaches,
    before: BTreeMap<String, i64>,
}

impl Slab<Kernel> {
    /// The program ended then: what it had freed is kept back from that moment on.
    pub fn dose_is_over(&mut self, over: Instant) {
        self.access.over = Some(over);
    }
}

/// The rows of one reading: those that are counted, and the others of the same size.
struct Reading {
    counted: BTreeMap<String, i64>,
    siblings: BTreeMap<String, i64>,
}

impl<A: Access> Slab<A> {
    /// Reads before the dose; the second part of the answer is the sum.
    ///
    /// # Errors
    /// There is nothing to count, in words.
    pub fn start(mut access: A, caches: &SlabCaches) -> Result<(Slab<A>, i64), String> {
        let reading = read(&mut access, caches)?;
        let sum = reading.counted.values().sum();
        let before = reading.counted.into_iter().chain(reading.siblings).collect();
        Ok((Slab { access, caches: caches.clone(), before }, sum))
    }

    /// Reads after the dose. A growth from `doubtful` objects on is read again after the time in which the kernel frees what
    /// it keeps back, and what stayed is the answer.
    ///
    /// # Errors
    /// As [`Slab::start`].
    pub fn finish(&mut self, doubtful: f64) -> Result<(i64, SlabRows), String> {
        let mut rows = SlabRows::default();
        let mut reading = read(&mut self.access, &self.caches)?;
        for nth in 1..=READINGS {
            let grown = self.largest_growth(&reading);
            if (grown as f64) < doubtful {
                break;
            }
            rows.first_after.get_or_insert_with(|| reading.counted.values().sum());
            self.access.settle(FREED_LATE * nth);
            reading = read(&mut self.access, &self.caches)?;
            // what did not fall by a tenth stays
            if (self.largest_growth(&reading) as f64) > 0.9 * grown as f64 {
                break;
            }
        }
        rows.counted = self.changes(&reading.counted, |grew| grew != 0);
        rows.siblings = self.changes(&reading.siblings, |grew| grew as f64 >= doubtful);
        let names = self.access.names();
        rows.merged = merged(&names, &reading.counted);
        if let SlabCaches::Named(glob) = &self.caches {
            rows.without_row = without_row(&names, glob, &reading.counted);
        }
        Ok((reading.counted.values().sum(), rows))
    }

    /// By how much the counted caches grew, or one of the others.
    fn largest_growth(&self, reading: &Reading) -> i64 {
        let growth = |(name, objects): (&String, &i64)| objects - self.before.get(name).unwrap_or(&0);
        let counted = reading.counted.iter().map(growth).sum();
        reading.siblings.iter().map(growth).fold(counted, i64::max)
    }

    fn changes(&self, rows: &BTreeMap<String, i64>, tell: impl Fn(i64) -> bool) -> Vec<SlabRow> {
        let grew = |(name, objects): (&String, &i64)| SlabRow {
            name: name.clone(),
            grew: objects - self.before.get(name).unwrap_or(&0),
        };
        let mut rows: Vec<SlabRow> = rows.iter().map(grew).filter(|row| tell(row.grew)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.grew));
        rows.truncate(SlabRows::MOST);
        rows
    }
}

fn read(access: &mut impl Access, caches: &SlabCaches) -> Result<Reading, String> {
    let text = |access: &mut dyn Access| access.slabinfo().map_err(|e| format!("/proc/slabinfo: {e}"));
    let rows = rows(&text(access)?);
    let sizes = Sizes::of(rows.keys().map(String::as_str));
    let counted: BTreeSet<&str> = match caches {
        SlabCaches::Size(bytes) => sizes.serving(*bytes)?.collect(),
        SlabCaches::Named(glob) => {
            rows.keys().map(String::as_str).filter(|name| glob::fits(glob, name)).collect()
        }
    };
    if counted.is_empty() {
        return Err(match caches {
            SlabCaches::Named(glob) => not_there(glob, &access.names(), &rows),
            SlabCaches::Size(bytes) => format!("no general-purpose slab cache serves {bytes} bytes"),
        });
    }
    let siblings: BTreeSet<&str> =
        counted.iter().flat_map(|name| sizes.siblings(name)).filter(|name| !counted.contains(name)).collect();
    counted.iter().chain(&siblings).for_each(|name| access.shrink(name));
    let fresh = self::rows(&text(access)?);
    let of = |names: BTreeSet<&str>| {
        names.into_iter().filter_map(|name| Some((name.to_owned(), *fresh.get(name)?))).collect()
    };
    Ok(Reading { counted: of(counted), siblings: of(siblings) })
}

/// Names and active objects, the first two columns. Two caches of one name are one here.
fn rows(slabinfo: &str) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    for line in slabinfo.lines() {
        let mut columns = line.split_whitespace();
        let (Some(name), Some(Ok(active))) = (columns.next(), columns.next().map(str::parse::<i64>)) else {
            continue;
        };
        *rows.entry(name.to_owned()).or_default() += active;
    }
    rows
}

/// Other caches that are counted in these rows.
fn merged(names: &[(String, Option<String>)], counted: &BTreeMap<String, i64>) -> Vec<String> {
    let into: BTreeSet<&String> = names
        .iter()
        .filter(|(name, _)| counted.contains_key(name))
        .filter_map(|(_, target)| target.as_ref())
        .collect();
    let others = names.iter().filter(|(name, target)| {
        !counted.contains_key(name) && target.as_ref().is_some_and(|target| into.contains(target))
    });
    bounded(others.map(|(name, _)| name.clone()))
}

/// Caches that the glob fits and whose objects are in none of these rows.
fn without_row(
    names: &[(String, Option<String>)],
    glob: &str,
    counted: &BTreeMap<String, i64>,
) -> Vec<String> {
    let with_row =
        |into: &Option<String>| names.iter().any(|(name, of)| of == into && counted.contains_key(name));
    let missing =
        names.iter().filter(|(name, into)| into.is_some() && glob::fits(glob, name) && !with_row(into));
    bounded(missing.map(|(name, _)| name.clone()))
}

fn bounded(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.truncate(SlabRows::MOST);
    names
}

/// Why no row fits the glob.
fn not_there(glob: &str, names: &[(String, Option<String>)], rows: &BTreeMap<String, i64>) -> String {
    let merged = without_row(names, glob, &BTreeMap::new());
    let Some(first) = merged.first() else { return format!("no slab cache named {glob} in /proc/slabinfo") };
    let target = names.iter().find(|(name, _)| name == first).and_then(|(_, target)| target.as_ref());
    let row = names.iter().find(|(name, into)| into.as_ref() == target && rows.contains_key(name));
    let under = row.map_or(String::new(), |(name, _)| format!(" under the name {name}"));
    format!(
        "the kernel merged {} with other caches{under}, so that their objects are not counted alone; slab_nomerge on the \
         kernel's command line (machine: {{cmdline: [slab_nomerge]}}) keeps them apart",
        merged.join(", ")
    )
}

#[cfg(test)]
mod tests;
