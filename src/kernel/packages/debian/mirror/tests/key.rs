//! An archive's key as these tests have it, made by `gpg` in a home of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether this host has what makes keys and what checks signatures; else that is said.
pub(super) fn tools_are_there() -> bool {
    let missing = ["gpg", "gpgv"].into_iter().find(|tool| which::which(tool).is_err());
    missing.into_iter().for_each(|tool| loud_skip::skip(format_args!("there is no {tool} on this host")));
    missing.is_none()
}

/// A key and its secrets.
pub(super) struct Key {
    home: tempfile::TempDir,
    fingerprint: String,
}

impl Key {
    /// As archives have them: the primary key only certifies, a subkey signs. It is of September 2020.
    pub(super) fn new() -> Key {
        Key::with_usage("cert")
    }

    /// One whose primary key signs as well.
    pub(super) fn that_signs() -> Key {
        Key::with_usage("cert,sign")
    }

    fn with_usage(usage: &str) -> Key {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut key = Key { home, fingerprint: String::new() };
        let born = ["--faked-system-time", "20200913T120000"];
        key.gpg(
            &[&born[..], &["--quick-gen-key", "An archive of a test", "ed25519", usage, "never"]].concat(),
            "",
        );
        let listed = key.gpg(&["--list-keys", "--with-colons"], "");
        let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::"));
        key.fingerprint = fingerprint.expect("a fingerprint").trim_end_matches(':').to_owned();
        let add = ["--quick-add-key", &key.fingerprint, "ed25519", "sign", "never"];
        // a clock of seconds: the first command may have ended in the next one
        let later = ["--faked-system-time", "20200913T121000"];
        key.gpg(&[&later[..], &add].concat(), "");
        key
    }

    /// What goes into a keyring.
    pub(super) fn public(&self) -> Vec<u8> {
        self.run(&["--export"], b"")
    }

    /// The same in letters.
    pub(super) fn armored(&self) -> Vec<u8> {
        self.run(&["--export", "--armor"], b"")
    }

    /// The text, signed with the subkey.
    pub(super) fn signed(&self, text: &str) -> String {
        self.gpg(&["--clearsign"], text)
    }

    /// The text, signed with the primary key.
    pub(super) fn signed_by_primary(&self, text: &str) -> String {
        self.gpg(&["--local-user", &format!("{}!", self.fingerprint), "--clearsign"], text)
    }

    /// The primary key may only certify from now on.
    pub(super) fn only_certify(&self) {
        let edit = ["--no-batch", "--expert", "--command-fd", "0", "--edit-key", &self.fingerprint];
        self.gpg(&edit, "change-usage\nS\nQ\nsave\n");
    }

    pub(super) fn revoke(&self) {
        let path = self.home.path().join("openpgp-revocs.d").join(format!("{}.rev", self.fingerprint));
        // a colon before its first line keeps it from use by accident
        let certificate =
            std::fs::read_to_string(path).expect("gpg makes one").replace("\n:-----", "\n-----");
        self.gpg(&["--import"], &certificate);
    }

    /// It was good for two weeks.
    pub(super) fn expire(&self) {
        let then = ["--faked-system-time", "20200914T120000"];
        self.gpg(&[&then[..], &["--quick-set-expire", &self.fingerprint, "2020-09-27"]].concat(), "");
    }

    fn gpg(&self, words: &[&str], input: &str) -> String {
        String::from_utf8(self.run(words, input.as_bytes())).expect("text")
    }

    fn run(&self, words: &[&str], input: &[u8]) -> Vec<u8> {
        let always = [
            "--batch",
            "--quiet",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            "--homedir",
        ];
        let home = self.home.path().to_str().expect("UTF-8");
        let all = always.iter().chain([&home]).chain(words).copied();
        let output =
            duct::cmd("gpg", all).stdin_bytes(input).stdout_capture().stderr_capture().unchecked().run();
        let output = output.expect("gpg starts");
        assert!(output.status.success(), "gpg {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn home(&self) -> PathBuf {
        Path::new(self.home.path()).to_path_buf()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // its agent would stay
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home()).args(["--kill", "all"]).status();
    }
}
