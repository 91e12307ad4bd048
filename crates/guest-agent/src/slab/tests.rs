use std::collections::VecDeque;

use super::*;

/// The sizes that x86 makes of each family.
const LABELS: [&str; 13] = ["8", "16", "32", "64", "96", "128", "192", "256", "512", "1k", "2k", "4k", "8k"];

/// What kernels of these families have beside them.
const OTHERS: &[&str] =
    &["bio-192", "bio-256", "biovec-16", "biovec-64", "biovec-128", "sgpool-8", "sgpool-128", "dentry"];

/// A kernel whose caches answer as they are reported.
#[derive(Default)]
struct FakeAccess {
    families: Vec<&'static str>,
    /// Objects of the caches that have some, reading by reading; the last one stays.
    readings: VecDeque<Vec<(&'static str, i64)>>,
    merged: Vec<(&'static str, &'static str)>,
    log: Vec<String>,
}

impl FakeAccess {
    fn new(families: &[&'static str], readings: &[&[(&'static str, i64)]]) -> FakeAccess {
        let readings = readings.iter().map(|rows| rows.to_vec()).collect();
        FakeAccess { families: families.to_vec(), readings, ..FakeAccess::default() }
    }
}

impl Access for &mut FakeAccess {
    fn slabinfo(&mut self) -> io::Result<String> {
        let general = self.families.iter().flat_map(|family| LABELS.map(|size| format!("{family}-{size}")));
        let mut names: Vec<String> = general.chain(OTHERS.iter().map(|&name| name.to_owned())).collect();
        let now = &self.readings[0];
        names.extend(now.iter().map(|(name, _)| (*name).to_owned()));
        names.sort();
        names.dedup();
        let head = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize> …\n";
        let rows = names.iter().map(|name| {
            let objects = now.iter().find(|(of, _)| of == name).map_or(0, |(_, objects)| *objects);
            format!("{name:<17} {objects:>6} {objects:>6} 192 21 1 : tunables 0 0 0 : slabdata 2 2 0\n")
        });
        let text = head.to_owned() + &rows.collect::<String>();
        // each reading is two: before and after caches are shrunk
        if self.log.last().is_some_and(|last| last.starts_with("shrink")) {
            self.log.push("read".to_owned());
            if self.readings.len() > 1 {
                self.readings.pop_front();
            }
        }
        Ok(text)
    }

    fn names(&mut self) -> Vec<(String, Option<String>)> {
        let merged = self.merged.iter().map(|(name, into)| ((*name).to_owned(), Some((*into).to_owned())));
        merged.collect()
    }

    fn shrink(&mut self, name: &str) {
        self.log.push(format!("shrink {name}"));
    }

    fn settle(&mut self, time: Duration) {
        self.log.push(format!("settle {}", time.as_secs()));
    }
}

/// The growth, what is reported of it, and how often it was waited.
fn grown(told: &mut FakeAccess, caches: &SlabCaches, doubtful: f64) -> (i64, SlabRows, usize) {
    let (mut slab, before) = Slab::start(&mut *told, caches).unwrap();
    let (after, rows) = slab.finish(doubtful).unwrap();
    (after - before, rows, told.log.iter().filter(|line| line.starts_with("settle")).count())
}

fn row(name: &str, grew: i64) -> SlabRow {
    SlabRow { name: name.into(), grew }
}

fn named(glob: &str) -> SlabCaches {
    SlabCaches::Named(glob.into())
}

/// The families of Debian's kernels, and of one with KMALLOC_PARTITION_CACHES and of one with RANDOM_KMALLOC_CACHES.
#[test]
fn a_size_is_every_general_purpose_cache_of_it() {
    let debian_5_10: &[&str] = &["kmalloc", "kmalloc-rcl", "dma-kmalloc"];
    let debian_6_1 = &["kmalloc", "kmalloc-cg", "kmalloc-rcl", "dma-kmalloc"];
    let debian_7_3 = &["kmalloc", "kmalloc-cg", "kmalloc-rcl", "dma-kmalloc", "memdup_user", "msg_msg"];
    let spread = &["kmalloc", "kmalloc-cg", "kmalloc-rnd-01", "kmalloc-rnd-15", "kmalloc-part-07"];
    let table: &[(&[&'static str], u32, &str)] = &[
        (debian_5_10, 192, "dma-kmalloc-192 kmalloc-192 kmalloc-rcl-192"),
        (debian_6_1, 192, "dma-kmalloc-192 kmalloc-192 kmalloc-cg-192 kmalloc-rcl-192"),
        (
            debian_7_3,
            192,
            "dma-kmalloc-192 kmalloc-192 kmalloc-cg-192 kmalloc-rcl-192 memdup_user-192 msg_msg-192",
        ),
        (spread, 192, "kmalloc-192 kmalloc-cg-192 kmalloc-part-07-192 kmalloc-rnd-01-192 kmalloc-rnd-15-192"),
        // what an allocation of that size comes from
        (debian_5_10, 129, "dma-kmalloc-192 kmalloc-192 kmalloc-rcl-192"),
        (debian_5_10, 1000, "dma-kmalloc-1k kmalloc-1k kmalloc-rcl-1k"),
    ];
    for (families, bytes, expected) in table {
        let mut told = FakeAccess::new(families, &[&[]]);
        let counted = read(&mut &mut told, &SlabCaches::Size(*bytes)).unwrap().counted;
        assert_eq!(counted.into_keys().collect::<Vec<_>>().join(" "), *expected, "{families:?} {bytes}");
    }
    let failure = |families: &[&'static str], bytes: u32| {
        read(&mut &mut FakeAccess::new(families, &[&[]]), &SlabCaches::Size(bytes)).err().unwrap()
    };
    insta::assert_snapshot!(failure(debian_5_10, 8193), @"no slab cache serves 8193 bytes, the largest one 8192");
    insta::assert_snapshot!(failure(&[], 192), @"there is no cache named kmalloc-SIZE in /proc/slabinfo");
}

#[test]
fn a_leak_in_a_bucket_is_counted_by_size_and_told_by_name() {
    let families = ["kmalloc", "kmalloc-cg", "memdup_user"];
    let leaked: &[&[(&str, i64)]] =
        &[&[("kmalloc-192", 300)], &[("kmalloc-192", 303), ("memdup_user-192", 20_000)]];
    let (growth, rows, waits) =
        grown(&mut FakeAccess::new(&families, leaked), &SlabCaches::Size(192), 2000.0);
    assert_eq!((growth, waits), (20_003, 1));
    assert_eq!(rows.counted, [row("memdup_user-192", 20_000), row("kmalloc-192", 3)]);
    assert_eq!(rows.first_after, Some(20_303));
    let (growth, rows, waits) =
        grown(&mut FakeAccess::new(&families, leaked), &named("kmalloc*-192"), 2000.0);
    assert_eq!((growth, waits), (3, 1));
    assert_eq!(
        (rows.counted, rows.siblings),
        (vec![row("kmalloc-192", 3)], vec![row("memdup_user-192", 20_000)])
    );
    // a cache of one kind of object has none beside it
    let (_, rows, waits) = grown(&mut FakeAccess::new(&families, leaked), &named("dentry"), 2000.0);
    assert_eq!((rows, waits), (SlabRows::default(), 0));
}

#[test]
fn only_what_stays_after_the_kernels_own_time_counts() {
    let caches = named("kmalloc-256");
    let run = |after: &[i64]| {
        let readings: Vec<Vec<(&'static str, i64)>> =
            [100].iter().chain(after).map(|&objects| vec![("kmalloc-256", objects)]).collect();
        let readings: Vec<&[(&'static str, i64)]> = readings.iter().map(Vec::as_slice).collect();
        let mut told = FakeAccess::new(&["kmalloc"], &readings);
        let (growth, rows, waits) = grown(&mut told, &caches, 80.0);
        (growth, rows.first_after, waits)
    };
    type Growth = (i64, Option<i64>, usize);
    let table: &[(&[i64], Growth)] = &[
        // nothing is waited for that would not be bad
        (&[100], (0, None, 0)),
        (&[179], (79, None, 0)),
        (&[60], (-40, None, 0)),
        // freed late, at once or by and by
        (&[859, 103], (3, Some(859), 1)),
        (&[859, 500, 103], (3, Some(859), 2)),
        // and a leak stays
        (&[900, 900], (800, Some(900), 1)),
        (&[900, 880, 870], (780, Some(900), 1)),
        (&[1800, 900, 900], (800, Some(1800), 2)),
        // in the end it is reported as it is
        (&[1800, 1200, 800, 500, 100], (400, Some(1800), 3)),
    ];
    for (after, expected) in table {
        assert_eq!(run(after), *expected, "{after:?}");
    }
}

#[test]
fn merged_caches_say_so() {
    let mut told = FakeAccess::new(&["kmalloc"], &[&[("eventpoll_epi", 12)]]);
    told.merged = vec![
        ("cred", ":A-0000192"),
        ("eventpoll_epi", ":A-0000192"),
        ("uid_cache", ":0000128"),
        ("inet_peer", ":0000192"),
    ];
    let mut access = &mut told;
    let mut failure = |glob: &str| read(&mut access, &named(glob)).err().unwrap();
    insta::assert_snapshot!(failure("cred"), @"the kernel merged cred with other caches under the name eventpoll_epi, so that their objects are not counted alone; slab_nomerge on the kernel's command line (machine: {cmdline: [slab_nomerge]}) keeps them apart");
    insta::assert_snapshot!(failure("{uid_cache,inet*}"), @"the kernel merged inet_peer, uid_cache with other caches, so that their objects are not counted alone; slab_nomerge on the kernel's command line (machine: {cmdline: [slab_nomerge]}) keeps them apart");
    insta::assert_snapshot!(failure("no-such"), @"no slab cache named no-such in /proc/slabinfo");
    let (_, rows, _) = grown(&mut told, &named("{eventpoll_epi,cred,inet_peer}"), 26.0);
    assert_eq!((rows.merged, rows.without_row), (vec!["cred".to_owned()], vec!["inet_peer".to_owned()]));
}

#[test]
fn sizes_are_read_as_names_have_them() {
    let table =
        [("96", Some(96)), ("1k", Some(1024)), ("2M", Some(2 << 20)), ("max", None), ("", None), ("k", None)];
    for (text, expected) in table {
        assert_eq!(sizes::bytes(text), expected, "{text}");
    }
}
