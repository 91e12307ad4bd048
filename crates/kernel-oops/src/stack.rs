//! Finding the function to blame in the text of a report.

use regex::bytes::{Captures, Match};

use super::pattern::Pattern;
use super::rules::{Blame, Pick, Step};

/// What stands for the function when none is found.
pub(super) const NO_FRAME: &str = "corrupted";

/// The lines stack traces are made of.
#[derive(Debug)]
pub(super) struct TraceForm {
    /// Announce a trace; the flag tells whether a frame must follow.
    pub(super) starts: Vec<(Pattern, bool)>,
    /// Capture the function of a trace line.
    pub(super) lines: Vec<Pattern>,
    /// Belong to a trace that was printed in between.
    pub(super) breakers: Option<Pattern>,
    /// Capture the function at the instruction pointer.
    pub(super) pointer: Pattern,
    /// An instruction pointer where no code is, after a jump there.
    pub(super) nowhere: Pattern,
    /// Capture the function that jumped, on the line below it.
    pub(super) jumped: Pattern,
}

/// Which functions name a stall or a hang.
#[derive(Debug)]
pub(super) struct PickForm {
    /// Functions that are never to blame.
    pub(super) skip: Option<Pattern>,
    pub(super) stall_anchors: Option<Pattern>,
    pub(super) stall_names: Vec<(String, String)>,
    pub(super) hang_names: Vec<(String, String)>,
    pub(super) hang_skip: Option<Pattern>,
    pub(super) syscall_prefixes: Vec<String>,
}

/// A function that is blamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blamed {
    /// Under the name used for titles.
    pub(super) name: String,
    /// As the trace has it.
    pub(super) raw: String,
}

impl TraceForm {
    /// Whether the line announces a stack trace.
    pub(super) fn is_start(&self, line: &[u8]) -> bool {
        self.starts.iter().any(|(start, _)| start.is_match(line))
    }

    /// Whether the line is one of a stack trace.
    pub(super) fn is_frame(&self, line: &[u8]) -> bool {
        self.lines.iter().any(|form| form.is_match(line))
    }

    /// The functions a line names: those of a trace line, else the one at the instruction pointer. `is_first` tells whether
    /// it is the first frame of its trace.
    pub(super) fn functions<'t>(&self, line: &'t [u8], is_first: bool) -> Vec<&'t [u8]> {
        // trace lines with a source file only (`func file.c:12 [inline]`) and sentences have no offset
        if memchr::memmem::find(line, b"+0x").is_none() {
            return Vec::new();
        }
        let form = self.lines.iter().find_map(|form| form.captures(line));
        if let Some(found) = form {
            let groups = found.iter().skip(1).flatten();
            let named = groups.filter(|group| is_first || !is_behind_a_call(line, group));
            return named.map(|group| group.as_bytes()).collect();
        }
        let pointer = self.pointer.captures(line);
        pointer
            .iter()
            .flat_map(|found| found.iter().skip(1).flatten().map(|group| group.as_bytes()))
            .collect()
    }

    /// The functions that `blame` finds in `text`, one for each trace it walks, and whether all were found.
    pub(super) fn blame(&self, blame: &Blame, pick: &PickForm, text: &[u8]) -> (Vec<Blamed>, bool) {
        let mut found = self.follow(&blame.path, blame, pick, text);
        for path in [&blame.otherwise, &blame.last] {
            if found.1 || path.is_empty() {
                break;
            }
            found = self.follow(path, blame, pick, text);
        }
        found
    }

    fn follow(&self, path: &[Step], blame: &Blame, pick: &PickForm, text: &[u8]) -> (Vec<Blamed>, bool) {
        let mut lines = text.split(|byte| *byte == b'\n');
        let mut candidates: Vec<String> = Vec::new();
        let mut results = Vec::new();
        let mut complete = true;
        let mut walks = 0;
        let mut at = 0;
        loop {
            let step = path.get(at);
            if step.is_none() || matches!(step, Some(Step::Walk)) && walks > 0 {
                let found = pick.choose(blame.pick, &candidates);
                complete &= found.is_some();
                results.push(
                    found.unwrap_or_else(|| Blamed { name: NO_FRAME.to_owned(), raw: NO_FRAME.to_owned() }),
                );
                candidates.clear();
            }
            let Some(step) = step else { break };
            walks += usize::from(matches!(step, Step::Walk));
            let mut is_first = true;
            while let Some(line) = lines.next() {
                if self.breakers.as_ref().is_some_and(|breaker| breaker.is_match(line)) {
                    complete = false;
                    break;
                }
                if let Step::Line(wanted) = step {
                    if let Some(found) = wanted.captures(line) {
                        pick.collect(blame, &found, None, &mut candidates);
                        // a function that was not entered has no frame, and neither has its caller
                        let below = self.nowhere.is_match(line).then(|| lines.clone().next()).flatten();
                        if let Some(found) = below.and_then(|below| self.jumped.captures(below)) {
                            pick.collect(blame, &found, None, &mut candidates);
                        }
                        break;
                    }
                    continue;
                }
                if self.is_start(line) {
                    break;
                }
                if let Some(Step::Line(next)) = path.get(at + 1)
                    && let Some(found) = next.captures(line)
                {
                    pick.collect(blame, &found, None, &mut candidates);
                    at += 1;
                    break;
                }
                if let Some(found) = self.lines.iter().find_map(|form| form.captures(line)) {
                    pick.collect(blame, &found, (!is_first).then_some(line), &mut candidates);
                    is_first = false;
                }
            }
            at += 1;
        }
        (results, complete)
    }
}

/// Whether a line's function has the offset of an address behind a function that ends with a call which does not return.
/// What is named is the function after it: arm64, s390x and riscv64 print the address itself, and not, as x86 does, the
/// one before (`%pB`, the kernel's lib/kallsyms.c). Only the first frame may be no address to return to, and entry code
/// makes up such addresses for functions called `ret_…`. A length of 0 stands for that of a decoded trace, which has no
/// offsets. 32-bit ARM's `(callee) from [<address>] (function+0x0/0x78)` is left as syzkaller's titles have it.
fn is_behind_a_call(line: &[u8], function: &Match<'_>) -> bool {
    let behind = &line[function.end()..];
    let in_parentheses = line[..function.start()].ends_with(b"(");
    behind.starts_with(b"+0x0/")
        && !in_parentheses
        && !behind.starts_with(b"+0x0/0x0")
        && !function.as_bytes().starts_with(b"ret_")
}

/// A function's name as a reader knows it; names of Rust and C++ functions are mangled.
fn demangled(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    if let Ok(readable) = rustc_demangle::try_demangle(&name) {
        return format!("{readable:#}");
    }
    plain_cpp_name(&name).unwrap_or(&name).to_owned()
}

/// The name of a C++ function that is no member of anything: `_Z`, its length, the name, the types of its parameters.
fn plain_cpp_name(mangled: &str) -> Option<&str> {
    let rest = mangled.strip_prefix("_Z")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let length: usize = rest[..digits].parse().ok()?;
    rest.get(digits..digits + length)
}

impl PickForm {
    /// The name without the prefix that a system call macro put before it.
    fn strip<'n>(&self, name: &'n str) -> &'n str {
        let stripped = self.syscall_prefixes.iter().filter_map(|prefix| name.strip_prefix(prefix.as_str()));
        stripped.min_by_key(|rest| rest.len()).unwrap_or(name)
    }

    /// Takes the functions of a line, except those to step over. `returns_to` is the line where its addresses are ones to
    /// return to.
    fn collect(
        &self,
        blame: &Blame,
        found: &Captures<'_>,
        returns_to: Option<&[u8]>,
        candidates: &mut Vec<String>,
    ) {
        for group in found.iter().skip(1).flatten() {
            if returns_to.is_some_and(|line| is_behind_a_call(line, &group)) {
                continue;
            }
            let name = demangled(group.as_bytes());
            let skipped =
                |skip: &Option<Pattern>| skip.as_ref().is_some_and(|skip| skip.is_match(name.as_bytes()));
            if !skipped(&self.skip) && !skipped(&blame.skip) {
                candidates.push(name);
            }
        }
    }

    fn choose(&self, pick: Pick, candidates: &[String]) -> Option<Blamed> {
        let names: Vec<&str> = candidates.iter().map(|name| self.strip(name)).collect();
        let (name, at) = match pick {
            Pick::First => (*names.first()?, 0),
            Pick::Stall => self.stalled(&names)?,
            Pick::Hang => self.hung(&names)?,
        };
        (!name.is_empty()).then(|| Blamed { name: name.to_owned(), raw: candidates[at].clone() })
    }

    /// The function before the first anchor; a trace without an anchor is a fragment.
    fn stalled<'n>(&'n self, names: &[&'n str]) -> Option<(&'n str, usize)> {
        let anchors = self.stall_anchors.as_ref()?;
        let at = names.iter().position(|name| anchors.is_match(name.as_bytes()))?;
        if let Some((_, name)) = self.stall_names.iter().find(|(part, _)| names[at].contains(part.as_str())) {
            return Some((name, at));
        }
        let before = at.saturating_sub(1);
        Some((names[before], before))
    }

    /// A function that names a bug of its own, else the first one that does not merely wait.
    fn hung<'n>(&'n self, names: &[&'n str]) -> Option<(&'n str, usize)> {
        for (at, name) in names.iter().enumerate() {
            if let Some((_, title)) = self.hang_names.iter().find(|(part, _)| name.contains(part.as_str())) {
                return Some((if title.is_empty() { name } else { title }, at));
            }
        }
        let waits = |name: &str| self.hang_skip.as_ref().is_some_and(|skip| skip.is_match(name.as_bytes()));
        names.iter().position(|name| !waits(name)).map(|at| (names[at], at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mangled_names_become_readable() {
        let table = [
            ("vfs_read", "vfs_read"),
            ("_Z8fakeNameiii", "fakeName"),
            ("_Z99short", "_Z99short"),
            ("_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"),
        ];
        for (raw, readable) in table {
            assert_eq!(demangled(raw.as_bytes()), readable);
        }
    }
}
