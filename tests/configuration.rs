//! `kregress.yaml` and the command: what a setting is and where it comes from.

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

const SUITE: &str = "\
suite: shell
summary: two tests
tests:
  - name: one
    summary: does nothing
    program: {shell: 'true'}
    symptom: {crash: {title: '^WARNING'}}
  - name: two
    summary: does nothing either
    program: {shell: 'true'}
    symptom: {reported: {matching: leak}}
";

const CONFIG: &str = "\
profiles:
  default:
    kernels: [6.12.57, 6.17.13]
    filter: test(one)
    retries: 4
    overrides:
      - {filter: 'suite(shell)', retries: 1, timeout: 60s}
    groups:
      few: {filter: 'suite(shell)', max: 1}
  ci:
    fail-fast: 3
    attempts: 2
    reports: [junit, markdown=summary.md]
  broken:
    inherits: ci
    kernels: [./nosuch]
";

/// A folder with a suite, and perhaps a configuration.
struct Place(TempDir);

impl Place {
    fn new(config: Option<&str>) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.write("suites/shell.yaml", SUITE);
        if let Some(config) = config {
            place.write("kregress.yaml", config);
        }
        place
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Exit code, standard output and standard error.
    fn run_in(
        &self,
        folder: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> (i32, String, String) {
        let mut command = cargo_bin_cmd!("kregress");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_")) {
            command.env_remove(name);
        }
        let folder = self.0.path().join(folder);
        command.current_dir(folder).env("KREGRESS_CACHE", self.0.path().join("cache")).env("NO_COLOR", "1");
        let output = command.envs(environment.iter().copied()).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(&self.0.path().display().to_string(), "PLACE")
        };
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    /// Standard output of a command that must succeed.
    fn says(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let (code, out, err) = self.run_in("", arguments, environment);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    }
}

#[test]
fn every_setting_says_where_it_comes_from() {
    insta::assert_snapshot!(Place::new(None).says(&["show-config"], &[]), @"
    # there is no kregress.yaml in this folder or above
    kernels         [6.12.57, 6.12.117, 6.17.13, 7.2.13]  # default
    filter          (every test)                          # default
    attempts        (as each suite says)                  # default
    timeout         (as each suite says)                  # default
    retries         2                                     # default
    boot-timeout    2m                                    # default
    jobs            (as many as the host carries)         # default
    accel           auto                                  # default
    fail-fast       (runs everything)                     # default
    junit-known     skipped                               # default
    status-level    all                                   # default
    failure-output  immediate                             # default
    reports         (those of every run)                  # default
    ");
    let place = Place::new(Some(CONFIG));
    insta::assert_snapshot!(place.says(&["show-config"], &[]), @"
    # profile default of kregress.yaml
    kernels         [6.12.57, 6.17.13]                               # kregress.yaml:3:5
    filter          test(one)                                        # kregress.yaml:4:13
    attempts        (as each suite says)                             # default
    timeout         (as each suite says)                             # default
    retries         4                                                # kregress.yaml:5:14
    boot-timeout    2m                                               # default
    jobs            (as many as the host carries)                    # default
    accel           auto                                             # default
    fail-fast       (runs everything)                                # default
    junit-known     skipped                                          # default
    status-level    all                                              # default
    failure-output  immediate                                        # default
    reports         (those of every run)                             # default
    groups.few      {filter: suite(shell), max: 1}                   # kregress.yaml:9:21
    overrides[0]    {filter: suite(shell), retries: 1, timeout: 1m}  # kregress.yaml:7:18
    ");
    let arguments =
        ["show-config", "--profile", "ci", "-k", "!6.12.57", "two", "--timeout", "90s", "--no-fail-fast"];
    insta::assert_snapshot!(place.says(&arguments, &[("KREGRESS_RETRIES", "0")]), @"
    # profile ci of kregress.yaml
    kernels         [6.12.57, 6.17.13, !6.12.57]    # --kernel
    filter          (as the command line says)      # FILTER
    attempts        2                               # kregress.yaml:12:15
    timeout         1m30s                           # --timeout
    retries         0                               # KREGRESS_RETRIES
    boot-timeout    2m                              # default
    jobs            (as many as the host carries)   # default
    accel           auto                            # default
    fail-fast       (runs everything)               # --no-fail-fast
    junit-known     skipped                         # default
    status-level    all                             # default
    failure-output  immediate                       # default
    reports         [junit, markdown=summary.md]    # kregress.yaml:13:5
    groups.few      {filter: suite(shell), max: 1}  # kregress.yaml:9:21
    overrides[0]    {filter: suite(shell)}          # kregress.yaml:7:18
    ");
    assert_eq!(
        place.says(&["show-config"], &[("KREGRESS_PROFILE", "ci")]),
        place.says(&["show-config", "--profile", "ci"], &[]),
    );
}

#[test]
fn programs_read_the_settings_too() {
    let place = Place::new(Some(CONFIG));
    let out = place.says(&["show-config", "--format", "json", "-j", "3"], &[("KREGRESS_ACCEL", "tcg")]);
    let read: serde_json::Value = serde_json::from_str(&out).unwrap();
    let of = |name: &str| {
        let settings = read["settings"].as_array().unwrap();
        settings
            .iter()
            .find(|setting| setting["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {out}"))
            .clone()
    };
    assert_eq!(of("jobs")["value"], 3);
    assert_eq!(of("jobs")["origin"]["from"], "option");
    assert_eq!(of("accel")["origin"]["name"], "KREGRESS_ACCEL");
    assert_eq!(of("retries")["origin"]["line"], 5);
    assert_eq!(of("attempts")["value"], serde_json::Value::Null);
    assert_eq!(read["config"], "kregress.yaml");
}

#[test]
fn a_run_has_the_kernels_and_tests_of_its_profile() {
    let place = Place::new(Some(CONFIG));
    let run = |folder: &str, more: &[&str], environment: &[(&str, &str)]| {
        let arguments = [&["run", "--dry-run"], more].concat();
        let (code, out, err) = place.run_in(folder, &arguments, environment);
        let cells = out.lines().filter_map(|line| line.split_whitespace().next());
        (code, cells.collect::<Vec<_>>().join(" "), err)
    };
    let cells = |more: &[&str], environment: &[(&str, &str)]| run("", more, environment).1;
    assert_eq!(cells(&[], &[]), "shell::one@6.12.57 shell::one@6.17.13");
    assert_eq!(cells(&["-k", "!6.12.57"], &[]), "shell::one@6.17.13", "it takes away from the profile's");
    assert_eq!(cells(&["-k", "7.2.13"], &[]), "shell::one@7.2.13");
    assert_eq!(cells(&[], &[("KREGRESS_KERNELS", "7.2.13")]), "shell::one@7.2.13");
    assert_eq!(
        cells(&["two"], &[]),
        "shell::two@6.12.57 shell::two@6.17.13",
        "words take the filter's place"
    );
    assert_eq!(cells(&["-E", "test(two)", "-k", "7.2.13"], &[]), "shell::two@7.2.13");
    std::fs::create_dir_all(place.0.path().join("deep/below")).unwrap();
    assert_eq!(run("deep/below", &[], &[]).1, "shell::one@6.12.57 shell::one@6.17.13", "found upward");
    let (code, _, err) = run("", &["--profile", "broken"], &[]);
    assert_eq!(code, 96);
    assert!(err.starts_with("error: cannot read ./nosuch"), "{err}");
}

#[test]
fn what_cannot_be_read_says_where() {
    let place = Place::new(Some("profiles:\n  ci:\n    retires: 3\n"));
    let (code, _, err) = place.run_in("", &["run", "--dry-run"], &[]);
    assert_eq!(code, 96);
    insta::assert_snapshot!(err, @"
    Error: configuration::unknown-key

      × unknown key `retires`
       ╭─[kregress.yaml:3:5]
     2 │   ci:
     3 │     retires: 3
       ·     ───┬───
       ·        ╰── no such key here
       ╰────
      help: did you mean `retries`? (the keys here are: inherits, kernels, filter,
            attempts, retries, timeout, boot-timeout, fail-fast, jobs, accel,
            reports, junit-known, status-level, failure-output, groups, overrides)
    ");
    assert_eq!(place.run_in("", &["list"], &[]).0, 0, "what takes no settings reads none");
    let (code, _, err) = place.run_in("suites", &["run", "--dry-run", "--profile", "x"], &[]);
    assert_eq!(code, 96, "{err}");
    let (code, _, err) = Place::new(None).run_in("", &["run", "--dry-run", "--profile", "x"], &[]);
    assert_eq!(code, 96);
    insta::assert_snapshot!(err, @r#"error: there is no kregress.yaml in this folder or above, so there is no profile "x" either"#);
}

#[test]
fn what_is_no_file_is_not_passed_over() {
    let place = Place::new(None);
    let path = place.0.path().join("kregress.yaml");
    std::fs::create_dir(&path).unwrap();
    let said = |folder: &str| {
        let (code, _, err) = place.run_in(folder, &["run", "--dry-run"], &[]);
        assert_eq!(code, 96, "{err}");
        err
    };
    insta::assert_snapshot!(said(""), @"
    Error: configuration::unreadable

      × kregress.yaml: found a folder, expected a configuration file
      help: name a file such as kregress.yaml
    ");
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("moved.yaml", &path).unwrap();
    insta::assert_snapshot!(said(""), @"
    Error: configuration::unreadable

      × kregress.yaml: found a link to moved.yaml, which is not there, expected a
      │ configuration file
      help: make the link lead to a file, or remove it
    ");
    assert!(said("suites").contains("moved.yaml"), "found upward");
}

#[test]
fn a_profile_that_is_named_has_to_be_there() {
    let place = Place::new(Some(CONFIG));
    for command in
        [&["runs", "list"][..], &["vm", "shell", "6.12.57"], &["list"], &["cache", "list"], &["run"]]
    {
        for arguments in
            [[&["--profile", "nosuch"], command].concat(), [command, &["--profile", "nosuch"]].concat()]
        {
            let (code, _, err) = place.run_in("", &arguments, &[]);
            assert_eq!(code, 96, "{arguments:?}: {err}");
            assert!(
                err.contains("there is no profile `nosuch`: expected the name of a"),
                "{arguments:?}: {err}"
            );
        }
    }
    assert_eq!(place.run_in("", &["runs", "list", "--profile", "ci"], &[]).0, 0);
    // an empty variable is one that is not set; an empty option names nothing
    assert_eq!(place.says(&["show-config"], &[("KREGRESS_PROFILE", "")]), place.says(&["show-config"], &[]));
    assert_eq!(place.run_in("", &["show-config", "--profile", ""], &[]).0, 96);
}

#[test]
fn an_exit_file_that_cannot_be_written_is_said_first() {
    let place = Place::new(Some(CONFIG));
    for file in ["nowhere/exit", "suites"] {
        // before anything else that is wrong
        let (code, out, err) = place.run_in("", &["run", "--profile", "broken", "--exit-file", file], &[]);
        assert_eq!((code, out.as_str()), (96, ""), "{err}");
        assert!(err.starts_with(&format!("error: --exit-file {file}: ")), "{err}");
    }
    assert_eq!(place.run_in("", &["run", "--profile", "broken", "--exit-file", "exit"], &[]).0, 96);
    assert_eq!(std::fs::read_to_string(place.0.path().join("exit")).unwrap(), "96\n");
}

#[test]
fn the_folder_of_a_configuration_is_a_project() {
    let place = Place::new(Some("profiles: {default: {kernels: [./mine/bzImage]}}\n"));
    std::fs::create_dir_all(place.0.path().join("deep")).unwrap();
    let (code, _, err) = place.run_in("deep", &["run", "--dry-run"], &[]);
    assert_eq!(code, 96);
    assert!(err.contains("cannot read PLACE/mine/bzImage"), "{err}");
    assert_eq!(place.run_in("deep", &["list", "--format", "names"], &[]).1, "shell::one\nshell::two\n");
}

/// The words of the configuration are those of the options.
#[test]
fn a_configuration_takes_what_the_options_take() {
    for (key, option, values) in [
        ("accel", "--accel", vec!["auto", "kvm", "tcg"]),
        ("junit-known", "--junit-known", vec!["skipped", "failure"]),
        ("status-level", "--status-level", vec!["none", "fail", "retry", "slow", "pass", "all"]),
        ("failure-output", "--failure-output", vec!["immediate", "final", "never"]),
        ("retries", "--retries", vec!["0", "7"]),
        ("attempts", "--attempts", vec!["1", "20"]),
        ("timeout", "--timeout", vec!["90s", "1m30s"]),
        ("boot-timeout", "--boot-timeout", vec!["90s"]),
        ("jobs", "--jobs", vec!["1", "64"]),
    ] {
        for value in values {
            let place = Place::new(Some(&format!("profiles: {{default: {{{key}: {value}}}}}\n")));
            let by_option = Place::new(None).says(&["show-config", option, value, "--format", "json"], &[]);
            let by_file = place.says(&["show-config", "--format", "json"], &[]);
            let value_of = |out: &str| {
                let read: serde_json::Value = serde_json::from_str(out).unwrap();
                let settings = read["settings"].as_array().unwrap().clone();
                settings.into_iter().find(|setting| setting["name"] == key).unwrap()["value"].clone()
            };
            assert_eq!(value_of(&by_option), value_of(&by_file), "{key}: {value}");
            assert!(!value_of(&by_file).is_null(), "{key}: {value}");
        }
    }
}

/// The blocks of a page in this language.
fn blocks<'t>(page: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_documented_file_gives_the_documented_output() {
    let page = include_str!("../docs/configuration.md");
    let place = Place::new(Some(blocks(page, "yaml")[0]));
    let shown = blocks(page, "text")[0];
    let (command, output) = shown.split_once('\n').unwrap();
    assert_eq!(command, "$ KREGRESS_RETRIES=0 kregress show-config --profile nightly -k '!7.2.13' -j 3");
    let arguments = ["show-config", "--profile", "nightly", "-k", "!7.2.13", "-j", "3"];
    assert_eq!(place.says(&arguments, &[("KREGRESS_RETRIES", "0")]), output);
}

#[test]
fn a_matrix_has_every_cell_of_the_plan() {
    let place = Place::new(Some(CONFIG));
    let jobs = |more: &[&str]| -> Vec<(String, String, u64)> {
        let out = place.says(&[&["matrix", "--format", "json"], more].concat(), &[]);
        let jobs = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        jobs.map(|job| (text(&job["kernels"]), text(&job["partition"]), job["cells"].as_u64().unwrap()))
            .collect()
    };
    let job = |kernels: &str, partition: &str, cells| (kernels.to_owned(), partition.to_owned(), cells);
    // the kernels and the filter are the profile's
    assert_eq!(jobs(&[]), [job("6.12.57", "slice:1/1", 1), job("6.17.13", "slice:1/1", 1)]);
    assert_eq!(jobs(&["-E", "all()", "-j", "1"]), [job("6.12.57,6.17.13", "slice:1/1", 4)]);
    let slices = jobs(&["-E", "all()", "--by", "slice", "-j", "3"]);
    let parts: Vec<&str> = slices.iter().map(|(_, partition, _)| partition.as_str()).collect();
    assert_eq!(parts, ["slice:1/3", "slice:2/3", "slice:3/3"]);
    assert_eq!(jobs(&["-E", "kernel(6.17) | test(two)", "two"]).len(), 2);
    let (code, _, err) = place.run_in("", &["matrix", "--format", "github", "-j", "257"], &[]);
    assert_eq!((code, err.as_str()), (2, "error: --jobs 257: this system takes at most 256\n"));
    let (code, ..) = place.run_in("", &["matrix", "--format", "json", "-E", "kernel(5.10)"], &[]);
    assert_eq!(code, 4, "nothing to run");
    let (code, ..) = place.run_in("", &["matrix", "--format", "json", "-E", "verdict(bad)"], &[]);
    assert_eq!(code, 94);
}
