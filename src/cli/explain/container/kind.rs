//! What a file is, by its first bytes.

/// A file that is no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::explain) struct Unreadable {
    /// What it is, with its article.
    pub(in crate::cli::explain) what: &'static str,
    /// What to do about it.
    pub(in crate::cli::explain) advice: &'static str,
}

impl Unreadable {
    pub(super) const TOO_DEEP: Unreadable =
        Unreadable { what: "a file that is packed again and again", advice: "unpack it first" };
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this is {}, not a log; {}", self.what, self.advice)
    }
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Read as it is.
    Text,
    /// Read behind a mark of so many bytes.
    Marked(u64),
    Gzip,
    Xz,
    Zstd,
    Utf16 {
        little: bool,
        /// Whether a byte order mark stands in front.
        mark: bool,
    },
    /// A mail, or a folder of them in the mbox format.
    Mail,
    Unreadable(Unreadable),
}

const PHOTO: &str = "a picture of a screen has to be typed off, from the line with BUG, WARNING or Oops to the end of the trace";
const UNPACK: &str = "unpack it and name the log in it";
const DECOMPRESS: &str = "decompress it first; gzip, xz and zstd are read as they are";

/// Formats that are known by their beginning.
const MAGICS: &[(&[u8], &str, &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "a PNG image", PHOTO),
    (b"\xff\xd8\xff", "a JPEG image", PHOTO),
    (b"GIF8", "a GIF image", PHOTO),
    (b"%PDF-", "a PDF document", "copy the text out of it, pdftotext does so"),
    (b"PK\x03\x04", "a ZIP archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"BZh", "a bzip2 file", DECOMPRESS),
    (b"\x04\x22\x4d\x18", "an lz4 file", DECOMPRESS),
    (b"\x02\x21\x4c\x18", "an lz4 file", DECOMPRESS),
    (b"\x89LZO\0", "an lzop file", DECOMPRESS),
    (b"LPKSHHRH", "a journal of systemd", "write it as text: journalctl -k -o short-monotonic --file FILE"),
    (
        b"KDUMP   ",
        "a compressed vmcore of kdump",
        "take the log out of it: vmcore-dmesg FILE, or `log` in crash",
    ),
    (b"makedumpfile\0", "a flattened vmcore of makedumpfile", "take the log out of it with `log` in crash"),
    (b"\x7fELF", "an ELF file", "of a vmcore, vmcore-dmesg takes the log out; of a kernel, no log is in it"),
    (b"PERFILE2", "a recording of perf", "perf script shows it as text"),
    (b"!<arch>\n", "an ar archive or a Debian package", UNPACK),
    (b"SQLite format 3\0", "a SQLite database", "write what is in it as text"),
];

/// Tells what a file is by its head.
pub(super) fn of(head: &[u8]) -> Kind {
    let starts = |magic: &[u8]| head.starts_with(magic);
    if starts(b"\x1f\x8b\x08") {
        return Kind::Gzip;
    }
    if starts(b"\xfd7zXZ\0") {
        return Kind::Xz;
    }
    if starts(b"\x28\xb5\x2f\xfd") || head.get(1..4) == Some(b"\x2a\x4d\x18") && head[0] & 0xf0 == 0x50 {
        return Kind::Zstd;
    }
    if starts(b"\xef\xbb\xbf") {
        return Kind::Marked(3);
    }
    if let Some(little) = utf16(head) {
        return Kind::Utf16 { little, mark: starts(b"\xff\xfe") || starts(b"\xfe\xff") };
    }
    if starts(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Kind::Unreadable(Unreadable { what: "a WebP image", advice: PHOTO });
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Kind::Unreadable(Unreadable { what: "a video or a HEIF image", advice: PHOTO });
    }
    if let Some((_, what, advice)) = MAGICS.iter().find(|(magic, ..)| starts(magic)) {
        return Kind::Unreadable(Unreadable { what, advice });
    }
    if is_mail(head) { Kind::Mail } else { Kind::Text }
}

/// Whether the text is in UTF-16, and whether its lower byte comes first. Without a mark every other byte is 0, as nearly all
/// of a log is ASCII. A console with noise of NUL bytes has no such order.
fn utf16(head: &[u8]) -> Option<bool> {
    match head {
        // the same bytes and two of 0 would be UTF-32, which nobody writes
        [0xff, 0xfe, ..] => return Some(true),
        [0xfe, 0xff, ..] => return Some(false),
        _ => {}
    }
    let sample = &head[..head.len().min(4096) & !1];
    if sample.len() < 16 {
        return None;
    }
    let zeros = |parity| sample.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let (high, low) = (zeros(0), zeros(1));
    let half = sample.len() / 2;
    if low * 10 >= half * 9 && high * 20 <= half {
        Some(true)
    } else if high * 10 >= half * 9 && low * 20 <= half {
        Some(false)
    } else {
        None
    }
}

/// Whether it begins as a mail does, and has a part that is encoded. A mail without one is read as it is.
fn is_mail(head: &[u8]) -> bool {
    if head.starts_with(b"From ") {
        return true;
    }
    let first =
        head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let name = first.iter().position(|byte| *byte == b':').map_or(&b""[..], |at| &first[..at]);
    let is_header = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    is_header
        && head
            .split(|byte| *byte == b'\n')
            .any(|line| super::mail::header(line, b"content-transfer-encoding").is_some())
}
