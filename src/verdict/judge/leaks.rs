//! Whether memory was leaked: the growth of slab caches, and what the kernel's own detector found.

use super::detection::{Detection, functions_match};
use crate::observation::{LeakedObjects, NO_LEAK, NOISE, Observation, ProbeReading, SlabCaches, SlabRow};
use crate::suite::{LeakPattern, Pattern, Symptom};

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

/// What keeps the objects of caches apart, on all kernels from 5.10 on.
const SLAB_NOMERGE: &str = "slab_nomerge on the kernel's command line keeps them apart";

fn reading<'a>(seen: &'a Observation, probe: &str) -> impl Iterator<Item = &'a ProbeReading> {
    seen.probes.iter().filter(move |reading| reading.probe == probe)
}

/// Whether slab caches grew with the iterations.
pub(super) fn slab(seen: &Observation, caches: &SlabCaches, per_iteration: f64, at_least: f64) -> Detection {
    let what = described(caches);
    let Some(reading) = slab_reading(seen, caches) else {
        return Detection::Unknown(format!("{what} was not read"));
    };
    let (Some(before), Some(after)) = (reading.before, reading.after) else {
        let why = reading.error.clone().unwrap_or_else(|| "a reading is missing".into());
        return Detection::Unknown(format!("{what}: {why}"));
    };
    let Some(iterations) = seen.program.iterations().filter(|n| *n > 0) else {
        return Detection::Unknown("the program did not say how many iterations it did".into());
    };
    let growth = after - before;
    let expected = per_iteration * iterations as f64;
    if expected * at_least < NOISE {
        return Detection::Unknown(format!(
            "{iterations} iterations leak {expected:.0} objects at most, too few to tell from the noise of {what}; do more of them"
        ));
    }
    let share = growth as f64 / expected;
    let text = format!("{caches} grew by {growth} objects in {iterations} iterations");
    if share >= at_least {
        Detection::Seen(format!("memory leak: {text}"))
    } else if share <= NO_LEAK && !reading.slab.without_row.is_empty() {
        let missing = reading.slab.without_row.join(", ");
        Detection::Unknown(format!(
            "{what}: the kernel merged {missing} with other caches and does not count it alone; {SLAB_NOMERGE}"
        ))
    } else if share <= NO_LEAK {
        Detection::NotSeen
    } else {
        Detection::Unknown(format!("{text}: neither the leak's {per_iteration} an iteration nor none"))
    }
}

/// Why the slab caches could not be read before the dose; `None`: they were.
pub(super) fn unread_slab(seen: &Observation, caches: &SlabCaches) -> Option<String> {
    let reading = slab_reading(seen, caches).filter(|reading| reading.before.is_none())?;
    Some(format!("{}: {}", described(caches), reading.error.as_ref()?))
}

/// The same of the kernel's own detector.
pub(super) fn unread_kmemleak(seen: &Observation) -> Option<String> {
    let reading = reading(seen, "kmemleak").next().filter(|reading| reading.before.is_none())?;
    Some(format!("kmemleak: {}", reading.error.as_ref()?))
}

fn slab_reading<'a>(seen: &'a Observation, caches: &SlabCaches) -> Option<&'a ProbeReading> {
    let subject = caches.to_string();
    reading(seen, "slab").find(|reading| reading.subject == subject)
}

fn described(caches: &SlabCaches) -> String {
    match caches {
        SlabCaches::Named(glob) => format!("slab cache {glob}"),
        SlabCaches::Size(bytes) => format!("the slab caches of {bytes} bytes"),
    }
}

/// Whether the kernel's detector found objects of such an origin.
pub(super) fn kmemleak(seen: &Observation, functions: &[Pattern], at_least: u64) -> Detection {
    let Some(reading) = reading(seen, "kmemleak").next() else {
        return Detection::Unknown("kmemleak was not read".into());
    };
    if reading.before.is_none() || reading.after.is_none() {
        let why = reading.error.as_deref().unwrap_or("a reading is missing");
        return Detection::Unknown(format!("kmemleak: {why}"));
    }
    let own = || reading.leaks.iter().filter(|leak| functions_match(functions, leak.stack.iter()));
    let objects: u64 = own().map(|leak| leak.objects).sum();
    if objects >= at_least {
        let function = own().find_map(|leak| leak.stack.iter().find(|f| functions[0].is_match(f)));
        return Detection::Seen(format!("memory leak in {}", function.map_or("unknown", String::as_str)));
    }
    if objects > 0 {
        let noun = if objects == 1 { "object" } else { "objects" };
        return Detection::Unknown(format!(
            "kmemleak found {objects} leaked {noun} of the {at_least} that make the symptom"
        ));
    }
    if reading.leaks_cut {
        return Detection::Unknown(
            "kmemleak found more leaked objects than are read, the symptom may be among the others".into(),
        );
    }
    Detection::NotSeen
}

/// One symptom that several detectors look at. One that cannot judge does not matter where another one can; two that
/// can and do not agree prove nothing.
pub(super) fn detectors(detections: impl Iterator<Item = Detection>) -> Detection {
    let (mut titles, mut unknown, mut unseen) = (Vec::new(), Vec::new(), false);
    for detection in detections {
        match detection {
            Detection::Seen(title) => titles.push(title),
            Detection::NotSeen => unseen = true,
            Detection::Unknown(reason) => unknown.push(reason),
        }
    }
    match (titles.is_empty(), unseen) {
        (false, false) => Detection::Seen(titles.join("; ")),
        (false, true) => Detection::Unknown(format!(
            "the detectors disagree: one saw {}, another one saw nothing",
            titles.join("; ")
        )),
        (true, true) => Detection::NotSeen,
        (true, false) => Detection::Unknown(unknown.join("; ")),
    }
}

/// Leaks that the kernel's detector found and that are not the test's symptom, one sentence each. They decide nothing:
/// a leak elsewhere is neither this bug nor a crash.
pub fn unrelated_leaks(symptom: &Symptom, seen: &Observation) -> Vec<String> {
    let parts = symptom.each();
    let is_own = |leak: &LeakedObjects| {
        parts.iter().any(|part| {
            let Symptom::Kmemleak(pattern) = part else { return false };
            functions_match(&pattern.functions, leak.stack.iter())
        })
    };
    let leaks = reading(seen, "kmemleak").flat_map(|reading| &reading.leaks).filter(|leak| !is_own(leak));
    leaks.map(sentence).collect()
}

/// What the reader should know of the slab caches that were counted, a sentence each. It decides nothing.
pub fn slab_findings(symptom: &Symptom, seen: &Observation) -> Vec<String> {
    let mut found = Vec::new();
    for (caches, reading) in slab_readings(symptom, seen) {
        let rows = &reading.slab;
        if !rows.merged.is_empty() {
            let others = rows.merged.join(", ");
            found.push(format!(
                "{caches} is counted together with {others}, which the kernel merged with it; {SLAB_NOMERGE}"
            ));
        }
        if let (Some(before), Some(first), Some(after)) = (reading.before, rows.first_after, reading.after)
            && first > after
        {
            found.push(format!("{caches} had grown by {} objects when the program ended, {} of which were freed within seconds", first - before, first - after));
        }
        if let SlabCaches::Size(_) = caches
            && let Some(row) = rows.counted.first().filter(|row| row.grew > 0)
            && reading
                .before
                .zip(reading.after)
                .is_some_and(|(before, after)| (after - before) as f64 > NOISE)
        {
            found.push(format!("most of the growth is in {}, {} objects", row.name, row.grew));
        }
    }
    found
}

/// Warnings about leaks that the test's globs do not fit: a general-purpose cache of the same size grew as the symptom
/// says, and those that are counted did not. They decide nothing, as the glob may mean just these.
pub fn overlooked_leaks(symptom: &Symptom, seen: &Observation) -> Vec<String> {
    let iterations = seen.program.iterations().unwrap_or(0) as f64;
    let mut warnings = Vec::new();
    for LeakPattern { caches, per_iteration, at_least, .. } in
        symptom.each().into_iter().filter_map(Symptom::as_leak)
    {
        let Some(reading) = slab_reading(seen, caches) else { continue };
        let Some(growth) = reading.before.zip(reading.after).map(|(before, after)| after - before) else {
            continue;
        };
        let leak = (per_iteration * iterations * at_least).max(NOISE);
        let grew: Vec<String> = reading
            .slab
            .siblings
            .iter()
            .filter(|row| row.grew as f64 >= leak && (growth as f64) < leak)
            .map(|SlabRow { name, grew }| format!("{name} did, by {grew} objects"))
            .collect();
        if !grew.is_empty() {
            let grew = grew.join(", ");
            warnings.push(format!("{caches} did not grow, but {grew}: `size` in place of `cache` counts every cache of that size"));
        }
    }
    warnings
}

fn slab_readings<'a>(symptom: &'a Symptom, seen: &'a Observation) -> Vec<(&'a SlabCaches, &'a ProbeReading)> {
    let caches = symptom.each().into_iter().filter_map(Symptom::as_leak).map(|leak| &leak.caches);
    caches.filter_map(|caches| Some((caches, slab_reading(seen, caches)?))).collect()
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
