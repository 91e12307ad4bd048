//! Kernels that are fetched or built, on standard error: a bar each on a terminal, else lines.

use std::collections::HashMap;
use std::io::Write;

use parking_lot::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::screen;
use crate::kernel::{FetchProgress, Stage, megabytes};

/// A bar per kernel on standard error, for terminals. Those of work that was broken off go with it.
pub struct BarProgress {
    bars: MultiProgress,
    by_kernel: Mutex<HashMap<String, ProgressBar>>,
}

/// Plain lines on standard error, for logs: one when a kernel's download starts, one when it is ready.
#[derive(Debug, Default)]
pub struct LineProgress {
    begun: Mutex<HashMap<String, std::mem::Discriminant<Stage>>>,
}

/// Shows it where it fits: as bars, or as lines.
pub struct Fetching {
    shown: Box<dyn FetchProgress + Send>,
    bars: Option<MultiProgress>,
}

impl Fetching {
    /// As standard error wants it.
    pub fn on_stderr() -> Fetching {
        Fetching::among(super::bars_fit().then(screen::bars))
    }

    /// Bars among others, or plain lines where there are none.
    pub fn among(bars: Option<MultiProgress>) -> Fetching {
        let shown: Box<dyn FetchProgress + Send> = match &bars {
            Some(bars) => Box::new(BarProgress::new(bars.clone())),
            None => Box::new(LineProgress::default()),
        };
        Fetching { shown, bars }
    }

    /// The bars on a terminal, where there are some: what others print meanwhile must not displace them.
    pub fn bars(&self) -> Option<MultiProgress> {
        self.bars.clone()
    }
}

impl FetchProgress for Fetching {
    fn report(&self, kernel: &str, stage: Stage) {
        self.shown.report(kernel, stage);
    }
}

impl BarProgress {
    /// Adds its bars to `bars`, so that other bars can be shown with them.
    pub fn new(bars: MultiProgress) -> Self {
        BarProgress { bars, by_kernel: Mutex::default() }
    }

    fn bar(&self, kernel: &str) -> ProgressBar {
        let mut by_kernel = self.by_kernel.lock();
        let new = || {
            let bar = self.bars.add(ProgressBar::new(0));
            if let Ok(style) =
                ProgressStyle::with_template("{prefix:>16} {wide_bar} {bytes:>10}/{total_bytes:10} {msg:24}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(kernel.to_string());
            bar
        };
        by_kernel.entry(kernel.to_string()).or_insert_with(new).clone()
    }
}

impl FetchProgress for BarProgress {
    fn report(&self, kernel: &str, stage: Stage) {
        let line = describe(kernel, &stage);
        match stage {
            Stage::Download { done, total } => {
                let bar = self.bar(kernel);
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message("downloading");
            }
            Stage::Compile { done, total, file } => {
                let bar = self.bar(kernel);
                let known = if total.is_some() { STEPS } else { STEPS_SO_FAR };
                if let Ok(style) = ProgressStyle::with_template(known) {
                    bar.set_style(style);
                }
                bar.set_length(total.unwrap_or(done).max(done));
                bar.set_position(done);
                bar.set_message(file);
            }
            Stage::Ready { .. } | Stage::Built { .. } | Stage::Failed => {
                let mut by_kernel = self.by_kernel.lock();
                if let Some(bar) = by_kernel.remove(kernel) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
                if let (false, Some(line)) = (stage == Stage::Failed, line) {
                    // a terminal that went away is no reason to fail
                    let _ = screen::print_above(&self.bars, &line);
                }
            }
            Stage::Lists | Stage::LookUp | Stage::Warning(_) => {
                let _ = screen::print_above(&self.bars, &line.unwrap_or_default());
            }
            Stage::Waiting(why) => self.bar(kernel).set_message(why),
            Stage::Prepare(what) => {
                let bar = self.bar(kernel);
                if let Ok(style) = ProgressStyle::with_template(WORDS) {
                    bar.set_style(style);
                }
                bar.set_message(format!("preparing {what}"));
            }
            Stage::CheckOut { percent } => {
                let bar = self.bar(kernel);
                if let Ok(style) = ProgressStyle::with_template(PERCENT) {
                    bar.set_style(style);
                }
                bar.set_length(100);
                bar.set_position(percent.into());
                bar.set_message("checking out");
            }
            Stage::Unpack => self.bar(kernel).set_message("unpacking"),
            Stage::Extract => self.bar(kernel).set_message("decompressing the kernel"),
        }
    }
}

impl Drop for BarProgress {
    fn drop(&mut self) {
        for (_, bar) in self.by_kernel.get_mut().drain() {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }
}

impl FetchProgress for LineProgress {
    fn report(&self, kernel: &str, stage: Stage) {
        let mut begun = self.begun.lock();
        let kind = std::mem::discriminant(&stage);
        // these report many times
        let repeats = matches!(stage, Stage::Download { .. } | Stage::Compile { .. });
        if begun.insert(kernel.to_string(), kind) == Some(kind) && repeats {
            return;
        }
        if let Some(line) = describe(kernel, &stage) {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

/// Words alone, as many as fit.
const WORDS: &str = "{prefix:>16} {spinner} {wide_msg}";
/// A bar of a part.
const PERCENT: &str = "{prefix:>16} {wide_bar} {percent:>3}% {msg:24}";
/// A bar of files that are compiled, of about so many and of an unknown number.
const STEPS: &str = "{prefix:>16} {wide_bar} {pos:>6} of about {len:6} {msg:24!}";
const STEPS_SO_FAR: &str = "{prefix:>16} {spinner} {pos:>6} files compiled  {wide_msg}";

/// The line for a stage; `None` for those that only a bar shows.
fn describe(kernel: &str, stage: &Stage) -> Option<String> {
    match stage {
        Stage::Lists => Some("    Updating Debian's package lists".to_string()),
        Stage::LookUp => Some(format!("  Looking up {kernel} in the pool")),
        Stage::Waiting(why) if kernel.is_empty() => Some(format!("     Waiting: {why}")),
        Stage::Waiting(why) => Some(format!("     Waiting {kernel}: {why}")),
        Stage::Download { total, .. } => Some(format!("    Fetching {kernel} ({})", megabytes(*total))),
        Stage::Prepare(what) => Some(format!("   Preparing {kernel}: {what}")),
        Stage::Compile { .. } => Some(format!("   Compiling {kernel}")),
        Stage::Built { bytes, seconds } => {
            let time = format!("{}m{:02}s", seconds / 60, seconds % 60);
            Some(format!("       Built {kernel} in {time} ({} stored)", megabytes(*bytes)))
        }
        Stage::Ready { bytes } => Some(format!("     Fetched {kernel} ({} stored)", megabytes(*bytes))),
        Stage::Warning(text) => Some(format!("     warning: {text}")),
        Stage::CheckOut { .. } | Stage::Unpack | Stage::Extract | Stage::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;
    use crate::kernel::waiting::{ASKS_APT, FETCHES_IT, USES_SOURCE};

    /// A terminal that knows its lines, the last of them that of the cursor.
    #[derive(Clone, Debug)]
    struct Screen(Arc<Mutex<(Vec<String>, usize)>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            let mut screen = self.0.lock();
            screen.1 = screen.1.saturating_sub(n);
            Ok(())
        }

        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            let mut screen = self.0.lock();
            screen.1 += n;
            let lines = screen.1 + 1;
            if screen.0.len() < lines {
                screen.0.resize(lines, String::new());
            }
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.move_cursor_down(1)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            let mut screen = self.0.lock();
            let line = screen.1;
            screen.0[line] += text.trim_end();
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            let mut screen = self.0.lock();
            let line = screen.1;
            screen.0[line].clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bars_of_work_that_is_broken_off_are_cleared() {
        let screen = Screen(Arc::new(Mutex::new((vec![String::new()], 0))));
        let shown = || {
            let screen = screen.0.lock();
            screen.0.iter().filter(|line| !line.trim().is_empty()).count()
        };
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        let progress = BarProgress::new(bars);
        progress.report("6.12.57", Stage::Download { done: 1, total: 9 });
        progress.report("kasan", Stage::Compile { done: 3, total: None, file: "x.o".into() });
        progress.report("6.1", Stage::Waiting(FETCHES_IT));
        // bars are drawn only so often a second
        assert!(shown() > 0);
        drop(progress);
        assert_eq!(shown(), 0);
    }

    #[test]
    fn lines_say_what_happens_to_which_kernel() {
        let stages = [
            ("", Stage::Lists),
            ("", Stage::Waiting(ASKS_APT)),
            ("6.17.13", Stage::Waiting(FETCHES_IT)),
            ("kasan", Stage::Waiting(USES_SOURCE)),
            ("6.17.13", Stage::Download { done: 0, total: 50_208_396 }),
            ("6.17.13", Stage::Unpack),
            ("6.17.13", Stage::Ready { bytes: 104_000_000 }),
            ("kasan", Stage::Prepare("the source linux-source-6.12 6.12.57-1".to_string())),
            ("kasan", Stage::Compile { done: 0, total: None, file: String::new() }),
            ("kasan", Stage::Built { bytes: 45_000_000, seconds: 372 }),
            ("", Stage::Warning("the lists are 3 days old".to_string())),
        ];
        let lines: Vec<_> = stages.iter().filter_map(|(kernel, stage)| describe(kernel, stage)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
         Updating Debian's package lists
          Waiting: another process asks apt
          Waiting 6.17.13: another process fetches it
          Waiting kasan: another process compiles this source, or reads it
         Fetching 6.17.13 (50.2 MB)
          Fetched 6.17.13 (104.0 MB stored)
        Preparing kasan: the source linux-source-6.12 6.12.57-1
        Compiling kasan
            Built kasan in 6m12s (45.0 MB stored)
          warning: the lists are 3 days old
        ");
    }
}
