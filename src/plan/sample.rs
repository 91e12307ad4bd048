//! Made-up tests and kernels, for tests.

use std::path::PathBuf;
use std::sync::Arc;

use super::PlacedTest;
use crate::kernel::{Flavour, Kernel, KernelConfig, KernelOrigin, ModuleTree};
use crate::machine::Machine;
use crate::suite::Test;

/// A test with this text behind its summary, on the built-in machine.
pub(crate) fn placed(name: &str, text: &str) -> PlacedTest {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("suite.yaml");
    let symptom = if text.contains("symptom:") { "" } else { "  symptom: {exit: {code: 1}}\n" };
    let text = format!(
        "suite: s\nsummary: s\ntests:\n- name: {name}\n  summary: t\n  program: {{shell: 'true'}}\n  {text}\n{symptom}"
    );
    std::fs::write(&path, text).expect("the folder is writable");
    let suite = crate::suite::load_file(&path).unwrap_or_else(|error| panic!("{error:?}"));
    let test: Arc<Test> = Arc::clone(&suite.tests[0]);
    PlacedTest { test, machine: Arc::new(Machine::built_in()), lacking: None }
}

/// A kernel with these modules built in and this configuration.
pub(crate) fn kernel(flavour: Option<Flavour>, builtin: &[&str], config: Option<&str>) -> Arc<Kernel> {
    let release = match flavour {
        Some(Flavour::Cloud) => "6.17.13-cloud-amd64",
        Some(Flavour::Plain) => "6.17.13-amd64",
        None => "6.17.13-mine",
    };
    Arc::new(Kernel {
        name: "6.17.13".to_owned(),
        release: release.to_owned(),
        version: "6.17.13".parse().expect("a version"),
        arch: crate::arch::GUEST,
        flavour,
        image: PathBuf::new(),
        vmlinux: None,
        config: config.map(KernelConfig::parse),
        system_map: None,
        modules: ModuleTree::of_builtin(release, builtin),
        origin: KernelOrigin::Local { image: PathBuf::new(), modules: None },
        digest: String::new(),
    })
}
