//! The settings that a suite's `defaults` may give for all its tests: needs, machine, sysctl, dose, times.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Context;
use crate::suite::model::{ACCELS, Clock, DiskNeed, Dose, Hang, MachineNeeds, Needs, Timeouts};
use crate::suite::shape::{DiskShape, TestShape};
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::{quantity, word};

const SLOW: Duration = Duration::from_secs(30);
const TERMINATE: Duration = Duration::from_secs(120);
const HANG_SECONDS: u32 = 20;

/// The words of `machine.clock`.
pub(in crate::suite) const CLOCKS: [(&str, Clock); 2] =
    [("real", Clock::Real), ("time-travel", Clock::TimeTravel)];

/// The value of `section.key`: the test's own or the default.
macro_rules! pick {
    ($context:expr, $shape:expr, $section:ident . $key:ident) => {
        $context.pick(
            stringify!($section),
            stringify!($key),
            $shape.$section.as_ref().and_then(|section| section.$key.as_ref()),
            $context.defaults.$section.as_ref().and_then(|section| section.$key.as_ref()),
        )
    };
}

/// What a test and the defaults of its suite settle together.
pub(in crate::suite) struct Settings {
    pub needs: Needs,
    pub machine: MachineNeeds,
    pub sysctl: BTreeMap<String, String>,
    pub dose: Dose,
    pub timeout: Timeouts,
    pub hang: Hang,
    /// Where some of them come from, for the checks between them.
    pub at: Places,
}

/// The paths of settings that are checked against others.
pub(in crate::suite) struct Places {
    pub disks: KeyPath,
    pub clock: KeyPath,
    pub dose: KeyPath,
    pub slow: KeyPath,
    pub terminate: KeyPath,
    pub hang: KeyPath,
    pub sysctl: [KeyPath; 2],
}

/// Takes each setting from the test, else from the defaults, else from the constants above.
pub(super) fn settings(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> Settings {
    Settings {
        needs: needs(fields, context, shape),
        machine: machine(fields, context, shape),
        sysctl: sysctl(fields, context, shape),
        dose: dose(fields, context, shape),
        timeout: timeout(fields, context, shape),
        hang: hang(fields, context, shape),
        at: Places {
            disks: pick!(context, shape, machine.disks).0,
            clock: pick!(context, shape, machine.clock).0,
            dose: pick!(context, shape, dose.seconds).0,
            slow: pick!(context, shape, timeout.slow).0,
            terminate: pick!(context, shape, timeout.terminate).0,
            hang: pick!(context, shape, hang.seconds).0,
            sysctl: [&context.test, &context.defaults_path].map(|at| at.key("sysctl")),
        },
    }
}

fn needs(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> Needs {
    let (modules_at, modules) = pick!(context, shape, needs.modules);
    let (config_at, config) = pick!(context, shape, needs.config);
    let (kernel_at, kernel) = pick!(context, shape, needs.kernel);
    let (uptime_at, uptime) = pick!(context, shape, needs.uptime);
    Needs {
        modules: fields.list(&modules_at, modules, word::module),
        config: fields.list(&config_at, config, word::config),
        kernel: fields.optional(&kernel_at, kernel, str::parse),
        uptime: fields.optional(&uptime_at, uptime, quantity::duration),
    }
}

fn machine(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> MachineNeeds {
    let (base_at, base) = pick!(context, shape, machine.base);
    let (cpus_at, cpus) = pick!(context, shape, machine.cpus);
    let (memory_at, memory) = pick!(context, shape, machine.memory);
    let (cmdline_at, cmdline) = pick!(context, shape, machine.cmdline);
    let (disks_at, disks) = pick!(context, shape, machine.disks);
    let (clock_at, clock) = pick!(context, shape, machine.clock);
    let (accel_at, accel) = pick!(context, shape, machine.accel);
    let mut needed = Vec::new();
    for (nth, disk) in disks.into_iter().flatten().enumerate() {
        let at = disks_at.index(nth);
        let Some(disk) = disk else {
            fields.missing(&at);
            continue;
        };
        needed.extend(self::disk(fields, &at, disk));
    }
    MachineNeeds {
        base: fields.optional(&base_at, base, word::name).unwrap_or_else(|| "default".to_owned()),
        cpus: fields.optional(&cpus_at, cpus, |text| quantity::within(text, 1..=256)),
        memory_mib: fields.optional(&memory_at, memory, quantity::memory_mib),
        cmdline: fields.list(&cmdline_at, cmdline, word::line),
        disks: needed,
        clock: fields.optional(&clock_at, clock, |text| word::one_of(text, &CLOCKS)).unwrap_or_default(),
        accel: fields.optional(&accel_at, accel, |text| word::one_of(text, &ACCELS)),
    }
}

/// A disk is a copy of an image, or blank.
fn disk(fields: &mut Fields<'_>, at: &KeyPath, shape: &DiskShape) -> Option<DiskNeed> {
    let DiskShape { name, image, blank, variable } = shape;
    let name = fields.required(&at.key("name"), name.as_ref(), word::name);
    let also = fields.optional(&at.key("variable"), variable.as_ref(), word::variable);
    if let (Some(_), Some(_)) = (image, blank) {
        fields.exactly_one(at, &["image", "blank"], &["image", "blank"]);
        return None;
    }
    let blank_mib = fields.optional(&at.key("blank"), blank.as_ref(), quantity::disk_mib);
    let image = match blank {
        Some(_) => None,
        None => Some(fields.required(&at.key("image"), image.as_ref(), word::file_name)?),
    };
    Some(DiskNeed { name: name?, image: image.clone(), blank_mib, also })
        .filter(|_| image.is_some() || blank_mib.is_some())
}

/// Merged key by key: the one setting in which a test adds to the defaults.
fn sysctl(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let layers = [(&context.defaults_path, &context.defaults.sysctl), (&context.test, &shape.sysctl)];
    for (at, layer) in layers {
        for (key, value) in layer.iter().flatten() {
            let at = at.key("sysctl").key(key);
            let value = fields.required(&at, value.as_ref(), word::line);
            match word::sysctl(key) {
                Ok(key) => drop(value.map(|value| settings.insert(key, value))),
                Err(rejection) => fields.reject_key(&at, rejection),
            }
        }
    }
    settings
}

fn dose(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> Dose {
    let (seconds_at, seconds) = pick!(context, shape, dose.seconds);
    let (rounds_at, rounds) = pick!(context, shape, dose.rounds);
    let (attempts_at, attempts) = pick!(context, shape, dose.attempts);
    let (chance_at, chance) = pick!(context, shape, dose.chance);
    Dose {
        seconds: fields.optional(&seconds_at, seconds, |text| quantity::within(text, 1..=86_400)),
        rounds: fields.optional(&rounds_at, rounds, |text| quantity::within(text, 1..=1_000_000_000_000)),
        attempts: fields
            .optional(&attempts_at, attempts, |text| quantity::within(text, 1..=10_000))
            .unwrap_or(1),
        chance: fields.optional(&chance_at, chance, quantity::fraction),
    }
}

fn timeout(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> Timeouts {
    let (slow_at, slow) = pick!(context, shape, timeout.slow);
    let (terminate_at, terminate) = pick!(context, shape, timeout.terminate);
    let terminate = fields.optional(&terminate_at, terminate, quantity::duration).unwrap_or(TERMINATE);
    let slow = fields.optional(&slow_at, slow, quantity::duration).unwrap_or(SLOW.min(terminate));
    Timeouts { slow, terminate }
}

fn hang(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> Hang {
    let (seconds_at, seconds) = pick!(context, shape, hang.seconds);
    let seconds = fields.optional(&seconds_at, seconds, |text| quantity::within(text, 1..=3_600));
    Hang { seconds: seconds.unwrap_or(HANG_SECONDS) }
}
