//! What a test needs of a kernel and of the host, checked without a virtual machine.

use std::fmt;

use super::PlacedTest;
use crate::kernel::{Kernel, ModuleState};
use crate::machine::Machine;
use crate::suite::detector;

/// A need that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// No image of this kernel, or nothing on this host, meets it; in words.
    Settled(String),
    /// This image lacks something that another image of the same kernel may have.
    Image {
        /// What is lacking, the same words for every kernel: `module igb`.
        what: String,
        /// The whole sentence, with this kernel's release.
        reason: String,
        /// The options (without `CONFIG_`) of which one would do; empty where a module is lacking.
        options: Vec<String>,
    },
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmet::Settled(reason) | Unmet::Image { reason, .. } => f.write_str(reason),
        }
    }
}

/// The first need of a test that a kernel or the host does not meet. Those that hold for every image of the kernel
/// come first, so that no other image is fetched in vain.
pub fn unmet(placed: &PlacedTest, kernel: &Kernel) -> Option<Unmet> {
    let needs = &placed.test.needs;
    if let Some(range) = &needs.kernel
        && !range.contains(&kernel.version)
    {
        let reason = format!("needs a kernel of {}, this is {}", range.as_str(), kernel.version);
        return Some(Unmet::Settled(reason));
    }
    if let Some(lacking) = &placed.lacking {
        return Some(Unmet::Settled(lacking.clone()));
    }
    let missing = needs
        .modules
        .iter()
        .map(String::as_str)
        .chain(placed.machine.modules())
        .find(|name| kernel.modules.find(name) == ModuleState::Missing);
    if let Some(name) = missing {
        let what = format!("module {name}");
        let reason = format!("{what} is not in {}", kernel.release);
        return Some(Unmet::Image { what, reason, options: Vec::new() });
    }
    unmet_option(placed, kernel).or_else(|| unseen(placed, kernel))
}

/// An option that is not as the test needs it.
fn unmet_option(placed: &PlacedTest, kernel: &Kernel) -> Option<Unmet> {
    for need in placed.test.needs.config_needs() {
        let wanted = need.value.unwrap_or("y or m");
        let Some(config) = &kernel.config else {
            return Some(unknown_config(&format!("CONFIG_{}={wanted}", need.option), kernel));
        };
        let found = config.get(need.option);
        if !need.is_met_by(found) {
            let what = format!("CONFIG_{}={wanted}", need.option);
            let found = found.unwrap_or("not set");
            let reason = format!("needs {what}, {} has it {found}", kernel.release);
            return Some(Unmet::Image { what, reason, options: vec![need.option.to_owned()] });
        }
    }
    None
}

/// A symptom that this kernel could not show even if it had the bug: its absence would prove nothing.
fn unseen(placed: &PlacedTest, kernel: &Kernel) -> Option<Unmet> {
    let on = |option: &str| is_at_work(option, kernel, &placed.machine);
    let options = detector::missing(&placed.test.symptom, &on)?;
    let names = options.iter().map(|option| format!("CONFIG_{option}")).collect::<Vec<_>>().join(" or ");
    let what = format!("{names} for its symptom to be seen");
    if kernel.config.is_none() {
        return Some(unknown_config(&what, kernel));
    }
    let kfence = kernel.config.as_ref().and_then(|config| config.get("KFENCE"));
    let found = match options.as_slice() {
        ["KFENCE"] if kfence == Some("y") => {
            "takes no samples; the machine's `cmdline: [kfence.sample_interval=100]` makes it"
        }
        [_] => "has it not set",
        _ => "has none of them set",
    };
    let reason = format!("needs {what}, {} {found}", kernel.release);
    Some(Unmet::Image { what, reason, options: options.into_iter().map(String::from).collect() })
}

fn unknown_config(what: &str, kernel: &Kernel) -> Unmet {
    Unmet::Settled(format!(
        "needs {what}, and the configuration of {} is not known; put its .config beside the image",
        kernel.release
    ))
}

/// Whether a detector is built in, and set to work where that takes more.
fn is_at_work(option: &str, kernel: &Kernel, machine: &Machine) -> bool {
    let Some(config) = &kernel.config else { return false };
    let set = |option: &str| config.get(option).is_some_and(|value| value != "n");
    // KFENCE takes no samples where the interval is 0 (mm/kfence/core.c)
    let samples = || {
        let given =
            machine.cmdline.iter().rev().find_map(|word| word.strip_prefix("kfence.sample_interval="));
        given.or_else(|| config.get("KFENCE_SAMPLE_INTERVAL")).is_some_and(|interval| interval != "0")
    };
    // `slab_debug=FZ` or `slab_debug=FZ,CACHE`; without flags all of them; up to 6.9 only `slub_debug` (mm/slub.c)
    let slab_debug = |flag: char| {
        let mut words = machine.cmdline.iter().rev();
        let given =
            words.find_map(|word| word.strip_prefix("slab_debug").or(word.strip_prefix("slub_debug")));
        match given.map(|given| given.trim_start_matches('=').split(',').next().unwrap_or_default()) {
            Some("") => true,
            Some(flags) => flags.to_ascii_uppercase().contains(flag),
            None => set("SLUB_DEBUG_ON"),
        }
    };
    let slab = [(detector::SLAB_RED_ZONE, 'Z'), (detector::SLAB_POISON, 'P'), (detector::SLAB_CHECKS, 'F')];
    match slab.iter().find(|(detector, _)| detector.option == option) {
        Some((_, flag)) => set("SLUB_DEBUG") && slab_debug(*flag),
        None if option == "KFENCE" => set(option) && samples(),
        None => set(option),
    }
}

#[cfg(test)]
mod tests;
