//! The command works in any folder: what it carries is there, and a project around the folder comes before it.

use std::fs;
use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;

const SUITE: &str = "suite: mine
summary: of the project
tests:
  - name: one
    summary: nothing is done
    program: {shell: 'true'}
    symptom: {crash: {title: never}}
";

/// Standard output of a command that must succeed in this folder.
fn out(folder: &Path, cache: &Path, arguments: &[&str]) -> String {
    let mut command = cargo_bin_cmd!("kregress");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("KREGRESS_CACHE", cache).env("NO_COLOR", "1").args(arguments);
    let output = command.output().expect("kregress starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const NAMES: &[&str] = &["list", "--format", "names"];

#[test]
fn without_a_project_there_are_the_built_in_suites_and_catalogues() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let carried = out(Path::new(env!("CARGO_MANIFEST_DIR")), cache.path(), NAMES);
    assert!(carried.contains("cifs::fsconfig-source-leak\n"), "{carried}");
    assert_eq!(out(folder.path(), cache.path(), NAMES), carried);
    assert_eq!(out(Path::new("/"), cache.path(), NAMES), carried);
    // of a catalogue that is not Debian's
    let kernels = out(folder.path(), cache.path(), &["kernels", "list", "--available"]);
    assert!(kernels.contains("kasan-6.12.57"), "{kernels}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left in the folder");
}

#[test]
fn a_project_comes_first_wherever_in_it_one_is() {
    let (project, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let below = project.path().join("suites/programs/deep");
    for folder in ["kernels", "vm", "suites/programs/deep"] {
        fs::create_dir_all(project.path().join(folder)).unwrap();
    }
    fs::write(project.path().join("suites/mine.yaml"), SUITE).unwrap();
    for folder in [project.path(), &below] {
        assert_eq!(out(folder, cache.path(), NAMES), "mine::one\n");
        // a suite that the project does not have
        let cifs = out(folder, cache.path(), &["list", "--format", "names", "-s", "cifs"]);
        assert!(cifs.starts_with("cifs::"), "{cifs}");
    }
    // no project without kernels and machines: only its own folder counts
    fs::remove_dir(project.path().join("vm")).unwrap();
    assert_eq!(out(project.path(), cache.path(), NAMES), "mine::one\n");
    assert!(out(&below, cache.path(), NAMES).contains("cifs::"));
    // what is named is all there is
    let suites = project.path().join("suites");
    let named = ["--suites", suites.to_str().unwrap(), "list", "--format", "names"];
    assert_eq!(out(&below, cache.path(), &named), "mine::one\n");
}
