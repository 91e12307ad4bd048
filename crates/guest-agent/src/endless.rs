//! A program that does not end by itself: it runs for the dose's time, again and again where it ends before that.

use std::io;
use std::time::{Duration, Instant};

use super::channel::Sender;
use super::leftovers::Processes;
use super::running::{OnceInAWhile, Running};
use guest_protocol::program::{Exit, Runs};

/// How often is looked whether what a program left running has ended.
const EVERY: Duration = Duration::from_millis(10);

/// How the kernel ends what still runs when time is over.
const ENDED: Exit = Exit::Signal(9);

/// Runs the program, which was started just now in so much time, until that moment. A run lasts until nothing of it is left, as programs
/// leave their work to children. What runs at the end is not ended here.
///
/// # Errors
/// The host cannot be told.
pub fn run(
    mut running: Running,
    mut started_in: Duration,
    again: impl Fn() -> io::Result<Running>,
    end: Instant,
    processes: &Processes,
    sender: &Sender,
    meanwhile: &mut OnceInAWhile<impl FnMut()>,
) -> io::Result<(Running, Exit, Runs)> {
    let mut runs = Runs::default();
    loop {
        let start = Instant::now();
        let exit = running.until_it_ends(Some(end), sender, meanwhile)?;
        if exit.is_some() {
            while processes.any() && Instant::now() < end {
                running.listen_until(end.min(Instant::now() + EVERY), sender)?;
                meanwhile.look();
            }
            // what a child said at its very end came after it was last listened to, and nobody reads this pipe any more
            running.finish(sender)?;
        }
        runs.take(started_in, exit, start.elapsed());
        if exit.is_none() || Instant::now() >= end {
            return Ok((running, exit.unwrap_or(ENDED), runs));
        }
        reap();
        let start = Instant::now();
        match again() {
            Ok(next) => {
                started_in = start.elapsed();
                running = next.goes_on(running.into_said());
            }
            Err(error) => {
                // it is gone, or there is no memory for it: the kernel is watched all the same
                runs.not_started = Some(error.to_string());
                running.listen_until(end, sender)?;
                return Ok((running, exit.unwrap_or(ENDED), runs));
            }
        }
    }
}

/// Takes leave of what a program's children left: ended, they still take a number each.
fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}
