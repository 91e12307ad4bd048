use std::path::Path;
use std::time::Duration;

use super::*;
use crate::plan::sample;

fn read(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, text).unwrap();
    let shown = |error: crate::yaml::LoadError| {
        let problems = error.problems().iter().map(|problem| {
            let place = problem.place().replace(&folder.path().display().to_string(), "");
            format!("{place} {problem}")
        });
        problems.collect::<Vec<_>>().join("\n")
    };
    load(&path).map_err(shown)
}

fn active(text: &str, name: &str) -> ActiveProfile {
    ActiveProfile::of(Some(read(text).unwrap_or_else(|error| panic!("{error}"))), name).unwrap()
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let table = [
        "profile: {}\n",
        "profiles:\n  default:\n    retires: 2\n",
        "profiles:\n  default:\n    kernels: 6.12.57\n",
        "profiles:\n  default: {kernels: [], reports: []}\n",
        "profiles:\n  default:\n    kernels: [6.12-6.17, 6.12.57]\n",
        "profiles:\n  default: {filter: 'suit(block)'}\n",
        "profiles:\n  default: {retries: some, timeout: 5, jobs: 0, accel: kwm, fail-fast: perhaps}\n",
        "profiles:\n  default: {reports: [junit, htlm, markdown, tap=a/b, tap=results.tap]}\n",
        "profiles:\n  ci: {inherits: nigthly}\n  nightly:\n",
        "profiles:\n  a: {inherits: b}\n  b: {inherits: c}\n  c: {inherits: b}\n",
        "profiles:\n  default: {inherits: ci}\n  ci:\n",
        "profiles:\n  ci: {inherits: ci}\n",
        "profiles:\n  default:\n    overrides: [{filter: 'suite(a)'}, {retries: 1}, {filter: 'verdict(bad)', retries: 1}]\n",
        "profiles:\n  default: {groups: {slow: {filter: 'suite(a)'}, Big: {filter: all(), max: 2}}}\n",
        "profiles:\n  C I: {}\n",
        "- ci\n",
    ];
    let said: Vec<String> = table.iter().map(|text| read(text).expect_err(text)).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    /kregress.yaml:1:1 unknown key `profile`
    /kregress.yaml:3:5 unknown key `retires`
    /kregress.yaml:3:14 wrong type for `kernels`: expected a list
    /kregress.yaml:2:13 wrong value for `kernels`: expected at least one kernel, such as `[6.12.57]`
    /kregress.yaml:2:26 wrong value for `reports`: expected at least one format of reports, such as `[junit]`
    /kregress.yaml:3:15 `6.12-6.17` is no kernel: a range is written with `..`: `6.12..6.17`
    /kregress.yaml:2:21 the filter cannot be read: there is no predicate `suit`; did you mean `suite`, as in `suite(block)`?
    /kregress.yaml:2:22 wrong value for `retries`: expected a whole number from 0 to 1000
    /kregress.yaml:2:37 wrong value for `timeout`: expected a duration such as `20s`, `2m` or `1m30s`
    /kregress.yaml:2:46 wrong value for `jobs`: expected a whole number from 1 to 10000
    /kregress.yaml:2:56 wrong value for `accel`: expected one of `auto`, `kvm`, `tcg`
    /kregress.yaml:2:72 wrong value for `fail-fast`: expected `true`, `false`, or the number of failures after which no test is begun
    /kregress.yaml:2:30 wrong value for an entry of `reports`: expected a format of reports: summary, matrix, kernels, junit, tap, tap14, kcidb, github, mail, json, markdown, html
    /kregress.yaml:2:36 wrong value for an entry of `reports`: expected the name of its file as well, as this format has none of its own
    /kregress.yaml:2:46 wrong value for an entry of `reports`: expected a file name without a folder, such as `disk.img`
    /kregress.yaml:2:18 wrong value for `inherits`: expected the name of a profile: ci, nightly, default
    /kregress.yaml:3:17 `inherits` goes in a circle: b -> c -> b
    /kregress.yaml:4:17 `inherits` goes in a circle: c -> b -> c
    /kregress.yaml:2:23 the profile `default` inherits from none, as all others do from it
    /kregress.yaml:2:18 `inherits` goes in a circle: ci -> ci
    /kregress.yaml:3:18 the override sets nothing
    /kregress.yaml:3:40 the key `filter` is missing
    /kregress.yaml:3:62 `verdict()` and `duration()` ask for an earlier run, and there is none here
    /kregress.yaml:2:22 the key `max` is missing
    /kregress.yaml:2:50 wrong key: expected lower-case letters, digits and `-`, such as `elevator-switch-race`
    /kregress.yaml:2:3 wrong key: expected lower-case letters, digits and `-`, such as `elevator-switch-race`
    /kregress.yaml:1:1 wrong type: expected a configuration, a mapping (`key: value`)
    ");
}

#[test]
fn a_profile_has_its_own_settings_before_those_that_it_inherits() {
    let text = "\
profiles:
  default: {retries: 1, jobs: 3, overrides: [{filter: all(), retries: 9}], groups: {one: {filter: all(), max: 1}}}
  ci: {retries: 2, fail-fast: 5}
  nightly:
    inherits: ci
    fail-fast: no
    overrides: [{filter: 'suite(a)', retries: 8}]
    groups: {one: {filter: all(), max: 2}}
";
    let retries = |name| active(text, name).get(|p| &p.retries).map(|given| given.value);
    assert_eq!((retries("default"), retries("ci"), retries("nightly")), (Some(1), Some(2), Some(2)));
    let nightly = active(text, "nightly");
    assert_eq!(nightly.get(|p| &p.jobs).map(|given| given.value), Some(3), "through ci and default");
    assert_eq!(nightly.get(|p| &p.fail_fast).map(|given| given.value), Some(StopAfter(None)));
    let at = nightly.get(|p| &p.retries).unwrap().at;
    assert_eq!((at.line, at.column), (3, 17));
    let retries: Vec<_> =
        nightly.overrides().iter().map(|over| over.value.retries.as_ref().unwrap().value).collect();
    assert_eq!(retries, [8, 9], "the profile's own first");
    assert_eq!(nightly.groups().iter().map(|limit| limit.value.group.max).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_profile_that_there_is_not() {
    let config =
        Config { path: Path::new("kregress.yaml").into(), ..read("profiles: {ci: , night: }\n").unwrap() };
    let error = ActiveProfile::of(Some(config), "cii").unwrap_err();
    insta::assert_snapshot!(error.render(false, 100), @"
    configuration::wrong-value

      × kregress.yaml: there is no profile `cii`: expected the name of a profile: ci, night, default
      help: did you mean `ci`?
    ");
    assert!(ActiveProfile::of(None, DEFAULT).is_ok(), "it need not be written down");
    assert!(read("").is_ok() && read("# nothing yet\n\n").is_ok());
    assert!(ActiveProfile::of(Some(read("profiles: {ci: }\n").unwrap()), DEFAULT).is_ok());
}

/// What becomes of a test: attempts, retries and seconds to its end, and the names of its groups.
fn adjusted(text: &str, fixed: Tuning, kernel: &str) -> (u32, Option<u32>, u64, Vec<String>) {
    let profile = active(text, DEFAULT);
    let otherwise = Tuning { timeout: Some(Duration::from_secs(50)), ..Tuning::default() };
    let adjustments = Adjustments::new(profile.overrides(), profile.groups(), otherwise, fixed);
    let test = sample::placed("race", "").test;
    let version = kernel.parse().unwrap();
    let test = adjustments.of(&test, kernel, Some(&version));
    let groups = test.turn.limits.iter().map(|group| group.name.clone()).collect();
    assert!(test.timeout.slow <= test.timeout.terminate);
    (test.dose.attempts, test.turn.retries, test.timeout.terminate.as_secs(), groups)
}

#[test]
fn the_first_override_that_says_something_counts() {
    let text = "\
profiles:
  default:
    overrides:
      - {filter: 'test(race) & kernel(6.12)', retries: 5}
      - {filter: 'suite(s)', retries: 7, attempts: 4, timeout: 20s}
      - {filter: 'suite(other)', attempts: 9}
    groups: {few: {filter: 'kernel(6.12)', max: 2}}
";
    let free = Tuning::default();
    assert_eq!(adjusted(text, free, "6.12.57"), (4, Some(5), 20, vec!["group few".to_owned()]));
    assert_eq!(adjusted(text, free, "6.17.13"), (4, Some(7), 20, vec![]));
    let fixed = Tuning { retries: Some(0), timeout: Some(Duration::from_secs(1)), attempts: None };
    let (attempts, retries, seconds, _) = adjusted(text, fixed, "6.17.13");
    assert_eq!((attempts, retries, seconds), (4, None, 120), "what the command line said is not touched");
    assert_eq!(adjusted("profiles: {default: }\n", free, "6.17.13"), (1, None, 50, vec![]));
}

#[test]
fn cells_that_are_alike_share_a_test() {
    let profile = active("profiles: {default: {overrides: [{filter: 'suite(s)', retries: 7}]}}\n", DEFAULT);
    let none = Tuning::default;
    let adjustments = Adjustments::new(profile.overrides(), profile.groups(), none(), none());
    let test = sample::placed("race", "").test;
    let (a, b) = (adjustments.of(&test, "6.1.1", None), adjustments.of(&test, "6.1.2", None));
    assert!(std::sync::Arc::ptr_eq(&a, &b) && !std::sync::Arc::ptr_eq(&a, &test));
}

#[test]
fn a_run_leaves_the_files_that_its_profile_names() {
    use crate::journal::RunDir;
    use crate::render::{Run, Subject};
    use crate::report::junit::JunitKnown;
    let text = "profiles: {default: {reports: [junit, markdown=summary.md, json=result.json]}}\n";
    let targets = active(text, DEFAULT).get(|p| &p.reports).unwrap().value;
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::at(folder.path());
    let summary = crate::report::sample::finished();
    let subject = Subject::Run(Run { summary: &summary, dir: &dir, junit_known: JunitKnown::default() });
    let files = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(
        write_targets(&subject, &dir, Some(&targets)).unwrap(),
        ["junit.xml", "summary.md", "result.json"]
    );
    assert_eq!(files(), ["junit.xml", "result.json", "summary.md"]);
    assert!(write_targets(&subject, &dir, Some(&[])).unwrap().is_empty(), "none is a choice, too");
    assert!(write_targets(&subject, &dir, None).unwrap().contains(&"index.html".to_owned()));
}
