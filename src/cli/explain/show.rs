//! The diagnosis in each of its formats.

use std::io::{self, BufRead, BufReader, Write};

use super::json::{FileJson, KnownJson, PassedOverJson, ReportJson};
use super::tools::{Diagnosed, Tools};
use super::{ExplainError, read_error};
use crate::oops::{Details, Extras, Palette, Report, details, distinct, heading, render_report_with};
use crate::plural::counted;
use crate::verdict::message_findings;

/// So many places of one defect are named.
const PLACES_SHOWN: usize = 6;

/// What is known of a report besides its title; debug information knows the source better than the log.
fn details_of(tools: &Tools, region: &[u8], report: &Report) -> Details {
    let mut details = details(region, report);
    let source = tools.decoder.as_ref().and_then(|decoder| decoder.source(region, report));
    if let Some((file, line)) = source {
        (details.file, details.line) = (Some(file), line);
    }
    details
}

/// The reports of one file, for a reader.
pub(super) fn human(tools: &Tools, diagnosed: &Diagnosed, palette: &Palette) -> io::Result<String> {
    let Diagnosed { name, sorted, .. } = diagnosed;
    if let Some(what) = diagnosed.unreadable {
        return Ok(format!("{name}: {what}\n"));
    }
    let mut text = heading(name, sorted.reports.len());
    let regions = tools.regions(diagnosed)?;
    for report in &sorted.reports {
        let region = regions.of(report)?;
        let details = details_of(tools, &region, report);
        let mut facts = Vec::new();
        if let Some(file) = &details.file {
            let line = details.line.map(|line| format!(":{line}")).unwrap_or_default();
            facts.push(("where", format!("{file}{line}")));
            let who = tools.tree.as_ref().and_then(|tree| tree.who(file));
            facts.extend(who.map(|who| ("who", who.line())));
        }
        let rows = |text: &str| tools.decoder.as_ref().map(|decoder| decoder.rows(text)).unwrap_or_default();
        text.push('\n');
        let extras = Extras { notes: &rows, facts: &facts };
        text.push_str(&render_report_with(name, &region, report, palette, extras));
    }
    for line in left_out(diagnosed).into_iter().chain(message_findings(sorted)) {
        text.push_str(&format!("\n{line}\n"));
    }
    Ok(text)
}

/// The reports of one file, for a program.
pub(super) fn json(tools: &Tools, diagnosed: &Diagnosed) -> io::Result<FileJson> {
    let Diagnosed { name, sorted, .. } = diagnosed;
    let regions = tools.regions(diagnosed)?;
    let mut reports = Vec::new();
    for report in &sorted.reports {
        let region = regions.of(report)?;
        let trace = tools.decoder.as_ref().map(|decoder| decoder.trace(&region)).unwrap_or_default();
        let details = details_of(tools, &region, report);
        let file = details.file.as_deref();
        let who = file.and_then(|file| tools.tree.as_ref()?.who(file));
        reports.push(ReportJson { report: report.clone(), details, trace, who });
    }
    let lines = sorted.passed_over.lines;
    Ok(FileJson {
        file: name.clone(),
        reports,
        passed_over: (lines > 0).then_some(PassedOverJson { lines }),
        allowed: sorted.allowed.iter().map(KnownJson::from).collect(),
        denied: sorted.denied.iter().map(KnownJson::from).collect(),
        unreadable: diagnosed.unreadable.map(|what| what.to_string()),
        damaged: diagnosed.damage.clone(),
    })
}

/// The titles of one file.
pub(super) fn titles(diagnosed: &Diagnosed) -> String {
    diagnosed.sorted.reports.iter().map(|report| format!("{}\n", report.title)).collect()
}

/// The log of one file with the lines of its functions.
pub(super) fn log(tools: &Tools, diagnosed: &Diagnosed, out: &mut impl Write) -> Result<(), ExplainError> {
    /// Longer lines are cut into several.
    const MAX_LINE: u64 = 64 << 10;
    if diagnosed.unreadable.is_some() {
        return Ok(());
    }
    let failed = |source| read_error(diagnosed.name.as_ref(), source);
    let mut log = BufReader::with_capacity(1 << 16, tools.text(diagnosed).map_err(failed)?);
    let (mut line, mut decoded) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let length = io::Read::take(&mut log, MAX_LINE).read_until(b'\n', &mut line).map_err(failed)?;
        if length == 0 {
            return Ok(());
        }
        decoded.clear();
        match &tools.decoder {
            Some(decoder) => decoder.annotate(&line, &mut decoded),
            None => decoded.extend_from_slice(&line),
        }
        out.write_all(&decoded).map_err(ExplainError::Write)?;
    }
}

/// What is reported beside a format that has no place for it: that the file is no log, or that reports are left out.
pub(super) fn remarks(diagnosed: &Diagnosed) -> String {
    let name = &diagnosed.name;
    let what = diagnosed.unreadable.map(|what| what.to_string());
    let told = message_findings(&diagnosed.sorted);
    what.into_iter().chain(left_out(diagnosed)).chain(told).map(|line| format!("{name}: {line}\n")).collect()
}

/// What is not among the reports though it may be one.
fn left_out(diagnosed: &Diagnosed) -> Vec<String> {
    let passed_over = match diagnosed.sorted.passed_over.lines {
        0 => None,
        1 => Some("1 more line begins a report that is not shown: there are too many like it".to_owned()),
        lines => Some(format!(
            "{lines} more lines begin reports that are not shown: there are too many, or too many alike"
        )),
    };
    passed_over.into_iter().chain(diagnosed.damage.clone()).collect()
}

/// The reports of all files so far.
#[derive(Default)]
pub(super) struct Defects {
    files: usize,
    names: Vec<String>,
    reports: Vec<Report>,
}

impl Defects {
    /// Takes in the reports of the next file.
    pub(super) fn take(&mut self, name: &str, reports: Vec<Report>) {
        self.files += 1;
        self.names.resize(self.names.len() + reports.len(), name.to_owned());
        self.reports.extend(reports);
    }

    /// Which reports are the same defect; nothing where no two are.
    pub(super) fn told(&self) -> String {
        let groups = distinct(&self.reports);
        if groups.len() == self.reports.len() {
            return String::new();
        }
        let files = counted(self.files, "file");
        let defects = if groups.len() == 1 { "defect" } else { "defects" };
        let mut text =
            format!("\n{} reports in {files}, {} distinct {defects}\n", self.reports.len(), groups.len());
        for group in groups {
            let place = |report: &&Report| {
                let nth = self.reports.iter().position(|other| std::ptr::eq(other, *report));
                format!("{}:{}", nth.map_or("", |nth| &self.names[nth]), report.start_line)
            };
            let mut places: Vec<String> = group.iter().take(PLACES_SHOWN).map(place).collect();
            if group.len() > PLACES_SHOWN {
                places.push(format!("and {} more", group.len() - PLACES_SHOWN));
            }
            text.push_str(&format!("{:>4} × {}  ({})\n", group.len(), group[0].title, places.join(", ")));
        }
        text
    }
}
