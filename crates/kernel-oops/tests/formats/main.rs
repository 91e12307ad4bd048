//! One small console for every form of report that the rules know, with the title and class found in it.

mod architectures;
mod crashes;
mod lines;
mod locks;
mod sanitizers;
mod words;

use kernel_oops::diagnose;

/// A trace that is whole: four functions below `top`.
fn trace(top: &str) -> String {
    format!(
        "Call Trace:\n {top}+0x10/0x20\n victim_func+0x10/0x20\n middle_func+0x10/0x20\n outer_func+0x10/0x20\n do_syscall_64+0x10/0x20\n"
    )
}

/// The first report of a console whose lines are these, as one line.
fn verdict(lines: &str) -> String {
    let console: String = lines.lines().map(|line| format!("[   12.345678] {line}\n")).collect();
    let found = diagnose(console.as_bytes());
    let Some(report) = found.first() else { return "nothing".to_owned() };
    let damage =
        report.corrupted_reason.as_ref().map(|reason| format!(" (damaged: {reason})")).unwrap_or_default();
    let more = if found.len() > 1 { format!(" + {} more", found.len() - 1) } else { String::new() };
    format!("{:<36} {}{damage}{more}", report.kind, report.title)
}

fn table(specimens: &[&str]) -> String {
    specimens.iter().map(|specimen| verdict(specimen) + "\n").collect()
}
