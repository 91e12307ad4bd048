//! The sentences of a report.

use super::likely;
use crate::bisect::{Answer, Exhausted, Find, Seen};
use crate::bisection::BisectionState;
use crate::event::BisectionSource;
use crate::plural::counted;
use crate::progress::{clock, percent};

/// The result in a sentence.
pub fn headline(state: &BisectionState) -> String {
    let name = |node: usize| state.candidate(node).name.as_str();
    let search = state.search();
    let (good, bad) = (name(search.good_end()), name(search.bad_end()));
    match state.answer() {
        None => "it has no answer yet".to_owned(),
        Some(Answer::Found { candidates, probability }) => match candidates.as_slice() {
            [culprit] => format!("{} ({})", culprit_sentence(state, *culprit), likely(*probability)),
            several => format!(
                "one of {} candidates {}: {} to {} ({}); no kernel between them can be judged",
                several.len(),
                verb(state.record().find),
                several.first().map_or("", |node| name(*node)),
                several.last().map_or("", |node| name(*node)),
                likely(*probability)
            ),
        },
        Some(Answer::Inconclusive { why: Exhausted::Attempts, .. }) => {
            "inconclusive: the attempts that were allowed are made, and no candidate is likely enough"
                .to_owned()
        }
        Some(Answer::Inconclusive { why: Exhausted::Kernels, .. }) => {
            "inconclusive: no kernel that can be judged would tell more".to_owned()
        }
        Some(Answer::BadEndClean { attempts }) => {
            format!(
                "the bad end {bad} never showed the symptom in {}, so nothing was bisected",
                counted(*attempts, "attempt")
            )
        }
        Some(Answer::BadEndSpurious { at_bad }) => format!(
            "the bad end {bad} showed the symptom in {} attempts only: a kernel without the bug may do so too",
            of(*at_bad)
        ),
        Some(Answer::GoodEndBad { at_good }) => {
            format!("the good end {good} has the bug too: it showed the symptom in {} attempts", of(*at_good))
        }
        Some(Answer::Exchanged { at_good, at_bad }) => format!(
            "the ends are exchanged: {good}, called good, showed the symptom in {} attempts, and {bad}, called bad, in {}",
            of(*at_good),
            of(*at_bad)
        ),
        Some(Answer::EndNotJudged { node }) => {
            let which = if *node == search.bad_end() { "bad" } else { "good" };
            format!("the {which} end {} cannot be judged, so nothing was bisected", name(*node))
        }
    }
}

fn culprit_sentence(state: &BisectionState, culprit: usize) -> String {
    let candidate = state.candidate(culprit);
    let find = state.record().find;
    match (&state.record().source, find) {
        (BisectionSource::Tree { .. }, _) => {
            format!("{} {}: {}", candidate.name, verb(find), candidate.subject)
        }
        (BisectionSource::Series { .. }, Find::Cause) => {
            format!("{} is the first bad kernel", candidate.name)
        }
        (BisectionSource::Series { .. }, Find::Fix) => {
            format!("{} is the first kernel without the bug", candidate.name)
        }
    }
}

fn verb(find: Find) -> &'static str {
    match find {
        Find::Cause => "brought the bug",
        Find::Fix => "removed the bug",
    }
}

fn of(seen: Seen) -> String {
    format!("{} of {}", seen.symptoms, seen.attempts)
}

/// What else is to be said of the answer.
pub fn remarks(state: &BisectionState) -> Vec<String> {
    let mut remarks = match state.answer() {
        Some(Answer::Found { candidates, .. }) => found(state, candidates),
        Some(Answer::Inconclusive { attempts_left, .. }) => inconclusive(state, *attempts_left),
        Some(answer) => ends(state, answer),
        None => vec![format!("`kregress bisect --resume {}` resumes it", state.run())],
    };
    if let BisectionSource::Series { left_out, several_lines } = &state.record().source {
        if *several_lines {
            remarks.push(
                "the kernels are of several lines, and the order of versions is not that of time: a fix that went into one line \
                 only makes more than one boundary, of which this is one"
                    .to_owned(),
            );
        }
        for out in left_out.iter().take(5) {
            remarks.push(format!("not a candidate: {out}"));
        }
        if left_out.len() > 5 {
            remarks.push(match left_out.len() - 5 {
                1 => "and 1 more kernel that is unavailable".to_owned(),
                more => format!("and {more} more kernels that are unavailable"),
            });
        }
    }
    remarks
}

fn found(state: &BisectionState, candidates: &[usize]) -> Vec<String> {
    let mut remarks = Vec::new();
    let name = |node: usize| state.candidate(node).name.as_str();
    if let ([culprit], BisectionSource::Series { .. }) = (candidates, &state.record().source)
        && let [parent] = state.candidate(*culprit).parents[..]
    {
        remarks.push(format!("the change is one of those between {} and {}", name(parent), name(*culprit)));
    }
    if let [culprit] = candidates {
        let candidate = state.candidate(*culprit);
        if !candidate.author.is_empty() {
            remarks.push(format!("commit {} by {}, {}", candidate.id, candidate.author, candidate.date));
        }
        if candidate.parents.len() > 1 {
            remarks.push(
                "it is a merge: neither of its sides alone has the change, it is in what was merged or in how the sides fit together"
                    .to_owned(),
            );
        }
        if let Some((own, parent)) = state.identical_builds(*culprit) {
            remarks.push(format!(
                "the builds of {own} and of its parent {parent} are identical: the two kernels cannot differ, so what was seen is \
                 luck, or depends on something other than the kernel"
            ));
        }
    } else {
        for (node, tried) in state.all_tried().filter(|(node, _)| candidates.contains(node)) {
            if let Some(reason) = &tried.closed {
                remarks.push(format!("{} could not be judged: {}", name(node), first_line(reason)));
            }
        }
    }
    remarks
}

fn inconclusive(state: &BisectionState, attempts_left: Option<u32>) -> Vec<String> {
    let posterior = state.search().posterior();
    let mut remarks = Vec::new();
    let suspects = state.suspects();
    let named: Vec<String> = suspects
        .iter()
        .map(|suspect| format!("{} {}", suspect.kernel, likely(suspect.probability)))
        .collect();
    remarks.push(format!(
        "{} still open; the likeliest: {}",
        match state.open_candidates() {
            1 => "1 candidate is".to_owned(),
            open => format!("{open} candidates are"),
        },
        named.join(", ")
    ));
    if let Some(left) = attempts_left {
        remarks.push(format!(
            "about {left} more attempts would be needed for {}; `kregress bisect --resume {} --max-attempts {}` allows them",
            percent(state.record().aims.confidence),
            state.run(),
            posterior.total().attempts + 2 * left.max(5)
        ));
    }
    remarks
}

/// What it means that an end is not what it was called, and what can be done.
fn ends(state: &BisectionState, answer: &Answer) -> Vec<String> {
    let search = state.search();
    let bad = search.bad_end();
    let closed = |node: usize| state.tried(node).and_then(|tried| tried.closed.as_deref()).map(first_line);
    match answer {
        Answer::BadEndClean { attempts } => {
            // the chance per attempt that would have been seen with 95%
            let chance = 1.0 - 0.05f64.powf(1.0 / f64::from((*attempts).max(1)));
            let mut remarks = vec![format!(
                "a bug that shows in more than {} of the attempts would have been seen with 95%: either this kernel does not have it, \
                 or the test does not show it here, or it is rarer than that",
                percent(chance)
            )];
            remarks.push("a larger dose in the suite, or --end-attempts, finds a rarer bug".to_owned());
            remarks
        }
        Answer::BadEndSpurious { .. } => vec![
            "more of the test in one attempt (its dose) makes the bug show more often; a symptom that is described more \
             narrowly shows less often on good kernels"
                .to_owned(),
        ],
        Answer::GoodEndBad { .. } => vec![
            "an older kernel may be without the bug; or the symptom is not specific, and good kernels show it too".to_owned(),
        ],
        Answer::Exchanged { .. } => {
            let find = match state.record().find {
                Find::Cause => "--find fix, with the ends called the other way round, finds what removed the bug",
                Find::Fix => "without --find fix, and with the ends called the other way round, it is found what brought the bug",
            };
            vec![find.to_owned()]
        }
        Answer::EndNotJudged { node } => {
            let mut remarks: Vec<String> = closed(*node).map(str::to_owned).into_iter().collect();
            let which = if *node == bad { "--bad" } else { "--good" };
            remarks.push(format!("name another kernel with {which}, on which the test can run"));
            remarks
        }
        _ => Vec::new(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// `23 attempts on 6 kernels in 04:10`, and how often the bug shows.
pub fn effort(report: &super::Report) -> String {
    let mut text =
        format!("{} on {}", counted(report.attempts, "attempt"), counted(report.kernels, "kernel"));
    if report.seconds > 0.0 {
        text.push_str(&format!(" in {}", clock(report.seconds)));
    }
    text.push_str(&format!(", {}", counted(report.candidates, "candidate")));
    if let Some((mean, low, high)) = report.chance {
        text.push_str(&format!(
            "; a bad kernel shows the bug in about {} of the attempts ({} to {})",
            percent(mean),
            percent(low),
            percent(high)
        ));
    }
    text
}
