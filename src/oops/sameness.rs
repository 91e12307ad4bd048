//! Whether two reports are the same defect.

use super::report::Report;

/// So much of two traces must agree (as a share of the shorter one) for them to count as the same path.
const SAME_PATH: f64 = 0.6;

/// Traces shorter than this prove nothing.
const MIN_PATH: usize = 4;

/// Whether two reports are the same defect, and what that rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// They are; the text says why.
    Same(String),
    /// Something speaks for it; not enough to count them as one.
    Likely(String),
    /// Nothing speaks for it, or something against.
    Different(String),
}

impl Sameness {
    /// Whether the two reports should be counted as one.
    pub fn is_same(&self) -> bool {
        matches!(self, Sameness::Same(_))
    }

    /// What the answer rests on, for a reader.
    pub fn reason(&self) -> &str {
        match self {
            Sameness::Same(reason) | Sameness::Likely(reason) | Sameness::Different(reason) => reason,
        }
    }
}

/// Compares two reports by title, alternative titles, type and trace.
///
/// A title that blames no function (a damaged report) only counts together with a common trace.
pub fn same_defect(a: &Report, b: &Report) -> Sameness {
    let path = common_path(&a.frames, &b.frames);
    let whole = !is_vague(a) && !is_vague(b);
    if whole && a.title == b.title {
        return Sameness::Same(format!("both are titled `{}`", a.title));
    }
    if whole && let Some(shared) = a.titles().find(|title| b.titles().any(|other| other == *title)) {
        return Sameness::Same(format!("both are also known as `{shared}`"));
    }
    match path {
        Some(share) if a.kind == b.kind && share >= SAME_PATH => {
            let percent = (share * 100.0).round();
            let reason =
                format!("both are {} and {percent:.0}% of the shorter trace is in the longer one", a.kind);
            if whole { Sameness::Likely(reason) } else { Sameness::Same(reason) }
        }
        _ if !whole && a.title == b.title => {
            Sameness::Likely(format!("both are titled `{}`, and at least one is damaged", a.title))
        }
        _ if a.kind != b.kind => Sameness::Different(format!("one is {}, the other {}", a.kind, b.kind)),
        _ => Sameness::Different(format!("`{}` and `{}` have no title in common", a.title, b.title)),
    }
}

/// Puts reports of the same defect together, in the order in which the defects first appear.
pub fn distinct<'r>(reports: impl IntoIterator<Item = &'r Report>) -> Vec<Vec<&'r Report>> {
    let mut groups: Vec<Vec<&Report>> = Vec::new();
    for report in reports {
        match groups.iter_mut().find(|group| same_defect(group[0], report).is_same()) {
            Some(group) => group.push(report),
            None => groups.push(vec![report]),
        }
    }
    groups
}

/// Whether the title does not say where the defect is.
fn is_vague(report: &Report) -> bool {
    report.title.ends_with(" corrupted") || report.corrupted && report.frame.is_none()
}

/// How much of the shorter trace the longer one has in the same order, if both are long enough to tell.
fn common_path(a: &[String], b: &[String]) -> Option<f64> {
    // deeper frames are the same for every system call
    const DEPTH: usize = 24;
    let (a, b) = (&a[..a.len().min(DEPTH)], &b[..b.len().min(DEPTH)]);
    let shorter = a.len().min(b.len());
    if shorter < MIN_PATH {
        return None;
    }
    let mut lengths = vec![0_usize; b.len() + 1];
    for name in a {
        let mut diagonal = 0;
        for (at, other) in b.iter().enumerate() {
            let above = lengths[at + 1];
            lengths[at + 1] = if name == other { diagonal + 1 } else { above.max(lengths[at]) };
            diagonal = above;
        }
    }
    Some(lengths[b.len()] as f64 / shorter as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oops::ReportKind;

    fn report(title: &str, alt: &[&str], kind: ReportKind, frames: &[&str]) -> Report {
        Report {
            title: title.to_owned(),
            alt_titles: alt.iter().map(|title| (*title).to_owned()).collect(),
            kind,
            corrupted: title.ends_with("corrupted"),
            corrupted_reason: None,
            frame: None,
            frames: frames.iter().map(|name| (*name).to_owned()).collect(),
            suppressed: false,
            panicked: false,
            start: 0,
            end: 0,
            start_line: 1,
            task: None,
            pid: None,
            cpu: None,
        }
    }

    #[test]
    fn titles_types_and_traces_are_compared() {
        use ReportKind::{DoS, KasanRead, Warning};
        let path = ["f", "g", "h", "i", "j"];
        let gpf = report("general protection fault in f", &["bad-access in f"], DoS, &path);
        let kasan = report("KASAN: slab-out-of-bounds Read in f", &["bad-access in f"], KasanRead, &path);
        let other = report("general protection fault in x", &["bad-access in x"], DoS, &["x", "y", "z", "w"]);
        let near = report("general protection fault in g", &["bad-access in g"], DoS, &path[1..]);
        let torn = report("general protection fault in corrupted", &["bad-access in corrupted"], DoS, &path);
        let warning = report("WARNING in f", &[], Warning, &["a", "b", "c", "d"]);
        let cases = [
            (&gpf, &gpf),
            (&gpf, &kasan),
            (&gpf, &other),
            (&gpf, &near),
            (&torn, &gpf),
            (&torn, &torn),
            (&gpf, &warning),
        ];
        let groups = distinct([&gpf, &other, &kasan, &warning, &torn]);
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 1, 1]);
        let lines: Vec<String> = cases.iter().map(|(a, b)| format!("{:?}", same_defect(a, b))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Same("both are titled `general protection fault in f`")
        Same("both are also known as `bad-access in f`")
        Different("`general protection fault in f` and `general protection fault in x` have no title in common")
        Likely("both are DoS and 100% of the shorter trace is in the longer one")
        Same("both are DoS and 100% of the shorter trace is in the longer one")
        Same("both are DoS and 100% of the shorter trace is in the longer one")
        Different("one is DoS, the other WARNING")
        "#);
    }
}
