//! Questions about what the program did and said.

use super::super::{Judgement, Verdict};
use super::{Evidence, blind, dosed};
use crate::observation::{Exit, Observation, ProgramReport, REPORT_WORDS};
use crate::suite::Ends;
use crate::yaml::word;

/// The exit code by which a program says that a need is not met (`suites/README.md`, as automake's).
const EXIT_SKIP: i32 = 77;

pub(super) fn step_failed(evidence: &Evidence<'_>) -> Option<Judgement> {
    blind(evidence.seen.setup_failure.as_ref()?.to_string())
}

pub(super) fn could_not_judge(evidence: &Evidence<'_>) -> Option<Judgement> {
    evidence.seen.program.reports.iter().find_map(|report| match report {
        ProgramReport::Skip(reason) => dosed(Verdict::Skip, reason),
        ProgramReport::Blind(reason) => blind(format!("the program could not judge: {reason}")),
        ProgramReport::Iterations(_)
        | ProgramReport::Symptom(_)
        | ProgramReport::Note(_)
        | ProgramReport::Unknown(_) => None,
    })
}

pub(super) fn exit(evidence: &Evidence<'_>) -> Option<Judgement> {
    let output = last_output(evidence.seen);
    if evidence.test.program.launch().ends == Ends::Never {
        return never_ran(evidence.seen, &output);
    }
    match evidence.seen.program.exit {
        Some(Exit::Code(0)) => None,
        // the reader said it all
        Some(Exit::Code(_)) if evidence.test.program.launch().output.reads_exit_code() => None,
        Some(Exit::Code(EXIT_SKIP)) => {
            dosed(Verdict::Skip, format!("the program skipped without a reason{output}"))
        }
        Some(exit @ Exit::Code(_)) if evidence.test.symptom.any_part(|traits| traits.is_exit_code) => {
            blind(format!("the program ended with {exit}, which means neither good nor bad{output}"))
        }
        Some(exit) => blind(format!("the program ended early with {exit}{output}")),
        None => blind("the program's end was not seen"),
    }
}

/// How a program ends that does not end by itself says nothing, unless it died before it could do anything, again and
/// again: it may lack something, and the kernel was never asked.
fn never_ran(seen: &Observation, output: &str) -> Option<Judgement> {
    let Some(runs) = &seen.program.runs else { return blind("the program's end was not seen") };
    if runs.died_us <= runs.worked_us {
        // the rest of the dose passed without it
        let stopped = runs.not_started.as_ref()?;
        return blind(format!(
            "after {} runs the program could not be started again: {stopped}{output}",
            runs.started
        ));
    }
    let last = runs.last.map_or_else(|| "nothing".to_owned(), |exit| exit.to_string());
    let times = match runs.started {
        1 => "it died at once".to_owned(),
        started => format!("in {} of {started} runs it died at once", runs.died),
    };
    let again = runs.not_started.as_ref();
    let again = again.map(|error| format!(", and could not be started again: {error}")).unwrap_or_default();
    blind(format!("the program never really ran: {times}, the last time with {last}{again}{output}"))
}

pub(super) fn unknown_line(evidence: &Evidence<'_>) -> Option<Judgement> {
    let line = evidence.seen.program.reports.iter().find_map(|report| match report {
        ProgramReport::Unknown(line) => Some(line.as_str()),
        _ => None,
    })?;
    let word = line.split_whitespace().next().unwrap_or_default();
    let hint = match REPORT_WORDS.contains(&word) {
        true => format!("; `{word}` takes one whole number from 0 on"),
        false => {
            let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
            match word::meant(&plain, REPORT_WORDS) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None => format!("; a line begins with one of {}", REPORT_WORDS.join(", ")),
            }
        }
    };
    let quoted: String = line.chars().take(200).collect();
    blind(format!("the program wrote a line that is no report, `{quoted}`{hint}"))
}

pub(super) fn unknown_symptom(evidence: &Evidence<'_>) -> Option<Judgement> {
    let text = evidence.seen.program.reports.iter().find_map(|report| match report {
        ProgramReport::Symptom(text) => Some(text),
        _ => None,
    })?;
    blind(format!("the program reported a symptom that the suite does not describe: {text}"))
}

pub(super) fn reported_too_much(evidence: &Evidence<'_>) -> Option<Judgement> {
    match evidence.seen.program.reports_left_out {
        0 => None,
        lines => blind(format!(
            "the program reported too much: {lines} lines are missing, a symptom may be among them"
        )),
    }
}

fn last_output(seen: &Observation) -> String {
    let line = seen.program.output.lines().map(str::trim).rfind(|l| !l.is_empty());
    line.map(|l| format!(": {}", l.chars().take(200).collect::<String>())).unwrap_or_default()
}
