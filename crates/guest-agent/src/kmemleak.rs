//! The kernel's own leak detector (kernel documentation `dev-tools/kmemleak`): what no pointer leads to any more.
//!
//! A scan takes an object for leaked when it is older than five seconds, nothing points to it, and its contents are
//! those of the scan before (`mm/kmemleak.c`). So there is a scan at once, for the contents, and the next ones after that
//! time. A pointer may be hidden from one scan (in a register, in flight), so an object counts when two readings with a
//! scan between them have it.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::time::Duration;

use guest_protocol::probe::LeakedObjects;

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// `MSECS_MIN_AGE` of the kernel, and a little more.
const MIN_AGE: Duration = Duration::from_millis(5_500);

/// Scans in a row that must agree before a kernel reports an object, where it has that parameter.
const SCANS: &str = "/sys/module/kmemleak/parameters/min_unref_scans";

/// The most objects that are read. A leak that shows in thousands of objects shows in the first of them.
const MOST_OBJECTS: usize = 2_000;

/// The most different origins that are reported.
const MOST_ORIGINS: usize = 32;

/// What the detector is reached by.
pub(super) trait Access {
    /// Writes a command.
    fn command(&mut self, command: &str) -> io::Result<()>;
    /// Opens the list of objects.
    fn list(&mut self) -> io::Result<Box<dyn BufRead>>;
    /// The kernel's clock in ticks, as the list has it; absent: it is not available.
    fn ticks(&mut self) -> Option<u64>;
    /// How many scans it takes until an object is in the list.
    fn scans(&mut self) -> u32;
    /// Lets time pass.
    fn wait(&mut self, time: Duration);
}

/// What was leaked during the dose.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leaked {
    pub origins: Vec<LeakedObjects>,
    pub objects: u64,
    /// Whether there were more objects or origins than are reported.
    pub cut: bool,
}

/// The detector between its two readings.
#[derive(Debug)]
pub(super) struct Kmemleak<A> {
    access: A,
    /// When the dose began, in ticks: what is older is not the dose's.
    since: Option<u64>,
}

impl<A: Access> Kmemleak<A> {
    /// Forgets what was leaked so far.
    ///
    /// # Errors
    /// The detector is not there or does not work, in words.
    pub fn start(mut access: A) -> Result<Kmemleak<A>, String> {
        // a detector that is switched off takes `clear` for something else, and refuses a scan
        for command in ["scan", "clear"] {
            access.command(command).map_err(|e| explain(&e))?;
        }
        let since = access.ticks();
        Ok(Kmemleak { access, since })
    }

    /// What was leaked since, and is confirmed.
    ///
    /// # Errors
    /// As [`Kmemleak::start`]: it may have been disabled meanwhile, when it ran out of memory.
    pub fn finish(&mut self) -> Result<Leaked, String> {
        self.scan()?;
        self.access.wait(MIN_AGE);
        for _ in 0..self.access.scans() {
            self.scan()?;
        }
        let (first, first_cut) = self.read()?;
        if first.is_empty() {
            return Ok(Leaked { cut: first_cut, ..Leaked::default() });
        }
        self.scan()?;
        let (second, second_cut) = self.read()?;
        let still: HashSet<u64> = second.iter().map(|object| object.address).collect();
        let confirmed = first.into_iter().filter(|object| still.contains(&object.address));
        let mut leaked = group(confirmed);
        leaked.cut |= first_cut || second_cut;
        Ok(leaked)
    }

    fn scan(&mut self) -> Result<(), String> {
        self.access.command("scan").map_err(|e| explain(&e))
    }

    /// The objects that were allocated since the start; whether some were left out.
    fn read(&mut self) -> Result<(Vec<Object>, bool), String> {
        let list = self.access.list().map_err(|e| explain(&e))?;
        let since = self.since.unwrap_or(0);
        let mut objects = Vec::new();
        for object in Objects::of(list) {
            let object = object.map_err(|e| explain(&e))?;
            if object.ticks.is_some_and(|ticks| ticks < since) {
                continue;
            }
            if objects.len() == MOST_OBJECTS {
                return Ok((objects, true));
            }
            objects.push(object);
        }
        Ok((objects, false))
    }
}

fn explain(error: &io::Error) -> String {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) => {
            format!("there is no {FILE}; the kernel was built without CONFIG_DEBUG_KMEMLEAK")
        }
        Some(rustix::io::Errno::PERM | rustix::io::Errno::BUSY) => {
            "the detector is disabled: it was switched \
            off at boot (kmemleak=on on the kernel's command line switches it on), or it ran out of memory"
                .to_owned()
        }
        _ => format!("{FILE}: {error}"),
    }
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Object {
    address: u64,
    bytes: u64,
    comm: String,
    ticks: Option<u64>,
    stack: Vec<String>,
}

/// Reads the list entry by entry. Format: `print_unreferenced()` of `mm/kmemleak.c`, whose lines have changed over time:
///
/// ```text
/// unreferenced object 0xffff8880093bf7a0 (size 32):
///   comm "swapper/0", pid 1, jiffies 4294877529 (age 12.3s)
///   hex dump (first 32 bytes):
///     9d 18 86 16 f6 38 52 fe 86 91 5b b8 40 b4 a8 86  .....8R...[.@...
///   backtrace (crc 8ba12f3b):
///     [<00000000197aa008>] kmemleak_alloc+0x8d/0xa0
/// ```
struct Objects<R> {
    lines: io::Lines<R>,
    /// The entry whose lines are being read.
    open: Option<Object>,
    in_stack: bool,
}

impl<R: BufRead> Objects<R> {
    fn of(list: R) -> Objects<R> {
        Objects { lines: list.lines(), open: None, in_stack: false }
    }

    fn take(&mut self, line: &str) {
        let Some(object) = &mut self.open else { return };
        let text = line.trim();
        if let Some(rest) = text.strip_prefix("comm \"") {
            let (comm, rest) = rest.rsplit_once("\", pid ").unwrap_or((rest, ""));
            comm.clone_into(&mut object.comm);
            object.ticks = rest
                .split_once("jiffies ")
                .and_then(|(_, n)| n.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        } else if text.starts_with("backtrace") && text.ends_with(':') {
            self.in_stack = true;
        } else if self.in_stack {
            // `[<address>] function+0x1/0x2 [module]`, later kernels leave the address out
            let text = text.split_once(">] ").map_or(text, |(_, rest)| rest);
            let function = text.split(['+', ' ']).next().unwrap_or(text);
            object.stack.push(function.to_owned());
        }
    }
}

impl<R: BufRead> Iterator for Objects<R> {
    type Item = io::Result<Object>;

    fn next(&mut self) -> Option<io::Result<Object>> {
        loop {
            let line = match self.lines.next() {
                Some(Ok(line)) => line,
                Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => continue,
                Some(Err(error)) => return Some(Err(error)),
                None => return self.open.take().map(Ok),
            };
            let Some(next) = header(&line) else {
                self.take(&line);
                continue;
            };
            self.in_stack = false;
            if let Some(object) = self.open.replace(next) {
                return Some(Ok(object));
            }
        }
    }
}

/// Reads the first line of an entry.
fn header(line: &str) -> Option<Object> {
    let rest = line.strip_prefix("unreferenced object ")?;
    let (_, rest) = rest.split_once("0x")?;
    let (address, rest) = rest.split_once(" (size ")?;
    let bytes = rest.strip_suffix("):")?.parse().ok()?;
    let address = u64::from_str_radix(address, 16).ok()?;
    Some(Object { address, bytes, comm: String::new(), ticks: None, stack: Vec::new() })
}

/// Puts objects of one origin together, most first.
fn group(objects: impl Iterator<Item = Object>) -> Leaked {
    let mut leaked = Leaked::default();
    for object in objects {
        leaked.objects += 1;
        let same = |origin: &LeakedObjects| origin.stack == object.stack && origin.comm == object.comm;
        if let Some(origin) = leaked.origins.iter_mut().find(|origin| same(origin)) {
            origin.objects += 1;
            origin.bytes += object.bytes;
        } else if leaked.origins.len() == MOST_ORIGINS {
            leaked.cut = true;
        } else {
            let Object { bytes, comm, stack, .. } = object;
            leaked.origins.push(LeakedObjects { objects: 1, bytes, comm, stack });
        }
    }
    leaked.origins.sort_by_key(|origin| std::cmp::Reverse(origin.objects));
    leaked
}

/// The running kernel's detector. Its file is open before the program runs: nothing that is mounted over it is read in
/// its place.
#[derive(Debug)]
pub(super) struct Debugfs(File);

impl Debugfs {
    /// Opens the file.
    ///
    /// # Errors
    /// It is not there or cannot be used, in words.
    pub fn open() -> Result<Debugfs, String> {
        let file = OpenOptions::new().read(true).write(true).open(FILE);
        file.map(Debugfs).map_err(|error| explain(&error))
    }
}

impl Access for Debugfs {
    fn command(&mut self, command: &str) -> io::Result<()> {
        self.0.write_all(command.as_bytes())
    }

    fn list(&mut self) -> io::Result<Box<dyn BufRead>> {
        // where it is read from the beginning the kernel makes the list anew
        self.0.rewind()?;
        Ok(Box::new(BufReader::new(self.0.try_clone()?)))
    }

    /// From `/proc/timer_list`, which has the clock that the objects are stamped with.
    fn ticks(&mut self) -> Option<u64> {
        let text = fs::read_to_string("/proc/timer_list").ok()?;
        let clocks =
            text.lines().filter_map(|line| line.trim().strip_prefix("jiffies: ")?.trim().parse().ok());
        clocks.max()
    }

    fn scans(&mut self) -> u32 {
        let set = fs::read_to_string(SCANS).ok().and_then(|text| text.trim().parse().ok());
        set.unwrap_or(1).clamp(1, 10)
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

#[cfg(test)]
#[path = "kmemleak/tests.rs"]
mod tests;
