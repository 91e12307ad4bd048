//! Whether the attempts of a cell that came out `other` crashed alike.

use crate::oops::{Report, distinct};
use crate::suite::SortedReports;
use crate::verdict::{Judgement, Verdict};

/// The crash reports that made attempts `other`, one an attempt.
#[derive(Debug, Default)]
pub struct OtherCrashes {
    reports: Vec<Report>,
}

impl OtherCrashes {
    /// Takes in the next attempt.
    pub fn take(&mut self, judgement: &Judgement, sorted: &SortedReports) {
        let denied = sorted.denied.iter().map(|(line, _)| line);
        let titled = |report: &&Report| judgement.title.as_ref() == Some(&report.title);
        if judgement.verdict == Verdict::Other {
            self.reports.extend(sorted.reports.iter().chain(denied).find(titled).cloned());
        }
    }

    /// What the attempts have in common, where there is more than one: a sentence, or nothing.
    pub fn describe(&self) -> Vec<String> {
        let groups = distinct(&self.reports);
        match groups.as_slice() {
            [] => Vec::new(),
            [group] if group.len() == 1 => Vec::new(),
            [group] => vec![format!("{} attempts crashed alike", group.len())],
            groups => {
                let ways: Vec<String> =
                    groups.iter().map(|group| format!("{} × {}", group.len(), group[0].title)).collect();
                let attempts = self.reports.len();
                vec![format!("{attempts} attempts crashed in {} ways: {}", ways.len(), ways.join(", "))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oops::diagnose;

    fn crash(function: &str) -> SortedReports {
        let console = format!(
            "[    1.0] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP\n\
             [    1.0] RIP: 0010:{function}+0x46/0x210\n[    1.0] Call Trace:\n[    1.0]  {function}_caller+0x8d/0x1a0\n\
             [    1.0]  vfs_ioctl+0x8d/0x1a0\n[    1.0]  do_syscall_64+0x1/0x2\n"
        );
        SortedReports { reports: diagnose(console.as_bytes()), ..SortedReports::default() }
    }

    fn told(functions: &[&str]) -> String {
        let mut others = OtherCrashes::default();
        for function in functions {
            let sorted = crash(function);
            let title = sorted.reports.first().map(|report| report.title.clone());
            let judged = Judgement { verdict: Verdict::Other, title, reason: None, dosed: true };
            others.take(&judged, &sorted);
        }
        others.describe().join("; ")
    }

    #[test]
    fn crashes_of_several_attempts_are_compared() {
        let lines = [told(&[]), told(&["a"]), told(&["a", "a"]), told(&["a", "b", "a"])];
        insta::assert_snapshot!(lines.join("\n"), @r"


        2 attempts crashed alike
        3 attempts crashed in 2 ways: 2 × general protection fault in a, 1 × general protection fault in b
        ");
    }
}
