//! What an attempt is worth whose agent was not heard whole.

use crate::observation::{Observation, SetupFailure};

/// A symptom may have been in frames that were not heard: without one that was, such an attempt proves nothing.
pub(super) fn note_missing(seen: &mut Observation, frames: u64) {
    if frames > 0 && seen.setup_failure.is_none() {
        seen.setup_failure = Some(SetupFailure::Channel { frames });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::sim;
    use crate::observation::ProgramReport;
    use crate::suite::Test;
    use crate::verdict::{Verdict, judge};

    #[test]
    fn what_was_not_heard_makes_no_verdict_good_and_no_symptom_less_bad() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("s.yaml");
        let text = "suite: s\nsummary: s\ntests:\n- name: a\n  summary: a\n  program: {shell: 'true'}\n  symptom: {reported: {matching: boom}}\n";
        std::fs::write(&path, text).expect("a file");
        let test: &Test = &crate::suite::load_file(&path).expect("a suite").tests[0];
        let verdict = |frames: u64, reports: &[ProgramReport]| {
            let mut seen = sim::whole_dose(&sim::kernel("6.1"), test);
            seen.program.reports.extend(reports.iter().cloned());
            note_missing(&mut seen, frames);
            let judgement = judge(test, &seen, &[]);
            (judgement.verdict, judgement.reason.unwrap_or_default())
        };
        let boom = [ProgramReport::Symptom("boom".into())];
        assert_eq!(verdict(0, &[]).0, Verdict::Good);
        let why =
            "one frame between host and agent was lost or not the agent's, and what was in it is not known";
        assert_eq!(verdict(1, &[]), (Verdict::Blind, why.into()));
        assert_eq!(verdict(1, &boom).0, Verdict::Bad);
    }
}
