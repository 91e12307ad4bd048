//! Signatures of release files, checked against a keyring that the user has.
//!
//! The cryptography is the crate `pgp`; what it leaves to its user is here: a key counts only while it is neither revoked
//! nor expired, a subkey only if the primary key has bound it for signing and it has agreed (RFC 9580, 5.2.1 and 10.1.5),
//! a signature only if its hash is not one that collides.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};

use crate::kernel::packages::source::SourceError;

/// Where the package `debian-archive-keyring` of the distributions puts the keys.
const PLACES: &[&str] =
    &["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// How far the signer's clock may be ahead.
const CLOCK: Duration = Duration::from_secs(24 * 60 * 60);

/// Keys that may sign.
#[derive(Debug)]
pub(super) struct Keyring {
    path: PathBuf,
    keys: Vec<SignedPublicKey>,
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
        let said = |error: &dyn std::fmt::Display| SourceError::Keyring {
            said: format!("{}: {error}", path.display()),
        };
        let bytes = fs::read(&path).map_err(|error| said(&error))?;
        let (found, _) =
            SignedPublicKey::from_reader_many(Cursor::new(bytes)).map_err(|error| said(&error))?;
        // a key of a kind that is not known here takes nothing from the others
        let keys: Vec<SignedPublicKey> = found.filter_map(Result::ok).collect();
        match keys.is_empty() {
            true => {
                Err(said(&"it has no public key; expected those of an archive, as gpg --export writes them"))
            }
            false => Ok(Keyring { path, keys }),
        }
    }

    /// The text of a clear-signed message, if one of the keys has signed it. The error is a phrase.
    pub(super) fn verify(&self, message: &[u8], now: SystemTime) -> Result<String, String> {
        let text = std::str::from_utf8(message).map_err(|_| "it is no text".to_string())?;
        if !text.starts_with("-----BEGIN PGP SIGNED MESSAGE-----") {
            return Err("it is not signed".to_string());
        }
        let (message, _) = CleartextSignedMessage::from_string(text)
            .map_err(|error| format!("its signature cannot be read: {error}"))?;
        let signed = message.signed_text();
        let usable = |signature: &&Signature| is_usable(signature, now);
        let by_any = |signature: &Signature| {
            self.keys.iter().any(|key| is_signed_by(key, signature, signed.as_bytes(), now))
        };
        match message.signatures().iter().filter(usable).any(by_any) {
            true => Ok(signed),
            false => Err(format!("no key in {} that is in force has signed it", self.path.display())),
        }
    }
}

/// Whether a signature is one over data, with a hash that is fit for it, and in force.
fn is_usable(signature: &Signature, now: SystemTime) -> bool {
    matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary))
        && has_strong_hash(signature)
        && is_in_force(signature, now)
}

fn has_strong_hash(signature: &Signature) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    matches!(signature.hash_alg(), Some(Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512))
}

fn is_in_force(signature: &Signature, now: SystemTime) -> bool {
    let Some(created) = signature.created().map(SystemTime::from) else { return false };
    created <= now + CLOCK
        && !has_ended(created, signature.signature_expiration_time().map(|d| d.as_secs()), now)
}

/// Whether something that began at `created` and was to last for so many seconds (0 is for ever) has ended.
fn has_ended(created: SystemTime, lasts: Option<u32>, now: SystemTime) -> bool {
    lasts.is_some_and(|lasts| lasts > 0 && created + Duration::from_secs(lasts.into()) < now)
}

/// Whether a key or one of its subkeys has made this signature and was allowed to.
fn is_signed_by(key: &SignedPublicKey, signature: &Signature, data: &[u8], now: SystemTime) -> bool {
    let Some(of_primary) = self_signature(key, now) else { return false };
    let by_primary = || of_primary.key_flags().sign() && signature.verify(&key.primary_key, data).is_ok();
    by_primary()
        || key
            .public_subkeys
            .iter()
            .any(|subkey| may_sign(key, subkey, now) && signature.verify(&subkey.key, data).is_ok())
}

/// The newest valid signature of a key over itself; `None` if the key is revoked, has expired, or has none.
fn self_signature(key: &SignedPublicKey, now: SystemTime) -> Option<&Signature> {
    let primary = &key.primary_key;
    let details = &key.details;
    if details.revocation_signatures.iter().any(|revocation| revocation.verify_key(primary).is_ok()) {
        return None;
    }
    let direct = details.direct_signatures.iter().filter(|signature| signature.verify_key(primary).is_ok());
    let over_names = details.users.iter().flat_map(|user| {
        let valid = |signature: &&Signature| {
            signature.is_certification()
                && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        };
        user.signatures.iter().filter(valid)
    });
    let newest = direct
        .chain(over_names)
        .filter(|signature| has_strong_hash(signature) && is_in_force(signature, now))
        .max_by_key(|signature| signature.created())?;
    let lasts = newest.key_expiration_time().map(|d| d.as_secs());
    (!has_ended(primary.created_at().into(), lasts, now)).then_some(newest)
}

/// Whether a subkey is bound to its key for signing, and neither revoked nor expired.
fn may_sign(key: &SignedPublicKey, subkey: &SignedPublicSubKey, now: SystemTime) -> bool {
    let primary = &key.primary_key;
    let valid = |kind: SignatureType| {
        subkey.signatures.iter().filter(move |signature| {
            signature.typ() == Some(kind) && signature.verify_subkey_binding(primary, &subkey.key).is_ok()
        })
    };
    if valid(SignatureType::SubkeyRevocation).next().is_some() {
        return false;
    }
    let newest = valid(SignatureType::SubkeyBinding)
        .filter(|signature| has_strong_hash(signature) && is_in_force(signature, now))
        .max_by_key(|signature| signature.created());
    let Some(binding) = newest else { return false };
    let agreed = binding
        .embedded_signature()
        .is_some_and(|back| back.verify_primary_key_binding(&subkey.key, primary).is_ok());
    let lasts = binding.key_expiration_time().map(|d| d.as_secs());
    binding.key_flags().sign() && agreed && !has_ended(subkey.key.created_at().into(), lasts, now)
}
