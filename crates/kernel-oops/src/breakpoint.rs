//! Breakpoints that were run although they were no longer there.
//!
//! A kernel that replaces its own code puts a breakpoint (`int3`, byte `cc`) over an instruction meanwhile. QEMU before
//! 8.1 could run the translation of it after the kernel had taken it back, and had forgotten that it was its own (QEMU
//! commit deba78709a, "accel/tcg: Always lock pages before translation"). The report gives it away: it shows the code as
//! it is, without the breakpoint that it tells of.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// The breakpoint's opcode (Intel's manual, volume 2, INT3).
const INT3: &[u8] = b"cc";

/// Whether a report is of a breakpoint, and the code that it shows has none: the byte before the instruction pointer,
/// which stands in angle brackets.
pub fn breakpoint_was_taken_back(report: &[u8]) -> bool {
    static TRAP: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)\bint3: [0-9a-f]+ \[#\d+\]").expect("a pattern"));
    static CODE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"Code:(?: [0-9a-f]{2})* ([0-9a-f]{2}) <[0-9a-f]{2}>").expect("a pattern")
    });
    TRAP.is_match(report) && CODE.captures(report).is_some_and(|code| &code[1] != INT3)
}

#[cfg(test)]
mod tests {
    use super::breakpoint_was_taken_back;

    #[test]
    fn the_code_tells_whether_there_was_one() {
        let report = |trap: &str, code: &str| {
            format!(
                "[    3.13] {trap} [#1] PREEMPT SMP NOPTI\n[    3.13] RIP: 0010:f+0x9/0x1d0\n[    3.13] Code: {code}\n"
            )
        };
        let gone = "41 54 55 53 66 <90> e8 31 3d";
        let table = [
            ("Oops: int3: 0000", gone, true),
            ("int3: 0000", gone, true),
            // a breakpoint that is there, and nobody's
            ("Oops: int3: 0000", "41 54 55 53 cc <90> e8 31 3d", false),
            // nothing is known of the byte
            ("Oops: int3: 0000", "<90> e8 31 3d", false),
            ("Oops: int3: 0000", "Bad RIP value.", false),
            ("Oops: general protection fault: 0000", gone, false),
        ];
        for (trap, code, expected) in table {
            assert_eq!(breakpoint_was_taken_back(report(trap, code).as_bytes()), expected, "{trap} {code}");
        }
    }

    #[test]
    fn a_real_report_is_recognised() {
        let log = include_bytes!("../tests/golden/boot-dies-in-int3.log");
        let [report] = &crate::diagnose(log)[..] else { panic!("one report") };
        assert!(breakpoint_was_taken_back(&log[report.start..report.end]));
    }
}
