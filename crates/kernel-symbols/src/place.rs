//! Places in traces: `name+0xOFFSET/0xLENGTH [module]`.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

/// A place that a trace names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The function as the trace has it, without what a bot puts in front.
    pub function: String,
    /// Bytes from the start of the function.
    pub offset: u64,
    /// Bytes from the start of the function to the next symbol, as the kernel counted them.
    pub length: u64,
    /// The module it is in; `None` in the kernel itself.
    pub module: Option<String>,
    /// Whether it is an address to return to, which is behind the call: the call is what a reader wants to see. The
    /// instruction pointer (`RIP:`, `pc :`, `PC is at`) is none, and neither is what a fault names.
    pub returns: bool,
}

/// `sprint_symbol()` of kernel/kallsyms.c; a build id may follow the module's name (`%pSb`), and before 5.x a module can
/// have flags behind it.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?-u)([A-Za-z_$][A-Za-z0-9_.$]*)\+0x([0-9a-f]{1,8})/0x([0-9a-f]{1,8})(?: \[([A-Za-z0-9_-]+)(?: [0-9a-f]{8,40})?\])?",
    )
    .expect("the pattern is constant and tested")
});

/// What stands in a line before a place that is no address to return to.
static EXACT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)(?:[RE]?IP:|\bpc :|PC is at|\bepc :|\bera\s*:| at [^ ]+:[0-9]+)(?:\s|[0-9a-f]{4}:|\[<[0-9a-f]+>\])*$|NIP \[[0-9a-f]+\] $|Krnl PSW : [^(]*\($|\bepc\s*: [0-9a-f]+ $")
        .expect("the pattern is constant and tested")
});

/// The places that a line names, each with where it stands.
pub fn places(line: &[u8]) -> Vec<(Range<usize>, Place)> {
    if memchr::memmem::find(line, b"+0x").is_none() {
        return Vec::new();
    }
    FORM.captures_iter(line).filter_map(|found| place(line, &found)).collect()
}

fn place(line: &[u8], found: &Captures<'_>) -> Option<(Range<usize>, Place)> {
    let text = |group| found.get(group).and_then(|group| std::str::from_utf8(group.as_bytes()).ok());
    let number = |group| text(group).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let at = found.get(0)?.range();
    let place = Place {
        function: text(1)?.to_owned(),
        offset: number(2)?,
        length: number(3)?,
        module: text(4).map(str::to_owned),
        returns: !EXACT.is_match(&line[at.start.saturating_sub(120)..at.start]),
    };
    Some((at, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_lines_of_every_architecture() {
        let lines = [
            " ext4_map_blocks+0x12/0x340 [ext4]",
            " ? nf_hook.constprop.0+0x1/0x20 [nf_tables 0123456789abcdef0123456789abcdef01234567]",
            "RIP: 0010:vfs_read+0xa/0x30",
            "RIP: 0010:[<ffffffff81000010>]  [<ffffffff81000010>] vfs_read+0xa/0x30",
            "pc : el1_sync+0x4/0x8",
            "lr : el1_sync+0x4/0x8",
            "PC is at foo+0x1c/0x40",
            "LR is at foo+0x1c/0x40",
            "[<c0010b2c>] (unwind_backtrace) from [<c000d4f8>] (show_stack+0x10/0x14)",
            "NIP [c000000000041234] some_func+0x20/0x80",
            "LR [c000000000041234] some_func+0x20/0x80",
            "WARNING: CPU: 1 PID: 2 at fs/x.c:12 check+0x10/0x20 [x]",
            "BUG: KASAN: slab-use-after-free in user+0x10/0x20",
            "no place at all +0x/0x +0x12",
        ];
        let told: Vec<String> = lines
            .iter()
            .flat_map(|line| places(line.as_bytes()))
            .map(|(_, place)| {
                let sign = if place.returns { "return" } else { "exact" };
                let module = place.module.as_deref().unwrap_or("-");
                format!("{} {:#x} {:#x} {module} {sign}", place.function, place.offset, place.length)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        ext4_map_blocks 0x12 0x340 ext4 return
        nf_hook.constprop.0 0x1 0x20 nf_tables return
        vfs_read 0xa 0x30 - exact
        vfs_read 0xa 0x30 - exact
        el1_sync 0x4 0x8 - exact
        el1_sync 0x4 0x8 - return
        foo 0x1c 0x40 - exact
        foo 0x1c 0x40 - return
        show_stack 0x10 0x14 - return
        some_func 0x20 0x80 - exact
        some_func 0x20 0x80 - return
        check 0x10 0x20 x exact
        user 0x10 0x20 - return
        ");
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read(line in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for (at, _) in places(&line) {
                assert!(at.end <= line.len());
            }
        }
    }
}
