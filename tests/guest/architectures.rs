//! Guests of another architecture: emulator, shell, compilers and init are fetched and built as for a user.

use super::place::{Place, fetch};

const KERNEL: &str = "arm64:latest:6.12";

#[test]
fn a_program_in_c_runs_on_arm64() {
    let Some(place) = Place::new() else { return };
    if let Err(missing) = fetch(KERNEL) {
        return loud_skip::skip(format_args!("no guest was started: {missing}"));
    }
    place.share("tools").unwrap();
    place.share("agents").unwrap();
    let ended = place.run(&["-s", "architectures", "-k", KERNEL, "--retries", "2", "--boot-timeout", "120s"]);
    if ended.events.is_empty() {
        return loud_skip::skip(format_args!("no guest was started: {}", ended.err));
    }
    assert_eq!(ended.cell("architectures::is-arm64"), "good", "{}", ended.err);
    let cell = ended.event("cell");
    assert_eq!(cell["arch"], "aarch64");
    let (name, release) = (cell["kernel"].as_str().unwrap(), cell["release"].as_str().unwrap());
    assert!(name.starts_with("arm64:6.12.") && release.ends_with("-cloud-arm64"), "{name} {release}");
}
