//! Lines for a stream that is no terminal.

use std::io::Write;

use parking_lot::Mutex;

use super::EventSink;
use super::excerpt::Excerpts;
use super::line::Line;
use super::paint::Paint;
use super::running::{Finished, Running};
use super::view::{FailureOutput, View};
use crate::event::Event;

/// Writes one line for each event that is worth one. A stream that cannot be written to is left alone.
#[derive(Debug)]
pub struct Plain<W> {
    state: Mutex<PlainState<W>>,
}

#[derive(Debug)]
struct PlainState<W> {
    out: W,
    line: Line,
    running: Running,
    excerpts: Excerpts,
    paint: Paint,
    view: View,
}

impl<W: Write + Send> Plain<W> {
    /// Lines to `out`, coloured as `paint` says.
    pub fn new(out: W, paint: Paint, view: View) -> Plain<W> {
        let (line, running, excerpts) = (Line::new(paint), Running::default(), Excerpts::default());
        Plain { state: Mutex::new(PlainState { out, line, running, excerpts, paint, view }) }
    }
}

impl<W: Write + Send> EventSink for Plain<W> {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock();
        let finished = state.running.apply(event);
        if let Event::Planned { cell, .. } = event {
            state.line.make_room(&cell.kernel);
        }
        let view = state.view;
        let text = match (&finished, event) {
            (_, Event::Attempt { cell, record }) if view.verbose => Some(state.line.attempt(cell, record)),
            (Some(Finished::Retried(cell, record)), _) if !view.verbose && view.shows_retries() => {
                Some(state.line.attempt(cell, record))
            }
            (Some(Finished::Retried(..)), _) => None,
            _ => state.line.event(event).filter(|_| view.shows(event)),
        };
        let paint = state.paint;
        let excerpt = match view.failures {
            FailureOutput::Immediate => state.excerpts.apply(event, paint),
            FailureOutput::Final | FailureOutput::Never => None,
        };
        for text in text.into_iter().chain(excerpt) {
            // Nobody reads: the journal still has it.
            let _ = state.out.write_all(format!("{text}\n").as_bytes()).and_then(|()| state.out.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_whole_run() {
        let plain =
            Plain::new(Vec::new(), Paint::OFF, View { failures: FailureOutput::Never, ..View::default() });
        sample::events().iter().for_each(|event| plain.event(event));
        let text = String::from_utf8(plain.state.into_inner().out).unwrap();
        insta::assert_snapshot!(text, @r#"
          Starting 9 cells (run 2026-11-21T09-12-33-a1b2)
              Host QEMU 10.0.2 with tcg (/dev/kvm opens, but a guest did not boot with it), 2 cpus, 7.4 GiB free
              PASS [  36.900s] 6.12.57 block::elevator-switch-race  (3 attempts, chance of a miss 0.8%)
             KNOWN [   3.212s] 6.17.13 block::elevator-switch-race  BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request
             FIXED [  31.000s] 7.2.13  block::elevator-switch-race  (3 attempts, chance of a miss 0.8%)
              FAIL [   3.212s] 6.12.57 cifs::fsconfig-source-leak  leak of 20000 objects in kmalloc-192
              SKIP [   0.000s] 6.17.13 cifs::fsconfig-source-leak  module cifs is not in this kernel's package
             BLIND [   3.212s] 7.2.13  cifs::fsconfig-source-leak  the slab probe could not be read: no /proc/slabinfo
        TRY 1 LOST [  60.250s] 6.12.57 ext4::mmap-writeback-failure  the agent did not speak within 60 s
              LOST [ 120.500s] 6.12.57 ext4::mmap-writeback-failure  the agent did not speak within 60 s  (2 attempts)
             OTHER [   3.212s] 6.17.13 ext4::mmap-writeback-failure  WARNING in ext4_iomap_begin
            Notice 7.2.13 has no debug information
        "#);
    }

    #[test]
    fn a_broken_pipe_does_not_end_the_run() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let plain = Plain::new(Broken, Paint::OFF, View::default());
        sample::events().iter().for_each(|event| plain.event(event));
    }
}
