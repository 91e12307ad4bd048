//! What no single value can tell: names that stand twice, times that contradict each other, disks from nowhere.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::build::Settings;
use super::model::PrepareStep;
use super::program::{Ends, Program};
use super::shape::TestShape;
use super::symptom::Symptom;
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind::{Contradiction, Duplicate};
use crate::yaml::word::meant;

/// The sysctl that `hang.seconds` sets.
const HUNG_TASK_TIMEOUT: &str = "kernel.hung_task_timeout_secs";

fn tests() -> KeyPath {
    KeyPath::default().key("tests")
}

fn names_of(shapes: &[Option<TestShape>]) -> impl Iterator<Item = (usize, &str)> {
    let named = |shape: &'_ Option<TestShape>| shape.as_ref().is_some_and(|shape| shape.name.is_some());
    shapes
        .iter()
        .enumerate()
        .filter(move |(_, shape)| named(shape))
        .map(|(nth, shape)| (nth, shape.as_ref().and_then(|shape| shape.name.as_deref()).unwrap_or_default()))
}

/// Every test has a name of its own.
pub(super) fn names(fields: &mut Fields<'_>, shapes: &[Option<TestShape>]) {
    let mut first = HashMap::new();
    for (nth, name) in names_of(shapes) {
        let Some(earlier) = first.insert(name, nth) else { continue };
        first.insert(name, earlier);
        let place = |nth: usize| fields.span(&tests().index(nth).key("name"));
        let (here, there) = (place(nth), place(earlier));
        let help = "the name is half of the test's id: make one of them different".to_owned();
        let headline = format!("two tests are named `{name}`");
        fields.report_pair(
            Duplicate,
            headline,
            (here, "again here".into()),
            (there, "first here".into()),
            help,
        );
    }
}

/// A control is the control of another test of the suite.
pub(super) fn controls(fields: &mut Fields<'_>, shapes: &[Option<TestShape>]) {
    let names: Vec<&str> = names_of(shapes).map(|(_, name)| name).collect();
    for (nth, shape) in shapes.iter().enumerate() {
        let Some(TestShape { control_of: Some(other), name, .. }) = shape else { continue };
        if names.contains(&other.as_str()) && name.as_ref() != Some(other) {
            continue;
        }
        let span = fields.span(&tests().index(nth).key("control-of"));
        let help = match meant(other, names.iter().copied().filter(|known| Some(*known) != name.as_deref())) {
            Some(word) => format!("did you mean `{word}`?"),
            None => "name the test that this one is the control of".to_owned(),
        };
        fields.report(
            Contradiction,
            span,
            format!("no other test here is named `{other}`"),
            "which test?".into(),
            help,
        );
    }
}

/// A collection that lies in a userland needs one.
pub(super) fn userland(fields: &mut Fields<'_>, test: &KeyPath, program: Option<&Program>, given: bool) {
    if given || program.is_none_or(|program| program.launch().installs.is_none()) {
        return;
    }
    let at = test.key("program");
    let help = "add `userland: {packages: […]}` with what its tests call, or import the suite".to_owned();
    fields.report(
        Contradiction,
        fields.key_span(&at),
        "a program of this kind runs in a `userland`, and the test has none".to_owned(),
        "in which?".into(),
        help,
    );
}

/// Every disk has a name of its own and an image that some step makes.
pub(super) fn disks(fields: &mut Fields<'_>, test: &KeyPath, settings: &Settings, prepare: &[PrepareStep]) {
    let outputs: Vec<&str> = prepare.iter().map(|step| step.output.as_str()).collect();
    let disks = &settings.machine.disks;
    for (nth, disk) in disks.iter().enumerate() {
        let at = |key: &str| settings.at.disks.index(nth).key(key);
        if disks[..nth].iter().any(|earlier| earlier.name == disk.name) {
            let help = format!("both would be `{}`: rename one", disk.variable());
            let span = fields.span(&at("name"));
            fields.report(
                Duplicate,
                span,
                format!("two disks are named `{}`", disk.name),
                "again here".into(),
                help,
            );
        }
        let Some(image) = disk.image.as_deref() else { continue };
        if outputs.contains(&image) || fields.is_refused(&test.key("prepare")) {
            continue;
        }
        let help = match (meant(image, outputs.iter().copied()), outputs.is_empty()) {
            (Some(output), _) => format!("did you mean `{output}`?"),
            (None, true) => format!("add `prepare: [{{shell: …, output: {image}}}]` to the test"),
            (None, false) => format!("the steps make: {}", outputs.join(", ")),
        };
        let headline = format!("no `prepare` step makes `{image}`");
        fields.report(Contradiction, fields.span(&at("image")), headline, "from nowhere".into(), help);
    }
}

/// The times of a test leave room for what it does.
pub(super) fn times(fields: &mut Fields<'_>, settings: &Settings, symptom: Option<&Symptom>) {
    let Settings { timeout, dose, hang, at, .. } = settings;
    let mut clash = |headline: String, place: (&KeyPath, String), other: (&KeyPath, String), help: &str| {
        let labelled = |(at, label): (&KeyPath, String)| {
            let by = if fields.node(at).is_some() { "" } else { " by default" };
            (fields.span(at), format!("{label}{by}"))
        };
        let (place, other) = (labelled(place), labelled(other));
        fields.report_pair(Contradiction, headline, place, other, help.to_owned());
    };
    let terminate = format!("ended after {}", shown(timeout.terminate));
    if timeout.terminate < timeout.slow {
        let headline = "an attempt would be ended before it counts as slow".to_owned();
        let slow = format!("slow after {}", shown(timeout.slow));
        clash(
            headline,
            (&at.terminate, terminate.clone()),
            (&at.slow, slow),
            "`terminate` must not be below `slow`",
        );
    }
    let seconds = u64::from(dose.seconds.unwrap_or(0));
    if Duration::from_secs(seconds) >= timeout.terminate {
        let headline = "an attempt would be ended before its dose is done".to_owned();
        let help = "raise `timeout.terminate` well above `dose.seconds`, or lower the dose";
        clash(headline, (&at.terminate, terminate.clone()), (&at.dose, format!("runs for {seconds}s")), help);
    }
    let waits_for_hang = symptom.is_some_and(|symptom| symptom.any_part(|traits| traits.is_hung_task));
    let noticed = 2 * u64::from(hang.seconds);
    if waits_for_hang && Duration::from_secs(noticed) >= timeout.terminate {
        let headline = "an attempt would be ended before the kernel reports a hung task".to_owned();
        let hang = format!("a hang is reported after up to {noticed}s");
        let help = "raise `timeout.terminate` or lower `hang.seconds`";
        clash(headline, (&at.terminate, terminate), (&at.hang, hang), help);
    }
}

/// Time passes by leaps only where nothing that the guest waits for is the host's, and where the dose is no time.
pub(super) fn clock(fields: &mut Fields<'_>, settings: &Settings, userland: Option<KeyPath>) {
    let Settings { machine, dose, at, .. } = settings;
    if machine.clock.is_real() {
        return;
    }
    let mut clash = |headline: &str, label: &str, other: (&KeyPath, &str), help: &str| {
        let place = (fields.span(&at.clock), label.to_owned());
        let other = (fields.span(other.0), other.1.to_owned());
        fields.report_pair(Contradiction, headline.to_owned(), place, other, help.to_owned());
    };
    let disk = (!machine.disks.is_empty()).then(|| at.disks.clone());
    if let Some(disk) = disk.or(userland) {
        clash(
            "a disk answers by the host's time, which the guest's would outrun",
            "leaps while the guest waits",
            (&disk, "waits for the host"),
            "remove `machine.clock`: a task that waits for its disk would look hung",
        );
    }
    if dose.seconds.is_some() && dose.rounds.is_none() {
        clash(
            "a dose of seconds would be over at once",
            "leaps over idle seconds",
            (&at.dose, "nothing but seconds"),
            "count the work, with `dose.rounds`, or remove `machine.clock`",
        );
    }
}

/// A program that never ends has a time, and nothing that only an end tells.
pub(super) fn endless(
    fields: &mut Fields<'_>,
    test: &KeyPath,
    settings: &Settings,
    program: &Program,
    symptom: &Symptom,
) {
    if program.launch().ends != Ends::Never {
        return;
    }
    let ends = test.key("program").key("ends");
    if settings.dose.seconds.is_none() && !fields.is_refused(&settings.at.dose) {
        let headline = "a program that never ends needs a time".to_owned();
        let help = "add `dose: {seconds: …}`: the dose is over after so long, whatever the program did";
        fields.report(Contradiction, fields.span(&ends), headline, "for how long?".into(), help.to_owned());
    }
    if settings.dose.rounds.is_some() {
        let headline = "a program that never ends has no rounds".to_owned();
        let help = "remove `dose.rounds`: nothing but the dose's seconds ends it";
        let (here, there) = (fields.span(&settings.at.dose), fields.span(&ends));
        fields.report_pair(
            Contradiction,
            headline,
            (here, "rounds".into()),
            (there, "never ends".into()),
            help.to_owned(),
        );
    }
    if symptom.any_part(|traits| traits.is_exit_code) {
        let headline = "a program that never ends has no exit code".to_owned();
        let help = "say what the kernel shows (`crash`), or have the program report it (`reported`)";
        let (here, there) = (fields.key_span(&test.key("symptom")), fields.span(&ends));
        fields.report_pair(
            Contradiction,
            headline,
            (here, "looks at it".into()),
            (there, "never ends".into()),
            help.to_owned(),
        );
    }
}

fn shown(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

/// The hung-task timeout has a key of its own, which the other times are checked against.
pub(super) fn sysctl(fields: &mut Fields<'_>, settings: &Settings) {
    for key in settings.sysctl.keys().filter(|key| key.replace('/', ".") == HUNG_TASK_TIMEOUT) {
        let candidates = settings.at.sysctl.iter().map(|at| at.key(key));
        let Some(at) = candidates.into_iter().find(|at| fields.node(at).is_some()) else { continue };
        let help = "write `hang: {seconds: …}` instead".to_owned();
        let headline = format!("`{HUNG_TASK_TIMEOUT}` is set by `hang`");
        fields.report(Contradiction, fields.key_span(&at), headline, "not here".into(), help);
    }
}

/// Outputs have names of their own, and so has everything that lies beside the program in the guest.
pub(super) fn file_names(
    fields: &mut Fields<'_>,
    test: &KeyPath,
    script: Option<&str>,
    files: &[PathBuf],
    prepare: &[PrepareStep],
    settings: &Settings,
) {
    let is_image =
        |output: &str| settings.machine.disks.iter().any(|disk| disk.image.as_deref() == Some(output));
    let beside: Vec<&str> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    for (nth, name) in beside.iter().enumerate() {
        if beside[..nth].contains(name) {
            twice(fields, &test.key("files"), name);
        }
        if script == Some(name) {
            over_the_program(fields, &test.key("files").index(nth), name);
        }
    }
    for (nth, step) in prepare.iter().enumerate() {
        let output = step.output.as_str();
        let earlier = prepare[..nth].iter().any(|earlier| earlier.output == output);
        if earlier || (!is_image(output) && beside.contains(&output)) {
            twice(fields, &test.key("prepare").index(nth).key("output"), output);
        }
        if !is_image(output) && script == Some(output) {
            over_the_program(fields, &test.key("prepare").index(nth).key("output"), output);
        }
        let named = |input: &PathBuf| input.file_name().is_some_and(|name| name == output);
        if let Some(input) = step.inputs.iter().position(named) {
            twice(fields, &test.key("prepare").index(nth).key("inputs").index(input), output);
        }
    }
}

/// The program lies in the guest under the test's name.
fn over_the_program(fields: &mut Fields<'_>, at: &KeyPath, name: &str) {
    let headline = format!("a file named `{name}` would take the place of the test's program");
    let help = "the program has the test's name in the guest: rename the file or the test".to_owned();
    fields.report(Duplicate, fields.span(at), headline, "as the test".into(), help);
}

fn twice(fields: &mut Fields<'_>, at: &KeyPath, name: &str) {
    let headline = format!("two files are named `{name}`");
    let help = "they would lie in one folder: rename one".to_owned();
    fields.report(Duplicate, fields.span(at), headline, "again here".into(), help);
}
