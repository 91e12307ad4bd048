//! The terminal that bars are drawn on.
//!
//! The cursor waits at the beginning of the first bar, and a picture is erased from there to the end of the screen. Bars that wait
//! for it at their end are found again by counting rows, and are left behind where a terminal that became narrower has
//! wrapped them (seen with tmux 3.3a and indicatif 0.18).

use std::io::{self, Write};

use console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
use parking_lot::Mutex;

/// Pictures a second, at most.
const HERTZ: u8 = 20;

/// Erases from the cursor to the end of the screen (`ED`, ECMA-48).
const ERASE_BELOW: &str = "\r\x1b[J";

/// Where a picture of bars goes.
pub struct Screen<W> {
    out: Mutex<W>,
    size: fn() -> (u16, u16),
    /// What was written of the picture that comes: each line, and behind it the blanks that fill its row.
    written: Mutex<Vec<String>>,
}

impl Screen<io::Stderr> {
    fn stderr() -> Screen<io::Stderr> {
        Screen::new(io::stderr(), || Term::stderr().size())
    }
}

impl<W> Screen<W> {
    /// A terminal with so many rows and columns.
    fn new(out: W, size: fn() -> (u16, u16)) -> Screen<W> {
        Screen { out: Mutex::new(out), size, written: Mutex::default() }
    }
}

impl<W> std::fmt::Debug for Screen<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Screen")
    }
}

/// Bars on standard error. Lines above them are printed by [`print_above`] only.
pub(crate) fn bars() -> MultiProgress {
    let screen = Box::new(Screen::stderr());
    MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(screen, HERTZ))
}

/// Prints lines that stay above the bars.
///
/// # Errors
/// Nobody reads them.
pub(super) fn print_above(bars: &MultiProgress, text: &str) -> io::Result<()> {
    if bars.is_hidden() {
        return Ok(());
    }
    bars.suspend(|| io::stderr().write_all(format!("{text}\n").as_bytes()))
}

/// The rows of a picture: what is longer than a row is cut, so that each line is one.
fn rows(written: &[String], width: usize) -> Vec<String> {
    let lines = written.iter().step_by(2);
    lines.map(|line| console::truncate_str(line, width, "").trim_end().to_owned()).collect()
}

impl<W: Write + Send> TermLike for Screen<W> {
    fn width(&self) -> u16 {
        (self.size)().1
    }

    fn height(&self) -> u16 {
        (self.size)().0
    }

    // each picture is drawn from its beginning, where the cursor is

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.written.lock().extend([line.to_owned(), String::new()]);
        Ok(())
    }

    fn write_str(&self, part: &str) -> io::Result<()> {
        self.written.lock().push(part.to_owned());
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let written = std::mem::take(&mut *self.written.lock());
        let rows = rows(&written, usize::from(self.width()));
        let mut picture = format!("{ERASE_BELOW}{}", rows.join("\r\n"));
        if rows.len() > 1 {
            picture += &format!("\x1b[{}A", rows.len() - 1);
        }
        picture += "\r";
        let mut out = self.out.lock();
        // in one piece: whoever is killed leaves a whole picture
        out.write_all(picture.as_bytes())?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::{ProgressBar, ProgressStyle};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_picture_is_drawn_from_its_beginning_and_the_cursor_goes_back_there() {
        let out = Written::default();
        let screen = Screen::new(out.clone(), || (24, 20));
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(screen)));
        let of_text = ProgressStyle::with_template("{msg}").unwrap();
        let texts = ["\x1b[31mred\x1b[0m and longer than a row", "short"];
        let drawn: Vec<_> = texts
            .iter()
            .map(|text| {
                let bar = bars.add(ProgressBar::new_spinner());
                bar.set_style(of_text.clone());
                bar.set_message(*text);
                bar
            })
            .collect();
        let taken = || String::from_utf8(std::mem::take(&mut *out.0.lock())).unwrap().replace('\x1b', "␛");
        // the last picture; bars are drawn as they come
        let pictures = taken();
        let last = pictures.rsplit("␛[J").next().unwrap();
        assert_eq!(last, "␛[31mred␛[0m and longer than\r\nshort␛[1A\r");
        drawn.iter().for_each(ProgressBar::finish_and_clear);
        bars.clear().unwrap();
        let pictures = taken();
        assert!(pictures.ends_with("\r␛[J\r"), "{pictures:?}");
    }
}
