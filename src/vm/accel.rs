//! KVM or TCG, decided by trying.
//!
//! That `/dev/kvm` opens proves nothing: there are hosts where it does and no stock kernel ever boots. So the first
//! use on a host boots a guest with KVM, and the answer is remembered in the cache for this host and this QEMU.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::Accel;
use crate::machine::AccelNeed;

/// The device that KVM is reached by.
const KVM_DEVICE: &str = "/dev/kvm";

/// How long a trial boot may take. With a KVM that works a stock kernel needs one or two seconds.
pub const TRIAL: Duration = Duration::from_secs(15);

/// What the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccelRequest {
    /// KVM where it works, else TCG.
    #[default]
    Auto,
    /// The host's processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl std::str::FromStr for AccelRequest {
    type Err = String;

    fn from_str(word: &str) -> Result<AccelRequest, String> {
        match word.to_ascii_lowercase().as_str() {
            "auto" => Ok(AccelRequest::Auto),
            "kvm" => Ok(AccelRequest::Kvm),
            "tcg" => Ok(AccelRequest::Tcg),
            _ => Err(format!("{word:?} was found; auto, kvm or tcg was expected")),
        }
    }
}

/// Whether a machine needs KVM where it was decided that there is none.
pub fn is_lacking(need: AccelNeed, accel: Option<Accel>) -> bool {
    need == AccelNeed::Kvm && accel == Some(Accel::Tcg)
}

/// What is used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccelDecision {
    /// What is used.
    pub accel: Accel,
    /// Why, in words.
    pub reason: String,
}

/// What was found out on which host with which QEMU.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    host: String,
    qemu: String,
    #[serde(flatten)]
    choice: AccelDecision,
}

const MEMORY: &str = "accel.json";

/// The most that is remembered: hosts that share a cache, each with some versions of QEMU.
const MOST: usize = 32;

/// Decides for the backend of this version. `trial` boots a guest with KVM and answers how many seconds that took, or why it failed; it is called at
/// most once, and only where nothing is remembered.
pub fn choose(
    request: AccelRequest,
    version: &str,
    cache: &Path,
    trial: impl FnOnce() -> Result<f64, String>,
) -> AccelDecision {
    match request {
        AccelRequest::Kvm => return AccelDecision { accel: Accel::Kvm, reason: "asked for".into() },
        AccelRequest::Tcg => return AccelDecision { accel: Accel::Tcg, reason: "asked for".into() },
        AccelRequest::Auto => {}
    }
    if let Err(error) = fs::File::options().read(true).write(true).open(KVM_DEVICE) {
        return AccelDecision { accel: Accel::Tcg, reason: format!("{KVM_DEVICE}: {error}") };
    }
    let (host, qemu) = (host(), version.to_owned());
    if let Some(choice) = recall(cache, &host, &qemu) {
        return choice;
    }
    let choice = match trial() {
        Ok(seconds) => {
            AccelDecision { accel: Accel::Kvm, reason: format!("a trial boot took {seconds:.1} s") }
        }
        Err(why) => AccelDecision {
            accel: Accel::Tcg,
            reason: format!("{KVM_DEVICE} opens, but a trial boot failed: {why}"),
        },
    };
    // a cache that cannot be written costs the next run another trial, not this run
    let _ = remember(cache, Remembered { host, qemu, choice: choice.clone() });
    choice
}

/// What runs guests that are not of the host's architecture.
pub fn of_another(request: AccelRequest, name: &str) -> AccelDecision {
    match request {
        AccelRequest::Kvm => AccelDecision { accel: Accel::Kvm, reason: "asked for".into() },
        _ => AccelDecision { accel: Accel::Tcg, reason: format!("{name} is not this host's architecture") },
    }
}

/// Forgets what was found out, so that the next use tries again.
pub fn forget(cache: &Path) {
    let _ = fs::remove_file(cache.join(MEMORY));
}

/// What is remembered for this host and the backend of this version.
pub fn remembered(cache: &Path, version: &str) -> Option<AccelDecision> {
    recall(cache, &host(), version)
}

fn recall(cache: &Path, host: &str, qemu: &str) -> Option<AccelDecision> {
    let known = all(cache).into_iter().find(|known| known.host == host && known.qemu == qemu);
    known.map(|known| known.choice)
}

/// Everything that is remembered. Earlier versions remembered one thing.
fn all(cache: &Path) -> Vec<Remembered> {
    let text = fs::read(cache.join(MEMORY)).unwrap_or_default();
    let one = || serde_json::from_slice(&text).map(|one| vec![one]);
    serde_json::from_slice(&text).or_else(|_| one()).unwrap_or_default()
}

/// Beside what is known of others: one run may have guests in two versions of QEMU, and a trial takes [`TRIAL`] where KVM fails.
fn remember(cache: &Path, what: Remembered) -> std::io::Result<()> {
    fs::create_dir_all(cache)?;
    let mut known = all(cache);
    known.retain(|known| (&known.host, &known.qemu) != (&what.host, &what.qemu));
    known.drain(..known.len().saturating_sub(MOST - 1));
    known.push(what);
    crate::atomic_file::write(&cache.join(MEMORY), &serde_json::to_vec_pretty(&known)?)
}

/// A host differs from another by its machine id and its kernel: a cache may be shared or copied, and another kernel
/// may bring another KVM.
pub(super) fn host() -> String {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let uname = rustix::system::uname();
    format!("{} {} {}", id.trim(), uname.nodename().to_string_lossy(), uname.release().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_wish_is_granted_without_a_trial() {
        let cache = tempfile::tempdir().unwrap();
        for (request, accel) in [(AccelRequest::Kvm, Accel::Kvm), (AccelRequest::Tcg, Accel::Tcg)] {
            let choice = choose(request, "7.0.0", cache.path(), || panic!("a trial"));
            assert_eq!(choice.accel, accel);
        }
    }

    #[test]
    fn the_answer_is_remembered_for_this_qemu() {
        let cache = tempfile::tempdir().unwrap();
        let choice = AccelDecision { accel: Accel::Tcg, reason: "tried".into() };
        let what = Remembered { host: host(), qemu: "7.0.0".into(), choice: choice.clone() };
        remember(cache.path(), what).unwrap();
        assert_eq!(remembered(cache.path(), "7.0.0"), Some(choice));
        assert_eq!(remembered(cache.path(), "8.0.0"), None);
        forget(cache.path());
        assert_eq!(remembered(cache.path(), "7.0.0"), None);
    }

    #[test]
    fn each_qemu_has_its_answer() {
        let cache = tempfile::tempdir().unwrap();
        let choice = |reason: &str| AccelDecision { accel: Accel::Tcg, reason: reason.into() };
        let tried = |qemu: &str| Remembered { host: host(), qemu: qemu.into(), choice: choice(qemu) };
        // as it was written when only one was remembered
        fs::write(cache.path().join(MEMORY), serde_json::to_vec(&tried("7.0.0")).unwrap()).unwrap();
        remember(cache.path(), tried("8.0.0")).unwrap();
        for qemu in ["7.0.0", "8.0.0"] {
            assert_eq!(remembered(cache.path(), qemu), Some(choice(qemu)));
        }
        let again = Remembered { choice: choice("again"), ..tried("7.0.0") };
        remember(cache.path(), again).unwrap();
        assert_eq!(remembered(cache.path(), "7.0.0"), Some(choice("again")));
        (0..100).for_each(|n| remember(cache.path(), tried(&format!("9.0.{n}"))).unwrap());
        assert_eq!(all(cache.path()).len(), MOST);
        assert_eq!(remembered(cache.path(), "9.0.99"), Some(choice("9.0.99")));
        fs::write(cache.path().join(MEMORY), "damaged").unwrap();
        assert_eq!(remembered(cache.path(), "9.0.99"), None);
    }

    #[test]
    fn a_failed_trial_means_tcg_and_says_why() {
        if fs::File::options().read(true).write(true).open(KVM_DEVICE).is_err() {
            return loud_skip::optional(format_args!("{KVM_DEVICE} cannot be opened here"));
        }
        let cache = tempfile::tempdir().unwrap();
        let choice = choose(AccelRequest::Auto, "7.0.0", cache.path(), || Err("no word".into()));
        assert_eq!(choice.accel, Accel::Tcg);
        assert!(choice.reason.ends_with("a trial boot failed: no word"), "{}", choice.reason);
        let again = choose(AccelRequest::Auto, "7.0.0", cache.path(), || panic!("a second trial"));
        assert_eq!(again, choice);
    }
}
