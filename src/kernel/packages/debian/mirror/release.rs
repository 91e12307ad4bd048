//! A suite's release file: what it is called, how long it is valid, and which lists belong to it.
//!
//! The format is described in Debian's wiki ("RepositoryFormat"): fields of `deb822`, of which `SHA256` has one line a
//! file, with its hash, size and path below the suite's folder.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// How far this host's clock may be behind the mirror's.
const CLOCK: Duration = Duration::from_secs(24 * 60 * 60);

/// What Debian calls itself in release files; the second is that of the backports' suites.
const ORIGINS: &[&str] = &["Debian", "Debian Backports"];

/// What a release file says.
#[derive(Debug, Default)]
pub(super) struct Release {
    origin: String,
    suite: String,
    codename: String,
    date: Option<SystemTime>,
    valid_until: Option<SystemTime>,
    /// Whether files are there under their hashes, too.
    pub by_hash: bool,
    files: Vec<ReleaseEntry>,
}

/// A file that a release file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReleaseEntry {
    /// Below the suite's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

impl Release {
    /// Reads the text of a release file. The error is a phrase.
    pub(super) fn parse(text: &str) -> Result<Release, String> {
        let mut release = Release::default();
        let mut field = "";
        for line in text.lines() {
            if let Some(file) = line.strip_prefix(' ') {
                if field == "SHA256" {
                    let words: Vec<&str> = file.split_whitespace().collect();
                    let [sha256, size, path] = words[..] else {
                        return Err(format!("`{}` is no line of its SHA256 field", file.trim()));
                    };
                    let size = size.parse().map_err(|_| format!("`{size}` is no size of {path}"))?;
                    release.files.push(ReleaseEntry {
                        path: path.to_string(),
                        size,
                        sha256: sha256.to_ascii_lowercase(),
                    });
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            field = name;
            let value = value.trim();
            match name {
                "Origin" => release.origin = value.to_string(),
                "Suite" => release.suite = value.to_string(),
                "Codename" => release.codename = value.to_string(),
                "Date" => release.date = Some(time(value)?),
                "Valid-Until" => release.valid_until = Some(time(value)?),
                "Acquire-By-Hash" => release.by_hash = value == "yes",
                _ => {}
            }
        }
        Ok(release)
    }

    /// Whether it is Debian's release file of this suite, and in force. The error is a phrase.
    pub(super) fn check(&self, suite: &str, now: SystemTime) -> Result<(), String> {
        if !ORIGINS.contains(&self.origin.as_str()) {
            return Err(format!("its origin is `{}`, expected `Debian`", self.origin));
        }
        if ![&self.suite, &self.codename].contains(&&suite.to_string()) {
            return Err(format!("it is of {} ({}), expected {suite}", self.codename, self.suite));
        }
        let date = self.date.ok_or("it has no date")?;
        if date > now + CLOCK {
            return Err("its date is in the future; check this host's clock".to_string());
        }
        match self.valid_until {
            Some(end) if end < now => {
                Err("it has expired; check this host's clock and the mirror".to_string())
            }
            _ => Ok(()),
        }
    }

    /// The file of this path.
    pub(super) fn file(&self, path: &str) -> Option<ReleaseEntry> {
        self.files.iter().find(|file| file.path == path).cloned()
    }
}

/// A time as release files write it: `Sat, 15 Nov 2025 10:12:06 UTC`.
fn time(value: &str) -> Result<SystemTime, String> {
    let failed = |error: jiff::Error| format!("`{value}` is no date: {error}");
    let numeric = value.replace("UTC", "+0000");
    let zoned = jiff::fmt::rfc2822::parse(&numeric).map_err(failed)?;
    Ok(SystemTime::from(Timestamp::from(zoned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: Sat, 15 Nov 2025 10:12:06 UTC\n\
        Valid-Until: Sat, 22 Nov 2025 10:12:06 UTC\nAcquire-By-Hash: yes\nMD5Sum:\n 00 1 x\nSHA256:\n \
        AB 12 main/binary-amd64/Packages.xz\n";

    fn at(text: &str) -> SystemTime {
        time(text).expect("a date")
    }

    #[test]
    fn reads_what_belongs_to_a_suite() {
        let release = Release::parse(TEXT).expect("a good file");
        assert!(release.by_hash);
        let listed =
            ReleaseEntry { path: "main/binary-amd64/Packages.xz".into(), size: 12, sha256: "ab".into() };
        assert_eq!(release.file("main/binary-amd64/Packages.xz"), Some(listed));
        assert_eq!(release.file("x"), None, "the weak sums are not believed");
    }

    #[test]
    fn is_in_force_for_its_suite_and_its_time_only() {
        let now = "Sun, 16 Nov 2025 00:00:00 UTC";
        let table = [
            (TEXT.to_string(), "trixie", now, None),
            (TEXT.to_string(), "stable", now, None),
            (TEXT.replace("Origin: Debian", "Origin: Debian Backports"), "trixie", now, None),
            (TEXT.to_string(), "sid", now, Some("it is of trixie (stable), expected sid")),
            (
                TEXT.replace("Origin: Debian", "Origin: X"),
                "trixie",
                now,
                Some("its origin is `X`, expected `Debian`"),
            ),
            (
                TEXT.to_string(),
                "trixie",
                "Sun, 23 Nov 2025 00:00:00 UTC",
                Some("it has expired; check this host's clock and the mirror"),
            ),
            (
                TEXT.to_string(),
                "trixie",
                "Sun, 09 Nov 2025 00:00:00 UTC",
                Some("its date is in the future; check this host's clock"),
            ),
        ];
        for (text, suite, now, expected) in table {
            let result = Release::parse(&text).and_then(|release| release.check(suite, at(now)));
            assert_eq!(result.err().as_deref(), expected, "{suite} {now}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,200}|SHA256:\n( [a-f0-9]{0,4} [0-9]{0,3} x\n){0,3}|Date: .{0,30}") {
            let _ = Release::parse(&text);
        }
    }
}
