//! Diagnosis: console text in, crash reports out.
//!
//! A kernel that misbehaves says so on its console, in a few hundred forms. This crate finds those reports, names
//! each by the function that is to blame (in syzkaller's words, so that the name can be searched for), says what class
//! of defect it is, and tells whether two reports are the same defect. It touches no file and no process: bytes in,
//! values out. What reports look like is data (`rules.yaml`), which a user can lay more rules over.
//!
//! Titles and classes follow the wording of the syzkaller project (Apache-2.0), and so does the choice of functions
//! that are stepped over when looking for the guilty one, because a title is only worth something if others use the
//! same. The rules, the engine and their comments are this project's own.

mod breakpoint;
mod console;
mod damage;
mod describe;
mod details;
mod dialect;
mod engine;
mod excerpt;
pub mod hang;
mod header;
mod json;
mod kind;
mod lines;
mod own;
mod pattern;
pub mod poison;
mod reading;
mod render;
mod report;
mod rules;
mod sameness;
mod scanner;
mod stack;
mod symbols;
mod title;

pub use breakpoint::breakpoint_was_taken_back;
pub use details::{Details, details};
pub use engine::Engine;
pub use json::FileDiagnosis;
pub use kind::{ReportKind, UnknownKind};
pub use lines::{line_as_report, messages, release};
pub use reading::{Findings, PassedOver};
pub use render::{Extras, Palette, blamed_line, heading, render, render_report, render_report_with};
pub use report::Report;
pub use rules::RuleError;
pub use sameness::{Sameness, distinct, same_defect, share_a_path};
pub use scanner::{Scanner, Sighting};
pub use symbols::{SymbolError, Symbols, kernel_offset};

/// A title without what changes from run to run: addresses, numbers that stand alone, bytes that no terminal shows.
pub fn stable_title(raw: &str) -> String {
    title::stable(raw.as_bytes())
}

/// All reports in a console by the embedded rules, in the order in which they begin.
pub fn diagnose(console: &[u8]) -> Vec<Report> {
    Engine::embedded().diagnose(console)
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
