//! What the stacks and the reports of an attempt say about the cause, beyond its title: for the reader, never for the
//! verdict.

use crate::hang;
use crate::observation::Observation;
use crate::oops::Report;
use crate::poison;
use crate::verdict::{Judgement, Verdict};

/// One sentence for each thing that was found out.
pub fn of(judgement: &Judgement, seen: &Observation, reports: &[Report]) -> Vec<String> {
    if matches!(judgement.verdict, Verdict::Good | Verdict::Skip) {
        return Vec::new();
    }
    let console = &seen.console.text;
    // a console without any word of a blocked task has none to tell of
    let hangs = !seen.blocked.is_empty() || memchr::memmem::find(console, b"blocked").is_some();
    let deadlock = hangs.then(|| hang::deadlock(console, &seen.blocked)).flatten();
    let decided =
        reports.iter().find(|r| judgement.title.as_ref().is_some_and(|t| r.titles().any(|u| u == t)));
    let poison = decided.and_then(|report| {
        let text = console.get(report.start..report.end.min(console.len()))?;
        poison::find(&String::from_utf8_lossy(text))
    });
    deadlock.map(|d| d.to_string()).into_iter().chain(poison.map(|p| p.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{BlockedTask, Console};
    use crate::oops;

    const CRASH: &str = "\
[    8.025028] Oops: general protection fault, probably for non-canonical address 0x6b6b6b6b6b6b6b9b: 0000 [#1] SMP NOPTI
[    8.025100] CPU: 1 UID: 0 PID: 120 Comm: program Not tainted 7.2.13+deb14-amd64 #1 PREEMPT(lazy)
[    8.026000] RIP: 0010:pci_stop_bus_device+0x2a/0xa0
[    8.027299] RAX: 0000000000000000 RBX: 6b6b6b6b6b6b6b6b RCX: ce4ff13dab86d1d7
[    8.028000] Call Trace:
[    8.028100]  <TASK>
[    8.028200]  pci_stop_and_remove_bus_device_locked+0x1a/0x30
[    8.028300]  remove_store+0x83/0xa0
[    8.028400]  </TASK>
[    8.028500] ---[ end trace 0000000000000000 ]---
";

    fn judged(verdict: Verdict, title: Option<String>) -> Judgement {
        Judgement { verdict, title, reason: None, dosed: true }
    }

    fn seen(console: &str, blocked: Vec<BlockedTask>) -> Observation {
        let console = Console { text: console.as_bytes().to_vec(), ..Console::default() };
        Observation { console, blocked, ..Observation::not_started("") }
    }

    #[test]
    fn poison_is_told_of_the_report_that_decided() {
        let seen = seen(CRASH, Vec::new());
        let reports = oops::diagnose(&seen.console.text);
        let title = Some(reports[0].title.clone());
        let mut bad = judged(Verdict::Bad, title);
        let findings = of(&bad, &seen, &reports);
        bad.explain(&findings);
        insta::assert_snapshot!(bad.reason.unwrap(), @"use-after-free: the address 6b6b6b6b6b6b6b9b is made of POISON_FREE");
        assert_eq!(of(&judged(Verdict::Bad, Some("another".into())), &seen, &reports), Vec::<String>::new());
        assert_eq!(of(&judged(Verdict::Good, None), &seen, &reports), Vec::<String>::new());
    }

    #[test]
    fn a_deadlock_is_told_of_tasks_that_the_agent_saw() {
        let stack = ["sriov_disable", "igb_remove", "pci_stop_and_remove_bus_device_locked", "remove_store"];
        let task = BlockedTask { pid: 137, comm: "program".into(), stack: stack.map(str::to_owned).to_vec() };
        let mut blind = judged(Verdict::Blind, None);
        blind.reason = Some("the program did not end within 60 s".into());
        let findings = of(&blind, &seen("", vec![task]), &[]);
        blind.explain(&findings);
        insta::assert_snapshot!(blind.reason.unwrap(), @"the program did not end within 60 s; deadlock by the stacks: program:137 waits in sriov_disable for pci_rescan_remove_lock, held by itself");
    }

    #[test]
    fn nothing_found_leaves_the_reason_as_it_was() {
        let mut lost = judged(Verdict::Lost, None);
        lost.explain(&of(&lost, &seen("[ 1.0] task blocked\n", Vec::new()), &[]));
        assert_eq!(lost.reason, None);
    }
}
