//! Records of the kernel's log as `/dev/kmsg` gives them (kernel documentation `ABI/testing/dev-kmsg`).

/// One record of the kernel's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// Its number, from 0 at boot. None is left out in a log that is whole.
    pub seq: u64,
    /// When it was stored, microseconds of the kernel's clock: what the console shows before the text.
    pub micros: u64,
    /// Who wrote it (`syslog(3)`): 0 is the kernel itself, and no program can write that (`devkmsg_write()`).
    pub facility: u32,
    /// How grave it is, 0 to 7.
    pub level: u8,
    /// The text, of one or more lines, without a newline at its end.
    pub text: Vec<u8>,
}

impl LogRecord {
    /// Whether the kernel said it, and not a program through `/dev/kmsg`.
    pub fn is_kernels(&self) -> bool {
        self.facility == 0
    }

    /// Writes it as a console shows it; `told` hears where each of its lines is.
    pub fn print(&self, to: &mut Vec<u8>, mut told: impl FnMut(std::ops::Range<usize>)) {
        let (seconds, micros) = (self.micros / 1_000_000, self.micros % 1_000_000);
        for line in self.text.split(|byte| *byte == b'\n') {
            let start = to.len();
            to.extend_from_slice(format!("[{seconds:5}.{micros:06}] ").as_bytes());
            to.extend_from_slice(line);
            to.push(b'\n');
            told(start..to.len());
        }
    }
}

/// Reads the head of a record, `30,2371,90268421,-;text`. What is behind the text, properties of a device in lines of
/// their own, is passed over. `None`: it has no such form.
pub fn parse(record: &[u8]) -> Option<LogRecord> {
    let record = record.split(|byte| *byte == b'\n').next()?;
    let divide = record.iter().position(|byte| *byte == b';')?;
    let (head, text) = (std::str::from_utf8(&record[..divide]).ok()?, &record[divide + 1..]);
    // more fields may follow, such as the caller's
    let mut fields = head.split(',');
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (priority, seq, micros) = (number()?, number()?, number()?);
    Some(LogRecord {
        seq,
        micros,
        facility: u32::try_from(priority >> 3).ok()?,
        level: (priority & 7) as u8,
        text: unescape(text),
    })
}

/// Undoes `\x0a`, which stands for every byte that is not printable ASCII, and for the backslash itself.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'\\').then(|| after.strip_prefix(b"x")?.get(..2)).flatten();
        let value = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match value {
            Some(value) => {
                plain.push(value);
                rest = &after[3..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(record: &[u8]) -> Option<(u64, u64, u32, u8, String)> {
        let LogRecord { seq, micros, facility, level, text } = parse(record)?;
        Some((seq, micros, facility, level, String::from_utf8_lossy(&text).into_owned()))
    }

    #[test]
    fn records_are_read() {
        type Read<'a> = Option<(u64, u64, u32, u8, &'a str)>;
        let table: &[(&[u8], Read)] = &[
            (b"4,339,5140900,-;WARNING: a\n", Some((339, 5_140_900, 0, 4, "WARNING: a"))),
            (b"12,340,5,-;by a program", Some((340, 5, 1, 4, "by a program"))),
            (
                b"6,1,2,c,caller=T12;more; fields\n SUBSYSTEM=pci\n DEVICE=+pci:0",
                Some((1, 2, 0, 6, "more; fields")),
            ),
            (b"6,1,2,-;two\\x0alines \\x5cx5c \\xzz \\x", Some((1, 2, 0, 6, "two\nlines \\x5c \\xzz \\x"))),
            (b"6,1,2,-;", Some((1, 2, 0, 6, ""))),
            (b"6,1;text", None),
            (b"6,1,2,- text", None),
            (b"", None),
        ];
        for (record, expected) in table {
            let expected = expected
                .map(|(seq, micros, facility, level, text)| (seq, micros, facility, level, text.to_owned()));
            assert_eq!(text(record), expected, "{}", String::from_utf8_lossy(record));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(record: Vec<u8>) {
            let _ = parse(&record);
        }

        #[test]
        fn what_the_kernel_escapes_reads_back(text: Vec<u8>) {
            // msg_print_ext_body()
            let escaped: String = text
                .iter()
                .map(|byte| match byte {
                    b' '..=b'~' if *byte != b'\\' => char::from(*byte).to_string(),
                    _ => format!("\\x{byte:02x}"),
                })
                .collect();
            let read = parse(format!("6,1,2,-;{escaped}\n").as_bytes()).expect("a record");
            proptest::prop_assert_eq!(read.text, text);
        }
    }
}
