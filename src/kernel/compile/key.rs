//! What tells two builds apart.

use super::BuildRequest;
use super::compiler::Compiler;
use super::fragment::MergedFragments;
use super::patch::Patch;
use super::source::IdentifiedSource;
use crate::arch::{Arch, GUEST};
use crate::kernel::store::sha256;

/// Part of every key: another way of building makes another kernel.
const RECIPE: &str = "kregress build 1";

/// The digest of everything that a build depends on.
pub(super) fn key(
    found: &IdentifiedSource,
    patches: &[Patch],
    composed: &MergedFragments,
    compiler: &Compiler,
    arch: &Arch,
) -> String {
    let patches: Vec<String> = patches.iter().map(Patch::digest).collect();
    let parts = [
        RECIPE,
        &found.identity,
        &patches.join(" "),
        &composed.text(),
        &composed.local_version(),
        &compiler.id,
        &arch.prefix(),
    ];
    // keys of the default architecture are older than the others
    let parts = if arch == GUEST { &parts[..parts.len() - 1] } else { &parts[..] };
    sha256(parts.join("\0").as_bytes())
}

/// The digest of what a request says.
pub(super) fn words(request: &BuildRequest, composed: &MergedFragments) -> String {
    let patches: Vec<String> = request.patches.iter().map(Patch::digest).collect();
    let compiler = request.compiler.as_deref().unwrap_or_default();
    let prefix = request.arch.prefix();
    let recipe = format!("{prefix}{RECIPE}");
    let parts = [&recipe, &request.source.name(), &patches.join(" "), &composed.text(), compiler];
    sha256(parts.join("\0").as_bytes())
}
