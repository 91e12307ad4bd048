//! Signatures of release files, checked by `gpgv` with a keyring that the user has.
//!
//! By its exit code and its words gpgv calls good what an expired or a revoked key has signed (2.2.40), so only its status lines
//! count (GnuPG's doc/DETAILS). A signature counts whose hash is not one that collides and whose date is not to come.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::kernel::packages::source::SourceError;

/// The program, of the package of the same name in Debian.
const GPGV: &str = "gpgv";

/// Where the package `debian-archive-keyring` of the distributions puts the keys.
const PLACES: &[&str] =
    &["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// How far the signer's clock may be ahead.
const CLOCK: Duration = Duration::from_secs(24 * 60 * 60);

/// SHA-256, -384 and -512, SHA3-256 and -512 by their numbers (RFC 9580, 9.5).
const STRONG_HASHES: &[&str] = &["8", "9", "10", "12", "14"];

/// Signatures over a file, as it is or as text (RFC 9580, 5.2.1).
const OVER_DATA: &[&str] = &["00", "01"];

/// Keys that may sign.
#[derive(Debug)]
pub(super) struct Keyring {
    path: PathBuf,
    /// The keys as gpgv reads them: it knows no armor.
    keys: File,
    gpgv: PathBuf,
}

impl Keyring {
    /// Reads this keyring, or Debian's where it is installed. It may be binary or armored.
    pub(super) fn find(named: Option<&Path>) -> Result<Keyring, SourceError> {
        let path = match named {
            Some(path) => path.to_path_buf(),
            None => PLACES.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
                SourceError::Keyring { said: format!("neither {} is there", PLACES.join(" nor ")) }
            })?,
        };
        let said =
            |error: &dyn fmt::Display| SourceError::Keyring { said: format!("{}: {error}", path.display()) };
        let bytes = fs::read(&path).map_err(|error| said(&error))?;
        let bytes = dearmored(bytes).map_err(|error| said(&error))?;
        if !begins_with_a_key(&bytes) {
            let what = "it has no public key; expected those of an archive, as gpg --export writes them";
            return Err(said(&what));
        }
        let keys = in_memory(&bytes).map_err(|error| said(&error))?;
        let gpgv = which::which(GPGV).map_err(|_| SourceError::Verifier { program: GPGV })?;
        Ok(Keyring { path, keys, gpgv })
    }

    /// The text of a clear-signed message, if one of the keys has signed it. The error is a phrase.
    pub(super) fn verify(&self, message: &[u8], now: SystemTime) -> Result<String, String> {
        let text = std::str::from_utf8(message).map_err(|_| "it is no text".to_string())?;
        if !text.starts_with("-----BEGIN PGP SIGNED MESSAGE-----") {
            return Err("it is not signed".to_string());
        }
        let keys = format!("/proc/{}/fd/{}", std::process::id(), self.keys.as_raw_fd());
        // the user's own settings and keys are of no concern
        let words =
            ["--homedir", "/nonexistent", "--keyring", &keys, "--status-fd", "2", "--output", "-", "-"];
        let output = duct::cmd(&self.gpgv, words)
            .env("LC_ALL", "C")
            .stdin_bytes(message)
            .stdout_capture()
            .stderr_capture()
            .unchecked()
            .run()
            .map_err(|error| format!("{} cannot be run: {error}", self.gpgv.display()))?;
        let status = String::from_utf8_lossy(&output.stderr);
        match judge(&status, now) {
            Signed::Yes => String::from_utf8(output.stdout).map_err(|_| "it is no text".to_string()),
            Signed::No => Err(format!("no key in {} that is in force has signed it", self.path.display())),
            Signed::Unreadable => {
                let said = status
                    .lines()
                    .find_map(|line| line.strip_prefix("gpgv: "))
                    .unwrap_or("gpgv says nothing");
                Err(format!("its signature cannot be read: {said}"))
            }
        }
    }
}

/// What gpgv says of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Signed {
    Yes,
    No,
    Unreadable,
}

/// Reads gpgv's status lines. Of several signatures one is enough: an archive signs with keys that older keyrings lack.
fn judge(status: &str, now: SystemTime) -> Signed {
    let (mut texts, mut signatures, mut good, mut accepted) = (0, 0, false, false);
    for line in status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "PLAINTEXT" => texts += 1,
            "NEWSIG" => (signatures, good) = (signatures + 1, false),
            "GOODSIG" => good = true,
            "BADSIG" | "ERRSIG" | "EXPSIG" | "EXPKEYSIG" | "REVKEYSIG" => good = false,
            "VALIDSIG" => accepted |= good && is_usable(&words[1..], now),
            _ => {}
        }
    }
    match (texts, signatures) {
        // what stands beside the signed text is none of it
        (1, 1..) if accepted => Signed::Yes,
        (1.., 1..) => Signed::No,
        _ => Signed::Unreadable,
    }
}

/// Whether a signature that is valid is one over data, with a hash that is fit for it, and in force: the words behind VALIDSIG.
fn is_usable(words: &[&str], now: SystemTime) -> bool {
    let [_, _, created, expires, _, _, _, hash, class, ..] = words else { return false };
    let at = |seconds: &str| {
        let seconds = seconds.parse().ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    let (Some(created), Some(ends)) = (at(created), at(expires)) else { return false };
    let is_in_force = created <= now + CLOCK && (*expires == "0" || ends >= now);
    is_in_force && STRONG_HASHES.contains(hash) && OVER_DATA.contains(class)
}

/// The bytes of a keyring without its armor (RFC 9580, 6.2), if it has one.
fn dearmored(bytes: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    const HEADER: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    if !bytes.starts_with(HEADER.as_bytes()) {
        return Ok(bytes);
    }
    let wrong = "its armor is damaged";
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong)?;
    let mut keys = Vec::new();
    for block in text.split(HEADER).skip(1) {
        // the rest of the header's line; headers end at an empty one, the contents at the checksum or the last line
        let contents = block.lines().skip(1).skip_while(|line| !line.trim().is_empty());
        let contents = contents.map(str::trim).take_while(|line| !line.starts_with(['=', '-']));
        let contents: String = contents.collect();
        keys.extend(BASE64_STANDARD.decode(contents).map_err(|_| wrong)?);
    }
    Ok(keys)
}

/// Whether this is a keyring: the first packet is a public key (RFC 9580, 4.2 and 5), or it is a keybox of GnuPG's.
fn begins_with_a_key(bytes: &[u8]) -> bool {
    let is_keybox = bytes.get(8..12) == Some(b"KBXf");
    is_keybox || bytes.first().is_some_and(|first| *first == 0xc6 || first & 0xfc == 0x98)
}

fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("kregress-keyring", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_signature_in_force_counts() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let valid = |created: u64, expires: u64, hash: &str, class: &str| {
            format!("VALIDSIG 1FFF 2026-12-01 {created} {expires} 4 0 22 {hash} {class} 41C4")
        };
        let fine = valid(1_790_000_000, 0, "8", "01");
        let of = |lines: &[&str]| {
            let said: String = lines.iter().map(|line| format!("[GNUPG:] {line}\n")).collect();
            judge(&format!("gpgv: Good signature\n{said}"), now)
        };
        let one = |word: &str, valid: &str| of(&["PLAINTEXT 74 0", "NEWSIG", word, valid]);
        let table = [
            ("good", one("GOODSIG AEE6 An archive", &fine), Signed::Yes),
            ("of an expired key", one("EXPKEYSIG AEE6 An archive", &fine), Signed::No),
            ("of a revoked key", one("REVKEYSIG AEE6 An archive", &fine), Signed::No),
            ("expired", one("EXPSIG AEE6 An archive", &fine), Signed::No),
            ("bad", one("BADSIG AEE6 An archive", ""), Signed::No),
            ("of an unknown key", one("ERRSIG AEE6 22 8 01 1 9", "NO_PUBKEY AEE6"), Signed::No),
            ("SHA-1", one("GOODSIG AEE6 x", &valid(1_790_000_000, 0, "2", "01")), Signed::No),
            ("over a key", one("GOODSIG AEE6 x", &valid(1_790_000_000, 0, "8", "10")), Signed::No),
            ("to come", one("GOODSIG AEE6 x", &valid(1_800_090_000, 0, "8", "00")), Signed::No),
            ("somewhat ahead", one("GOODSIG AEE6 x", &valid(1_800_080_000, 0, "8", "00")), Signed::Yes),
            ("over", one("GOODSIG AEE6 x", &valid(1_790_000_000, 1_799_999_999, "8", "00")), Signed::No),
            ("cut short", one("GOODSIG AEE6 x", "VALIDSIG 1FFF 2026-12-01"), Signed::No),
            (
                "one of two",
                of(&["PLAINTEXT 74 0", "NEWSIG", "ERRSIG AEE6", "NEWSIG", "GOODSIG AEE6 x", &fine]),
                Signed::Yes,
            ),
            (
                "valid, and another one good",
                of(&["PLAINTEXT 74 0", "NEWSIG", "GOODSIG AEE6 x", "NEWSIG", "EXPKEYSIG AEE6 x", &fine]),
                Signed::No,
            ),
            (
                "two texts",
                of(&["PLAINTEXT 74 0", "PLAINTEXT 74 0", "NEWSIG", "GOODSIG AEE6 x", &fine]),
                Signed::No,
            ),
            ("no signature", of(&["NODATA 4"]), Signed::Unreadable),
            ("nothing", judge("", now), Signed::Unreadable),
        ];
        for (name, found, expected) in table {
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn armor_is_taken_off() {
        let armored = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\nmQEN\nBFlA\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";
        let bytes = vec![0x99, 1, 13, 4, 0x59, 0x40];
        assert_eq!(dearmored(armored.into()), Ok(bytes.clone()));
        assert_eq!(dearmored(armored.repeat(2).into()), Ok(bytes.repeat(2)));
        assert_eq!(dearmored(bytes.clone()), Ok(bytes));
        assert!(dearmored("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n?\n".into()).is_err());
    }
}
