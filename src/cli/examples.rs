//! The worked examples of `docs/ci.md` are held to what the command takes.

use regex::Regex;
use serde_json::Value;

use super::definition;
use crate::report::ExitStatus;

const PAGE: &str = include_str!("../../docs/ci.md");

/// The blocks of YAML, read.
fn blocks() -> Vec<Value> {
    let texts = PAGE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    texts.map(|text| serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))).collect()
}

/// The command lines, with values for what CI systems and shells put in.
fn commands() -> Vec<Vec<String>> {
    let values = [
        ("${{ matrix.kernels }}", "6.12.57,6.17.13"),
        ("${{ matrix.partition }}", "slice:2/4"),
        ("$KERNELS", "6.12.57"),
        ("$PARTITION", "slice:1/1"),
        ("$((JOB_COMPLETION_INDEX + 1))", "1"),
        ("$JOB_COMPLETION_INDEX", "0"),
    ];
    let page = values.iter().fold(PAGE.to_owned(), |page, (from, to)| page.replace(from, to));
    let command = Regex::new(r"(?m)(?:- |\$ |\(|exec |run: )(kregress [^\n)>]*)").unwrap();
    let words = |line: &str| line.replace('"', "").split_whitespace().map(str::to_owned).collect();
    command.captures_iter(&page).map(|found| words(&found[1])).collect()
}

#[test]
fn their_commands_are_taken() {
    let commands = commands();
    assert_eq!(commands.len(), 7, "{commands:?}");
    let has_partition = definition()
        .find_subcommand("run")
        .is_some_and(|run| run.get_arguments().any(|argument| argument.get_id() == "partition"));
    for mut words in commands {
        assert!(!words.iter().any(|word| word.contains('$')), "{words:?} has a value that is not known");
        if let Some(at) = words.iter().position(|word| word == "--partition").filter(|_| !has_partition) {
            words.drain(at..at + 2);
        }
        let parsed = definition().try_get_matches_from(&words);
        assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
    }
}

#[test]
fn they_ask_for_what_a_job_has() {
    let job = crate::plan::jobs::by_kernel(&[("6.12.57".to_owned(), 1)], 1).remove(0);
    let job = serde_json::to_value(job).unwrap();
    let asked = Regex::new(r"matrix\.([a-z]+) ").unwrap();
    let keys: Vec<&str> = asked.captures_iter(PAGE).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(keys.len() >= 3, "{keys:?}");
    assert!(keys.iter().all(|key| job.get(key).is_some()), "{keys:?} of {job}");
    let [github, parent, child, _] = blocks().try_into().expect("four files");
    assert_eq!(github["jobs"]["run"]["strategy"]["fail-fast"], false);
    assert_eq!(parent["kernels"]["trigger"]["include"][0]["artifact"], "matrix.yml");
    assert_eq!(child["run"]["extends"], ".kregress-matrix");
    assert_eq!(child["run"]["retry"]["exit_codes"], ExitStatus::NotJudged as i32);
}

#[test]
fn the_indexed_job_has_every_slice_and_knows_the_exit_codes() {
    let spec = blocks().pop().unwrap()["spec"].clone();
    let slices = Regex::new(r"slice:\$\(\(JOB_COMPLETION_INDEX \+ 1\)\)/(\d+)").unwrap();
    let of: u64 = slices.captures(PAGE).unwrap()[1].parse().unwrap();
    assert_eq!(spec["completions"], of, "indexes from 0 are the slices from 1 to the last");
    assert_eq!(
        (&spec["completionMode"], &spec["template"]["spec"]["restartPolicy"]),
        (&"Indexed".into(), &"Never".into())
    );
    let rules = spec["podFailurePolicy"]["rules"].as_array().unwrap();
    let shown: Vec<String> = rules
        .iter()
        .map(|rule| {
            let codes = &rule["onExitCodes"]["values"][0];
            format!("{} {} {}", rule["action"], codes, rule["onPodConditions"][0]["type"])
        })
        .collect();
    let (found, not_judged) = (ExitStatus::TestsFailed as i32, ExitStatus::NotJudged as i32);
    assert_eq!(
        shown,
        [
            "\"Ignore\" null \"DisruptionTarget\"".to_owned(),
            format!("\"FailIndex\" {found} null"),
            format!("\"Count\" {not_judged} null"),
        ]
    );
}
