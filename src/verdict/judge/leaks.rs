//! Whether memory was leaked: the growth of slab caches, and what the kernel's own detector found.

use super::sight::{Sight, functions_match};
use crate::observation::{LeakedObjects, Observation, ProbeReading};
use crate::suite::{Pattern, Symptom};

/// Growth below this share of the expected one is no leak; between it and the test's own share lies no answer.
const NO_LEAK: f64 = 0.1;

/// An expected growth below this many objects says nothing either way: caches change without any leak, because partly
/// used slabs of each processor count as active. It is three times the largest change seen: of the kmalloc caches of
/// twelve sizes, around 60 doses without a leak (half of them idle, half the cifs test's control) on four kernels from
/// 5.10 to 7.3 with two processors, none changed by more than 84 objects, two slabs of 96 bytes. Those of 192 bytes,
/// which the cifs test counts, changed by at most 24.
const NOISE: f64 = 256.0;

/// Functions of the allocators, which no leak is named after.
const ALLOCATORS: &[&str] = &[
    "kmemleak",
    "kmalloc",
    "__kmalloc",
    "__do_kmalloc",
    "kmem_cache_alloc",
    "kzalloc",
    "kcalloc",
    "krealloc",
    "__krealloc",
    "kvmalloc",
    "__kvmalloc",
    "kvrealloc",
    "kmemdup",
    "kstrdup",
    "kstrndup",
    "kasprintf",
    "kvasprintf",
    "slab_",
    "__slab_",
    "vmalloc",
    "__vmalloc",
    "vzalloc",
    "pcpu_alloc",
    "__alloc_percpu",
    "memdup_user",
    "strndup_user",
    "alloc_pages",
    "__alloc_pages",
];

fn reading<'a>(seen: &'a Observation, probe: &str) -> impl Iterator<Item = &'a ProbeReading> {
    seen.probes.iter().filter(move |reading| reading.probe == probe)
}

/// Whether a slab cache grew with the iterations.
pub(super) fn slab(seen: &Observation, cache: &str, per_iteration: f64, at_least: f64) -> Sight {
    let reading = reading(seen, "slab").find(|reading| reading.subject == cache);
    let Some(reading) = reading else { return Sight::Unknown(format!("slab cache {cache} was not read")) };
    let (Some(before), Some(after)) = (reading.before, reading.after) else {
        let why = reading.error.clone().unwrap_or_else(|| "a reading is missing".into());
        return Sight::Unknown(format!("slab cache {cache}: {why}"));
    };
    let Some(iterations) = seen.program.iterations().filter(|n| *n > 0) else {
        return Sight::Unknown("the program did not say how many iterations it did".into());
    };
    let growth = after - before;
    let expected = per_iteration * iterations as f64;
    if expected * at_least < NOISE {
        return Sight::Unknown(format!(
            "{iterations} iterations leak {expected:.0} objects at most, too few to tell from the noise of slab cache {cache}; do more of them"
        ));
    }
    let share = growth as f64 / expected;
    let text = format!("{cache} grew by {growth} objects in {iterations} iterations");
    if share >= at_least {
        Sight::Seen(format!("memory leak: {text}"))
    } else if share <= NO_LEAK {
        Sight::NotSeen
    } else {
        Sight::Unknown(format!("{text}: neither the leak's {per_iteration} an iteration nor none"))
    }
}

/// Whether the kernel's detector found objects of such an origin.
pub(super) fn kmemleak(seen: &Observation, functions: &[Pattern], at_least: u64) -> Sight {
    let Some(reading) = reading(seen, "kmemleak").next() else {
        return Sight::Unknown("kmemleak was not read".into());
    };
    if reading.before.is_none() || reading.after.is_none() {
        let why = reading.error.as_deref().unwrap_or("a reading is missing");
        return Sight::Unknown(format!("kmemleak: {why}"));
    }
    let own = || reading.leaks.iter().filter(|leak| functions_match(functions, leak.stack.iter()));
    let objects: u64 = own().map(|leak| leak.objects).sum();
    if objects >= at_least {
        let function = own().find_map(|leak| leak.stack.iter().find(|f| functions[0].is_match(f)));
        return Sight::Seen(format!("memory leak in {}", function.map_or("unknown", String::as_str)));
    }
    if objects > 0 {
        let noun = if objects == 1 { "object" } else { "objects" };
        return Sight::Unknown(format!(
            "kmemleak found {objects} leaked {noun} of the {at_least} that make the symptom"
        ));
    }
    if reading.leaks_cut {
        return Sight::Unknown(
            "kmemleak found more leaked objects than are read, the symptom may be among the others".into(),
        );
    }
    Sight::NotSeen
}

/// One symptom that several detectors look at. One that cannot judge does not matter where another one can; two that
/// can and do not agree prove nothing.
pub(super) fn detectors(sights: impl Iterator<Item = Sight>) -> Sight {
    let (mut titles, mut unknown, mut unseen) = (Vec::new(), Vec::new(), false);
    for sight in sights {
        match sight {
            Sight::Seen(title) => titles.push(title),
            Sight::NotSeen => unseen = true,
            Sight::Unknown(reason) => unknown.push(reason),
        }
    }
    match (titles.is_empty(), unseen) {
        (false, false) => Sight::Seen(titles.join("; ")),
        (false, true) => Sight::Unknown(format!(
            "the detectors disagree: one saw {}, another one saw nothing",
            titles.join("; ")
        )),
        (true, true) => Sight::NotSeen,
        (true, false) => Sight::Unknown(unknown.join("; ")),
    }
}

/// Leaks that the kernel's detector found and that are not the test's symptom, one sentence each. They decide nothing:
/// a leak elsewhere is neither this bug nor a crash.
pub fn unrelated_leaks(symptom: &Symptom, seen: &Observation) -> Vec<String> {
    let parts = symptom.each();
    let is_own = |leak: &LeakedObjects| {
        parts.iter().any(|part| match part {
            Symptom::Kmemleak { functions, .. } => functions_match(functions, leak.stack.iter()),
            _ => false,
        })
    };
    let leaks = reading(seen, "kmemleak").flat_map(|reading| &reading.leaks).filter(|leak| !is_own(leak));
    leaks.map(sentence).collect()
}

fn sentence(leak: &LeakedObjects) -> String {
    let is_allocator = |function: &str| ALLOCATORS.iter().any(|allocator| function.starts_with(allocator));
    let place = leak.stack.iter().find(|function| !is_allocator(function)).or(leak.stack.last());
    let noun = if leak.objects == 1 { "object" } else { "objects" };
    format!(
        "kmemleak also found {} {noun} of {} bytes leaked in {} (by {})",
        leak.objects,
        leak.bytes,
        place.map_or("an unknown place", String::as_str),
        leak.comm
    )
}
