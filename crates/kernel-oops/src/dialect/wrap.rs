//! Lines that were broken on their way: by a terminal after so many columns, or by a mail program at a blank.

use memchr::memchr;

use super::super::console::{Context, Line};

/// No terminal or mail program breaks lines of fewer columns …
const LEAST_WIDTH: usize = 40;

/// … and few terminals have fewer than these …
const LEAST_OF_TERMINALS: usize = 80;

/// … and no mail program leaves longer ones.
const MOST_IN_MAIL: usize = 132;

/// A line that has no end in so many bytes is not put together any further.
const MOST_JOINED: usize = 8 << 10;

/// How the lines of a log were broken. Widths are in bytes; a log has few others than those of ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrap {
    /// After exactly so many.
    Hard(usize),
    /// At a blank, so that none has more.
    Soft(usize),
}

impl Wrap {
    /// How the lines of a sample were broken. `at` is where the line begins in it that may begin a report: without a stamp
    /// the parts of a line cannot be told from lines.
    pub(super) fn of(sample: &[u8], at: usize) -> Option<Wrap> {
        if !is_stamped(lines(sample.get(at..)?).next()?) {
            return None;
        }
        let block: Vec<&[u8]> = lines(sample).skip_while(|line| !is_stamped(line)).collect();
        let mut widest = 0;
        let mut breaks = Vec::new();
        let mut inside = false;
        for (number, line) in block.iter().enumerate() {
            inside = is_stamped(line) || inside && is_rest(line);
            if !inside {
                continue;
            }
            widest = widest.max(line.len());
            if let Some(next) = block.get(number + 1).filter(|next| is_rest(next)) {
                breaks.push((line.len(), first_word(next)));
            }
        }
        if breaks.len() < 2 || widest < LEAST_WIDTH {
            return None;
        }
        // two lines that a mail program broke may happen to be equally long
        let by_chance = breaks.len() == 2 && widest < LEAST_OF_TERMINALS;
        if !by_chance && breaks.iter().all(|(len, _)| *len == widest) {
            return Some(Wrap::Hard(widest));
        }
        // a word that is longer than a line leaves a short one before it
        let full = breaks.iter().filter(|(len, word)| len + 1 + word > widest).count();
        let soft = widest <= MOST_IN_MAIL && full >= 2 && full * 4 >= breaks.len() * 3;
        soft.then_some(Wrap::Soft(widest))
    }

    /// The whole line that begins at `start` and is broken at `end`, and where its last part ends; nothing if it is not
    /// broken there.
    pub(super) fn whole(self, log: &[u8], start: usize, end: usize) -> Option<(Vec<u8>, usize)> {
        let mut part = trimmed(&log[start..end]);
        if !is_stamped(part) {
            return None;
        }
        let (mut whole, mut end) = (Vec::new(), end);
        while whole.len() < MOST_JOINED {
            let Some(rest) = log.get(end + 1..) else { break };
            let next_end = memchr(b'\n', rest).map_or(log.len(), |newline| end + 1 + newline);
            let next = trimmed(&log[end + 1..next_end]);
            if !is_rest(next) || !self.breaks(part, next) {
                break;
            }
            if whole.is_empty() {
                whole.extend_from_slice(part);
            }
            if matches!(self, Wrap::Soft(_)) {
                whole.push(b' ');
            }
            whole.extend_from_slice(next);
            (part, end) = (next, next_end);
        }
        (!whole.is_empty()).then_some((whole, end))
    }

    fn breaks(self, part: &[u8], next: &[u8]) -> bool {
        match self {
            Wrap::Hard(width) => part.len() == width,
            Wrap::Soft(width) => part.len() + 1 + first_word(next) > width,
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(trimmed)
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_stamped(line: &[u8]) -> bool {
    Line::parse(line).context != Context::Foreign || has_time_of_a_vendor(line)
}

/// Whether a line begins with a time in brackets that has more in it than the kernel writes, as `[    7.910564@0]`.
fn has_time_of_a_vendor(line: &[u8]) -> bool {
    let Some(stamp) = line.strip_prefix(b"[").map(<[u8]>::trim_ascii_start) else { return false };
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (seconds, end) = (digits(stamp), memchr(b']', stamp));
    (1..=8).contains(&seconds)
        && stamp.get(seconds) == Some(&b'.')
        && digits(&stamp[seconds + 1..]) >= 3
        && end.is_some_and(|end| end < LEAST_WIDTH)
}

/// Whether a line may be the rest of the one before it.
fn is_rest(line: &[u8]) -> bool {
    !line.trim_ascii().is_empty() && !is_stamped(line)
}

fn first_word(line: &[u8]) -> usize {
    line.iter().take_while(|byte| **byte != b' ').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_are_known_and_put_together() {
        let stamp = "[    1.000000] ";
        let soft = format!(
            "{stamp}the first words of a line\nthat is broken at a blank\n{stamp}short\n{stamp}and another line that\nis_broken_there so\n"
        );
        let hard = format!("{0}{1}\nrest\n{0}short\n{0}{1}\nrest\n{0}{1}\r\nrest\n", stamp, "a".repeat(65));
        let mixed =
            format!("{stamp}a line of the kernel that is long\nsshd[7]: hello\n{stamp}short\ninit: hello\n");
        let table = [(&soft, Some(Wrap::Soft(40))), (&hard, Some(Wrap::Hard(80))), (&mixed, None)];
        for (log, wanted) in table {
            assert_eq!(Wrap::of(log.as_bytes(), 0), wanted, "{log}");
        }
        let whole = |log: &str, wrap: Wrap| {
            let end = log.find('\n').unwrap_or(log.len());
            let (line, end) = wrap.whole(log.as_bytes(), 0, end)?;
            Some((String::from_utf8(line).unwrap(), end))
        };
        let (line, end) = whole(&soft, Wrap::Soft(40)).unwrap();
        assert_eq!(line, format!("{stamp}the first words of a line that is broken at a blank"));
        assert_eq!(&soft[end..=end + 1], "\n[");
        assert_eq!(whole(&hard, Wrap::Hard(80)).map(|(line, end)| (line.len(), end)), Some((84, 85)));
        assert_eq!(whole("no stamp\nrest", Wrap::Hard(8)), None);
        assert_eq!(whole(&mixed, Wrap::Hard(8)), None);
    }
}
