//! The host's wall clock jumps by an hour, to and fro, while a run goes on. The clock itself is left alone: a library that is
//! loaded before all others answers for it, and what asks for the monotonic clock gets the true one.

use std::path::PathBuf;
use std::process::Command;

use super::hosts::{false_cell, forget_runs, run};
use super::table::Outcome;
use crate::place::Place;

/// An hour ahead in one second, an hour behind two seconds later.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int ask(clockid_t id, struct timespec *time)
{
	static const long jumps[] = { 0, 3600, 0, -3600 };
	struct timespec since;
	int error = syscall(SYS_clock_gettime, id, time);

	if (error || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return error;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &since);
	time->tv_sec += jumps[since.tv_sec % 4];
	return 0;
}

int clock_gettime(clockid_t id, struct timespec *time)
{
	return ask(id, time);
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	ask(CLOCK_REALTIME, &now);
	time->tv_sec = now.tv_sec;
	time->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *to)
{
	struct timespec now;

	ask(CLOCK_REALTIME, &now);
	if (to)
		*to = now.tv_sec;
	return now.tv_sec;
}
"#;

/// No test of these takes so long, seconds.
const LONGEST: f64 = 120.0;

/// A run of guests that are restored, or booted, under such a clock.
pub fn jumps(place: &Place, options: &[&str]) -> Outcome {
    let Some(shim) = build(place) else { return Outcome::NotHere("there is no C compiler".into()) };
    forget_runs(place);
    let tests = ["ends::clean", "ends::reports-the-symptom", "ends::crashes", "ends::hangs"];
    let mut command = run(place, &tests, options);
    let ended = place.finish({
        command.env("LD_PRELOAD", &shim);
        command
    });
    let cells: Vec<_> = ended.events.iter().filter(|event| event["event"] == "cell").collect();
    if cells.len() != tests.len() {
        return Outcome::Lost(format!("{} cells: {}", cells.len(), ended.err));
    }
    if let Some(wrong) = cells.iter().find_map(|cell| false_cell(cell, &[])) {
        return Outcome::Wrong(wrong);
    }
    // its time is over after three seconds, by whatever clock
    let hangs = ended.cell("ends::hangs");
    if !hangs.starts_with("blind: ") {
        return Outcome::Wrong(format!("what never ends is {hangs}"));
    }
    let took =
        |event: &serde_json::Value| event["seconds"].as_f64().filter(|took| (0.0..LONGEST).contains(took));
    let attempts = ended.events.iter().filter(|event| event["event"] == "attempt");
    if let Some(odd) = attempts.into_iter().find(|event| took(event).is_none()) {
        return Outcome::Wrong(format!("{} took {} seconds", odd["test"], odd["seconds"]));
    }
    let report = place.command(&["report", "--format", "json"]).output().expect("kregress starts");
    let report = serde_json::from_slice::<serde_json::Value>(&report.stdout);
    let shown = report.ok().and_then(|report| Some(report["results"].as_array()?.len()));
    Outcome::of((shown != Some(tests.len())).then(|| format!("the report has {shown:?} cells")))
}

fn build(place: &Place) -> Option<PathBuf> {
    let (source, library) = (place.path().join("clock.c"), place.path().join("clock.so"));
    if !library.exists() {
        std::fs::write(&source, SHIM).expect("a file");
        let mut compiler = Command::new("cc");
        let built = compiler.args(["-shared", "-fPIC", "-O", "-o"]).arg(&library).arg(&source).status();
        built.ok().filter(std::process::ExitStatus::success)?;
    }
    Some(library)
}
