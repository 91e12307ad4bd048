use std::collections::VecDeque;

use super::*;

/// As 6.12 prints it, as 5.10 does, and what the list may hold besides.
const LIST: &str = r#"unreferenced object 0xffff8880093bf700 (size 32):
  comm "swapper/0", pid 1, jiffies 4294877529
  hex dump (first 32 bytes):
    9d 18 86 16 f6 38 52 fe 86 91 5b b8 40 b4 a8 86  .....8R...[.@...
  backtrace (crc 8ba12f3b):
    kmemleak_alloc+0x8d/0xa0
    prep_buf+0x36/0x70
unreferenced object 0xffff888008cd1100 (size 192):
  comm "cifs-"fsc", pid 120, jiffies 4294937530 (age 8.120s)
  hex dump (first 32 bytes):
    2f 2f 31 30 2e 30 2e 30 2e 31 2f 73 2f 64 64 64  //10.0.0.1/s/ddd
  backtrace:
    [<00000000a8b3dfe1>] __kmalloc_track_caller+0x1e0/0x450
    [<000000008714917b>] kstrdup+0x39/0x70
    [<000000001818f3cf>] smb3_fs_context_parse_param+0x478/0x950 [cifs]
unreferenced object 0xffff888008cd1200 (size 192):
  comm "cifs-"fsc", pid 120, jiffies 4294937531 (age 8.119s)
  hex dump (first 32 bytes):
    2f 2f 31 30 2e 30 2e 30 2e 31 2f 73 2f 64 64 64  //10.0.0.1/s/ddd
  backtrace:
    [<00000000a8b3dfe1>] __kmalloc_track_caller+0x1e0/0x450
    [<000000008714917b>] kstrdup+0x39/0x70
    [<000000001818f3cf>] smb3_fs_context_parse_param+0x478/0x950 [cifs]
unreferenced object (percpu) 0x607f8e0a1c40 (size 8):
  comm "mount", pid 9, jiffies 4294937600
  hex dump (first 8 bytes on cpu 1):
    00 00 00 00 00 00 00 00                          ........
  backtrace (crc 0):
    pcpu_alloc_noprof+0x4db/0x730
"#;

/// A detector that gives the answers of the test, and keeps what it was asked.
#[derive(Default)]
struct FakeAccess {
    refusals: VecDeque<Option<i32>>,
    lists: VecDeque<String>,
    ticks: Option<u64>,
    scans: u32,
    log: Vec<String>,
}

impl Access for FakeAccess {
    fn command(&mut self, command: &str) -> io::Result<()> {
        self.log.push(command.to_owned());
        match self.refusals.pop_front().flatten() {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }

    fn list(&mut self) -> io::Result<Box<dyn BufRead>> {
        self.log.push("list".to_owned());
        Ok(Box::new(io::Cursor::new(self.lists.pop_front().unwrap_or_default())))
    }

    fn ticks(&mut self) -> Option<u64> {
        self.ticks
    }

    fn scans(&mut self) -> u32 {
        self.scans
    }

    fn wait(&mut self, time: Duration) {
        assert!(time > Duration::from_secs(5), "younger objects are never reported");
        self.log.push("wait".to_owned());
    }
}

fn told(lists: &[&str]) -> FakeAccess {
    FakeAccess { lists: lists.iter().map(|l| (*l).to_owned()).collect(), scans: 1, ..FakeAccess::default() }
}

fn without(text: &str, address: &str) -> String {
    let mut kept = String::new();
    for entry in text.split("unreferenced object").skip(1).filter(|e| !e.contains(address)) {
        kept.push_str("unreferenced object");
        kept.push_str(entry);
    }
    kept
}

#[test]
fn entries_of_every_form_are_read() {
    let objects: Vec<Object> = Objects::of(LIST.as_bytes()).map(Result::unwrap).collect();
    let seen: Vec<String> = objects
        .iter()
        .map(|o| format!("{:x} {} {} {:?} {}", o.address, o.bytes, o.comm, o.ticks, o.stack.join("<")))
        .collect();
    insta::assert_snapshot!(seen.join("\n"), @r#"
    ffff8880093bf700 32 swapper/0 Some(4294877529) kmemleak_alloc<prep_buf
    ffff888008cd1100 192 cifs-"fsc Some(4294937530) __kmalloc_track_caller<kstrdup<smb3_fs_context_parse_param
    ffff888008cd1200 192 cifs-"fsc Some(4294937531) __kmalloc_track_caller<kstrdup<smb3_fs_context_parse_param
    607f8e0a1c40 8 mount Some(4294937600) pcpu_alloc_noprof
    "#);
}

#[test]
fn the_detector_is_asked_in_its_order() {
    let mut detector = Kmemleak::start(FakeAccess { scans: 3, ..told(&[LIST, LIST]) }).unwrap();
    detector.finish().unwrap();
    assert_eq!(detector.access.log.join(" "), "scan clear scan wait scan scan scan list scan list");
    // without anything leaked there is nothing to confirm
    let mut detector = Kmemleak::start(told(&[""])).unwrap();
    assert_eq!(detector.finish().unwrap(), Leaked::default());
    assert_eq!(detector.access.log.join(" "), "scan clear scan wait scan list");
}

#[test]
fn what_a_later_scan_finds_a_pointer_to_does_not_count() {
    let second = without(LIST, "0xffff888008cd1200");
    let mut detector = Kmemleak::start(told(&[LIST, &second])).unwrap();
    let leaked = detector.finish().unwrap();
    assert_eq!((leaked.objects, leaked.cut), (3, false));
    let cifs = leaked.origins.iter().find(|o| o.stack.len() == 3).unwrap();
    assert_eq!((cifs.objects, cifs.bytes), (1, 192));
}

#[test]
fn what_is_older_than_the_dose_does_not_count() {
    let mut detector =
        Kmemleak::start(FakeAccess { ticks: Some(4294937000), ..told(&[LIST, LIST]) }).unwrap();
    let leaked = detector.finish().unwrap();
    assert_eq!(leaked.objects, 3);
    assert_eq!((leaked.origins[0].objects, leaked.origins[0].stack[1].as_str()), (2, "kstrdup"));
}

#[test]
fn a_flood_is_cut_and_says_so() {
    let many: String = (0..5_000)
        .map(|n| {
            format!(
                "unreferenced object 0xffff{n:012x} (size 8):\n  comm \"a\", pid 1, jiffies 5\n  backtrace:\n    f{}+0x1/0x2\n",
                n % 3
            )
        })
        .collect();
    let mut detector = Kmemleak::start(told(&[&many, &many])).unwrap();
    let leaked = detector.finish().unwrap();
    assert_eq!((leaked.objects, leaked.origins.len(), leaked.cut), (2_000, 3, true));
}

#[test]
fn a_detector_that_does_not_work_says_why() {
    const NOENT: i32 = 2;
    const PERM: i32 = 1;
    const BUSY: i32 = 16;
    let refused =
        |refusals: &[Option<i32>]| FakeAccess { refusals: refusals.iter().copied().collect(), ..told(&[]) };
    let start = |errno| Kmemleak::start(refused(&[Some(errno)])).map(drop).unwrap_err();
    insta::assert_snapshot!(start(NOENT), @"there is no /sys/kernel/debug/kmemleak; the kernel was built without CONFIG_DEBUG_KMEMLEAK");
    insta::assert_snapshot!(start(PERM), @"the detector is disabled: it was switched off at boot (kmemleak=on on the kernel's command line switches it on), or it ran out of memory");
    assert_eq!(start(BUSY), start(PERM));
    insta::assert_snapshot!(start(12), @"/sys/kernel/debug/kmemleak: Cannot allocate memory (os error 12)");
    // out of memory in the middle of the dose: what was leaked after that is unknown
    let mut detector = Kmemleak::start(refused(&[None, None, Some(PERM)])).unwrap();
    assert_eq!(detector.finish().unwrap_err(), start(PERM));
    let mut detector = Kmemleak::start(refused(&[None, None, None, Some(PERM)])).unwrap();
    assert_eq!(detector.finish().unwrap_err(), start(PERM));
}

proptest::proptest! {
    #[test]
    fn no_list_panics(text in "(unreferenced object |0x|[0-9a-f]{1,17}| \\(size |\\):|\n|  comm \"|\", pid |jiffies |  backtrace|:|\\[<|>\\] |[a-z+ ]){0,60}") {
        let _ = Objects::of(text.as_bytes()).map(Result::unwrap).count();
    }
}
