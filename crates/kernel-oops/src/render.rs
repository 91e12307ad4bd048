//! A diagnosis for a reader at a terminal: each report as a compiler shows an error.

use console::Style;

use super::console::Line;
use super::report::Report;

/// Lines of a console are cut at this many characters.
const MAX_WIDTH: usize = 110;

/// So many functions of a trace are shown around the one that is blamed.
const TRACE_BEFORE: usize = 2;
const TRACE_AFTER: usize = 4;

/// The colours of a rendering.
#[derive(Clone, Debug)]
pub struct Palette {
    serious: Style,
    mild: Style,
    dim: Style,
    mark: Style,
}

impl Palette {
    /// Colours, whatever standard output is.
    pub fn coloured() -> Palette {
        let forced = || Style::new().force_styling(true);
        Palette {
            serious: forced().red().bold(),
            mild: forced().yellow().bold(),
            dim: forced().dim(),
            mark: forced().magenta().bold(),
        }
    }

    /// No colours.
    pub fn plain() -> Palette {
        let none = || Style::new().force_styling(false);
        Palette { serious: none(), mild: none(), dim: none(), mark: none() }
    }
}

/// The diagnosis of one console for a reader. `name` is the file as it was given, `console` its content.
pub fn render(name: &str, console: &[u8], reports: &[Report], palette: &Palette) -> String {
    let mut out = heading(name, reports.len());
    for report in reports {
        let start = report.start.min(console.len());
        out.push('\n');
        out.push_str(&render_report(
            name,
            &console[start..report.end.clamp(start, console.len())],
            report,
            palette,
        ));
    }
    out
}

/// The line above the reports of a console.
pub fn heading(name: &str, reports: usize) -> String {
    match reports {
        0 => format!("{name}: no crash report\n"),
        1 => format!("{name}: 1 report\n"),
        count => format!("{name}: {count} reports\n"),
    }
}

/// What others know about a report.
#[derive(Clone, Copy)]
pub struct Extras<'a> {
    /// What is written below a line of the report, such as where its functions are in the source.
    pub notes: &'a dyn Fn(&str) -> Vec<String>,
    /// More facts, each with a label of up to five letters.
    pub facts: &'a [(&'static str, String)],
}

impl std::fmt::Debug for Extras<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extras").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// One report for a reader. `region` is the console from the start to the end of the report.
pub fn render_report(name: &str, region: &[u8], report: &Report, palette: &Palette) -> String {
    render_report_with(name, region, report, palette, Extras { notes: &|_| Vec::new(), facts: &[] })
}

/// As [`render_report`], with what others know about it.
pub fn render_report_with(
    name: &str,
    region: &[u8],
    report: &Report,
    palette: &Palette,
    extras: Extras<'_>,
) -> String {
    let doubtful = report.corrupted || report.suppressed;
    let (style, sign) = if doubtful { (&palette.mild, '!') } else { (&palette.serious, '×') };
    let mut out = format!("{} {}\n", style.apply_to(sign), style.apply_to(&report.title));
    let lines = shown_lines(region, report, extras.notes);
    let gutter = lines.iter().map(|line| line.number).max().unwrap_or(1).to_string().len();
    let bar = |text: &str| palette.dim.apply_to(text.to_owned()).to_string();
    out.push_str(&format!("{:gutter$} {}\n", "", bar(&format!("╭─[{name}:{}]", report.start_line))));
    let mut previous: Option<usize> = None;
    for line in &lines {
        if previous.is_some_and(|previous| previous + 1 < line.number) {
            out.push_str(&format!("{:>gutter$} {}\n", "", bar("┆")));
        }
        previous = Some(line.number);
        let number = bar(&format!("{:>gutter$} │", line.number));
        out.push_str(&format!("{number} {}\n", line.text));
        if let Some((at, len)) = line.mark {
            let under = palette.mark.apply_to(format!("{}┬ blamed", "─".repeat(len.saturating_sub(1))));
            out.push_str(&format!("{:gutter$} {} {}{under}\n", "", bar("·"), " ".repeat(at)));
        }
        for note in &line.notes {
            let note = palette.dim.apply_to(printable(note.as_bytes()));
            out.push_str(&format!("{:gutter$} {}     {note}\n", "", bar("·")));
        }
    }
    out.push_str(&format!("{:gutter$} {}\n", "", bar("╰─")));
    for (label, text) in facts(region, report).iter().chain(extras.facts) {
        out.push_str(&format!("{:gutter$} {} {text}\n", "", palette.dim.apply_to(format!("{label:>5}:"))));
    }
    out
}

/// The line of a report that names the blamed function: how many lines it is below the first one. `region` is as in
/// [`render_report`].
pub fn blamed_line(region: &[u8], report: &Report) -> Option<usize> {
    let shown = shown_lines(region, report, &|_| Vec::new());
    shown.iter().find(|line| line.mark.is_some()).map(|line| line.number - report.start_line)
}

/// What is known besides the lines themselves, each with a label.
fn facts(region: &[u8], report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = vec![("what", format!("{} ({})", report.kind.sentence(), report.kind))];
    let task = report.task.as_ref().map(|task| printable(task.as_bytes()));
    let task = task.map(|task| match report.pid {
        Some(pid) => format!("{task}, pid {pid}"),
        None => task,
    });
    match (task, report.cpu) {
        (Some(task), Some(cpu)) => facts.push(("task", format!("{task}, on cpu {cpu}"))),
        (Some(task), None) => facts.push(("task", task)),
        (None, Some(cpu)) => facts.push(("cpu", cpu.to_string())),
        (None, None) => {}
    }
    facts.extend(blocker(region).map(|line| ("waits", line)));
    if let Some(reason) = &report.corrupted_reason {
        facts.push(("note", format!("the report is damaged ({reason}); do not rely on its title")));
    }
    if report.suppressed {
        facts.push((
            "note",
            "the log shows that the machine itself was in trouble; the report proves nothing".into(),
        ));
    }
    if report.panicked && !report.title.starts_with("kernel panic") {
        facts.push(("note", "the kernel panicked afterwards".to_owned()));
    }
    if !report.alt_titles.is_empty() {
        facts.push(("also", report.alt_titles.join(", ")));
    }
    facts
}

/// What the kernel says about the lock a hung task waits for, printed by debug_show_blocker().
pub(super) fn blocker(region: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(region, b" blocked on ")?;
    let start = memchr::memrchr(b'\n', &region[..at]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &region[at..]).map_or(region.len(), |length| at + length);
    let line = printable(Line::parse(&region[start..end]).text);
    line.strip_prefix("INFO: ").map(str::to_owned)
}

/// A line of a report as it is shown.
struct Shown {
    number: usize,
    text: String,
    /// Where the blamed function stands: column and width in characters.
    mark: Option<(usize, usize)>,
    notes: Vec<String>,
}

/// The first line of the report, the blamed function, and what surrounds it in the trace.
fn shown_lines(region: &[u8], report: &Report, notes: &dyn Fn(&str) -> Vec<String>) -> Vec<Shown> {
    if region.is_empty() {
        return Vec::new();
    }
    let mut own = Vec::new();
    let mut owner = None;
    for (index, raw) in region.split(|byte| *byte == b'\n').enumerate() {
        let line = Line::parse(raw);
        let owner = *owner.get_or_insert(line.context);
        if line.context == owner {
            own.push((report.start_line + index, printable(line.text)));
        }
    }
    let blamed = report.frame.as_deref().and_then(|frame| {
        // the line of a trace names the function with an offset, possibly behind the prefix of a system call
        let find = |text: &str| text.find(&format!("{frame}+0x")).or_else(|| text.find(&format!("{frame}.")));
        let in_trace = own.iter().skip(1).position(|(_, text)| find(text).is_some()).map(|at| at + 1);
        let at = in_trace.or_else(|| own.first().and_then(|(_, text)| find(text)).map(|_| 0))?;
        let column = own[at].1[..find(&own[at].1)?].chars().count();
        Some((at, column, frame.chars().count()))
    });
    let mut wanted = vec![0];
    if let Some((at, ..)) = blamed {
        let before = (1..at).rev().filter(|line| is_trace(&own[*line].1)).take(TRACE_BEFORE);
        let after = (at + 1..own.len()).filter(|line| is_trace(&own[*line].1)).take(TRACE_AFTER);
        wanted.extend(before.chain(after));
        wanted.push(at);
    } else {
        wanted.extend((1..own.len()).filter(|line| is_trace(&own[*line].1)).take(TRACE_BEFORE + TRACE_AFTER));
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
        .into_iter()
        .filter_map(|at| {
            let (number, text) = own.get(at)?;
            let notes = notes(text);
            let mark = blamed.filter(|(line, column, width)| *line == at && column + width <= MAX_WIDTH);
            let text = if text.chars().count() > MAX_WIDTH {
                text.chars().take(MAX_WIDTH - 1).chain(['…']).collect()
            } else {
                text.clone()
            };
            Some(Shown { number: *number, text, mark: mark.map(|(_, column, width)| (column, width)), notes })
        })
        .collect()
}

fn is_trace(text: &str) -> bool {
    text.contains("+0x") && !text.contains(" ? ") && !text.starts_with("? ")
}

/// The message with everything replaced that a terminal would obey or that turns text around.
pub(super) fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .map(|letter| if letter == '\t' { ' ' } else { terminal_text::visible(letter) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &[u8] = b"[    0.900000] Linux version 6.17.13\n\
        [    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
        [    1.000001] #PF: supervisor read access in kernel mode\n\
        [    1.000002] CPU: 1 UID: 0 PID: 77 Comm: mount Not tainted 6.17.13 #1\n\
        [    1.000003] RIP: 0010:mutex_lock+0x46/0x210\n\
        [    1.000004] Call Trace:\n\
        [    1.000005]  <TASK>\n\
        [    1.000006]  outer_func+0x8d/0x1a0\n\
        [    1.000007]  ? __pfx_guess+0x8d/0x1a0\n\
        [    1.000008]  __x64_sys_mount+0x8d/0x1a0\n\
        [    1.000009]  do_syscall_64+0x1/0x2\n\
        [    1.000010] ---[ end trace 0000000000000000 ]---\n\
        [    1.000011] Kernel panic - not syncing: Fatal exception\n\
        [    2.000000] INFO: task \x1b[2Jcat:5 blocked for more than 120 seconds.\n";

    #[test]
    fn reports_read_like_the_errors_of_a_compiler() {
        let reports = crate::diagnose(CONSOLE);
        insta::assert_snapshot!(render("console.log", CONSOLE, &reports, &Palette::plain()), @r#"
        console.log: 2 reports

        × BUG: unable to handle kernel NULL pointer dereference in outer_func
           ╭─[console.log:2]
         2 │ BUG: kernel NULL pointer dereference, address: 0000000000000008
           ┆
         5 │ RIP: 0010:mutex_lock+0x46/0x210
           ┆
         8 │  outer_func+0x8d/0x1a0
           ·  ─────────┬ blamed
           ┆
        10 │  __x64_sys_mount+0x8d/0x1a0
        11 │  do_syscall_64+0x1/0x2
           ╰─
            what: The kernel followed a NULL pointer. (NULL-POINTER-DEREFERENCE)
            task: mount, pid 77, on cpu 1
            note: the kernel panicked afterwards
            also: bad-access in outer_func

        ! INFO: task hung in corrupted
           ╭─[console.log:14]
        14 │ INFO: task �[2Jcat:5 blocked for more than 120 seconds.
           ╰─
            what: A task or a CPU made no progress for so long that the kernel complained. (HANG)
            task: cat, pid 5
            note: the report is damaged (no function to blame was found in the stack trace); do not rely on its title
            also: hang in corrupted
        "#);
        insta::assert_snapshot!(render("-", b"", &[], &Palette::plain()), @"-: no crash report");
        assert!(render("-", CONSOLE, &reports, &Palette::coloured()).contains("\u{1b}[31m"));
    }

    #[test]
    fn the_line_of_the_blamed_function() {
        let reports = crate::diagnose(CONSOLE);
        let lines = reports.iter().map(|report| {
            let at = blamed_line(&CONSOLE[report.start..report.end], report)?;
            CONSOLE[report.start..].split(|byte| *byte == b'\n').nth(at)
        });
        assert_eq!(lines.collect::<Vec<_>>(), [Some(&b"[    1.000006]  outer_func+0x8d/0x1a0"[..]), None]);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_or_that_turns_text_around_is_shown() {
        let shown = printable("\u{1b}[2Jcomm\u{202e}\tof others".as_bytes());
        assert_eq!(shown, "\u{fffd}[2Jcomm\u{fffd} of others");
    }

    #[test]
    fn a_report_that_points_outside_the_console_is_shown_without_lines() {
        let mut report = crate::diagnose(CONSOLE).remove(0);
        (report.start, report.end) = (9999, 99999);
        assert!(!render("x", CONSOLE, &[report], &Palette::plain()).contains("RIP"));
    }
}
