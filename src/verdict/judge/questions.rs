//! What is asked of the evidence, in this order: the first question with an answer decides, and where none has one the
//! attempt is `good`. `ARCHITECTURE.md` has the same table for people; a test compares them.

mod before;
mod console;
mod crashes;
mod dose;
mod ending;
mod kernel;
mod memory;
mod program;

pub(super) use crashes::is_defect;
pub(super) use memory::is_exhaustion;

use super::evidence::Evidence;
use super::{Judgement, Verdict};
use crate::observation::Observation;
use Verdict::{Bad, Blind, Lost, Other, Skip};

/// One question.
pub(super) struct Question {
    /// The question in words, as in `ARCHITECTURE.md`.
    pub text: &'static str,
    /// When it is asked.
    pub stage: Stage,
    /// The verdicts that it can give.
    pub verdicts: &'static [Verdict],
    /// Answers it, or passes on.
    pub ask: fn(&Evidence<'_>) -> Option<Judgement>,
}

/// Which attempts a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// All of them.
    Always,
    /// Those that ended before the dose was begun.
    Before,
    /// Those whose dose was begun.
    Dose,
}

impl Stage {
    /// Whether it is asked of this evidence.
    pub fn is_now(self, evidence: &Evidence<'_>) -> bool {
        match self {
            Stage::Always => true,
            Stage::Before => !evidence.begun,
            Stage::Dose => evidence.begun,
        }
    }

    /// The word in the table.
    #[cfg(test)]
    pub fn word(self) -> &'static str {
        match self {
            Stage::Always => "always",
            Stage::Before => "before the dose",
            Stage::Dose => "dose begun",
        }
    }
}

const fn ask(
    stage: Stage,
    text: &'static str,
    verdicts: &'static [Verdict],
    ask: fn(&Evidence<'_>) -> Option<Judgement>,
) -> Question {
    Question { text, stage, verdicts, ask }
}

/// The questions in their order.
pub(super) const QUESTIONS: &[Question] = {
    use Stage::{Always, Before, Dose};
    &[
        ask(Always, "was the attempt interrupted?", &[Lost], ending::interrupted),
        ask(Always, "did the kernel break before the dose?", &[Other], crashes::broke_before),
        ask(Before, "did QEMU make the kernel crash?", &[Lost], before::emulators_fault),
        ask(Before, "did init or a busy host end the boot?", &[Lost], before::not_the_kernel),
        ask(Before, "did the kernel panic or hang?", &[Other], before::panicked_or_hung),
        ask(Before, "did a step before the program fail?", &[Lost, Blind], before::step_failed),
        ask(Before, "could no detector have seen the symptom?", &[Skip, Blind], before::undetectable),
        ask(Before, "how did the attempt end?", &[Lost], before::ended),
        ask(Dose, "was the symptom seen during the dose?", &[Bad], crashes::symptom),
        ask(Dose, "was it on the console before the dose?", &[Blind], crashes::symptom_before),
        ask(Dose, "is there another crash report of the dose?", &[Other], crashes::other_report),
        ask(Dose, "did the guest's clock run away?", &[Lost], ending::clock_ran_away),
        ask(Dose, "does a report leave open whether it is the symptom?", &[Blind], crashes::left_open),
        ask(Dose, "was the guest out of memory?", &[Blind], memory::exhausted),
        ask(Dose, "did QEMU make the kernel crash?", &[Lost, Blind], crashes::emulators_fault),
        ask(Dose, "was the machine unsound?", &[Blind], crashes::unsound),
        ask(Dose, "did a program write a crash report?", &[Blind], console::forged),
        ask(Dose, "did a step fail, or were messages to the agent lost?", &[Blind], program::step_failed),
        ask(Dose, "did the program say `skip` or `blind`?", &[Skip, Blind], program::could_not_judge),
        ask(Dose, "did the attempt end in another way than by its plan?", &[Lost, Blind], ending::cut_short),
        ask(Dose, "did the program end with a code other than 0?", &[Skip, Blind], program::exit),
        ask(Dose, "did it write a line that is none of the known ones?", &[Blind], program::unknown_line),
        ask(
            Dose,
            "did it report a symptom that the suite does not know?",
            &[Blind],
            program::unknown_symptom,
        ),
        ask(Dose, "did it report more than is kept?", &[Blind], program::reported_too_much),
        ask(Dose, "did it do fewer rounds than the dose has?", &[Blind], dose::too_few_rounds),
        ask(Dose, "did it end before the dose's time?", &[Blind], dose::too_short),
        ask(Dose, "could a detector of the symptom not tell?", &[Blind], crashes::detector_unsure),
        ask(Dose, "is a part of the console missing?", &[Blind], console::left_out),
        ask(Dose, "did the kernel drop messages?", &[Blind], console::dropped),
        ask(Dose, "is the kernel's log incomplete?", &[Blind], console::log_incomplete),
        ask(Dose, "does the console lack the dose's beginning or end?", &[Blind], console::unmarked),
        ask(Dose, "could one of the kernel's counters not be read?", &[Blind], kernel::unread),
        ask(Dose, "was the kernel tainted, and no report explains it?", &[Blind], kernel::tainted),
        ask(Dose, "was the console's log level lowered?", &[Blind], kernel::quieter),
    ]
};

/// A judgement with a reason about an attempt whose dose was begun.
fn dosed(verdict: Verdict, reason: impl Into<String>) -> Option<Judgement> {
    Some(Judgement::new(verdict, true).because(reason))
}

/// `blind` for this reason.
fn blind(reason: impl Into<String>) -> Option<Judgement> {
    dosed(Blind, reason)
}

/// Why no verdict follows from what a guest says whose clock ran away.
fn ran_away(seen: &Observation, what: &str) -> String {
    let clock = seen.runaway_clock().map(|clock| clock.to_string()).unwrap_or_default();
    format!("the guest was not in time, {clock}: {what}")
}

/// Why no verdict follows from a crash that QEMU caused.
fn emulators_fault(title: &str) -> String {
    format!(
        "QEMU ran a breakpoint that the kernel had already taken back, as it does before 8.1 when it emulates several \
         processors: {title}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `ARCHITECTURE.md`.
    fn table() -> String {
        let row = |(nth, question): (usize, &Question)| {
            let words: Vec<&str> = question.verdicts.iter().map(|verdict| verdict.word()).collect();
            format!(
                "| {} | {} | {} | {} |\n",
                nth + 1,
                question.stage.word(),
                question.text,
                words.join(", ")
            )
        };
        let rows: String = QUESTIONS.iter().enumerate().map(row).collect();
        format!("| | asked | question | answer |\n| --- | --- | --- | --- |\n{rows}")
    }

    #[test]
    fn architecture_has_the_questions_in_their_order() {
        let page = include_str!("../../../ARCHITECTURE.md");
        let table = table();
        assert!(page.contains(&table), "put this table into ARCHITECTURE.md:\n{table}");
    }
}
