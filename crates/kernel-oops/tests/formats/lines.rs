//! What is a report and what is not: lines alone, between, and at the edges.

use kernel_oops::diagnose;

use super::{table, trace};

#[test]
fn a_log_may_begin_anywhere_in_its_first_line() {
    let lines = format!(
        "BUG: kernel NULL pointer dereference, address: 8\nRIP: 0010:guilty_func+0x1/0x2\n{}",
        trace("f")
    );
    for prefix in ["[   12.345678] ", "[   12.345678][   T77] "] {
        let console: String = lines.lines().map(|line| format!("{prefix}{line}\n")).collect();
        for cut in 0..=prefix.len() {
            let found = diagnose(&console.as_bytes()[cut..]);
            let first = found.first().map(|report| (report.title.as_str(), report.corrupted));
            let title = "BUG: unable to handle kernel NULL pointer dereference in guilty_func";
            assert_eq!(first, Some((title, false)), "{:?}", &console[cut..60]);
        }
    }
}

#[test]
fn ordinary_lines_are_no_reports() {
    let console = "\
Booting the kernel.
Linux version 6.12.117 (gcc 14) #1 SMP PREEMPT_DYNAMIC Debian
MDS CPU bug present and SMT on, data leak possible.
RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!
Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!
Speculative Return Stack Overflow: WARNING: See https://kernel.org/doc/html/latest/admin-guide/hw-vuln/srso.html for mitigation options.
INFO: NMI handler (nmi_cpu_backtrace_handler) took too long to run: 12.752 msecs
perf: interrupt took too long (5143 > 5080), lowering kernel.perf_event_max_sample_rate to 38000
EXT4-fs (vda1): warning: mounting unchecked fs, running e2fsck is recommended
EXT4-fs (vda1): INFO: recovery required on readonly filesystem
XFS (vda): WARNING: Reset corrupted AGFL on AG 0. 1 blocks leaked. Please unmount and run xfs_repair.
traps: a.out[123] general protection fault ip:401136 sp:7ffd error:0 in a.out[401000+1000]
traps: a.out[123] trap invalid opcode ip:401136 sp:7ffd error:0 in a.out[401000+1000]
a.out[123]: segfault at 0 ip 0000000000401136 sp 00007ffd error 4 in a.out[401000+1000]
ACPI BIOS Error (bug): Could not resolve symbol, AE_NOT_FOUND
nouveau 0000:01:00.0: WARNING: bad things may happen
systemd[1]: mdadm: WARNING: array is degraded
panic: this is a line of a program
sysrq: Show Blocked State
[drm] INFO: nothing to see
";
    let stamped: String = console.lines().map(|line| format!("[    1.000000] {line}\n")).collect();
    let program = "WARNING: the program says\nBUG: so does this one\nINFO: and this\nerror: panic: foo\n";
    for text in
        [stamped.clone(), console.to_owned(), format!("{stamped}{program}"), stamped.replace('\n', "\r\n")]
    {
        let titles: Vec<String> = diagnose(text.as_bytes()).into_iter().map(|report| report.title).collect();
        assert_eq!(titles, Vec::<String>::new());
    }
}

#[test]
fn a_reboot_is_one_only_after_a_boot() {
    let first = "early console in extract_kernel\nBooting the kernel.\n[    0.000000] Linux version 6.12\n[    1.000000] init: up\n";
    assert_eq!(diagnose(first.as_bytes()), []);
    let twice = [first, first].concat();
    let reports = diagnose(twice.as_bytes());
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].kind.word(), reports[0].start_line), ("REBOOT", 6));
}

#[test]
fn lines_with_the_words_of_several_forms() {
    let tail = format!("RIP: 0010:guilty_func+0x10/0x20\n{}", trace("caller_func"));
    let arm64 = "pc : guilty_func+0x10/0x20\nlr : caller_func+0x10/0x20\n".to_owned()
        + &trace("caller_func").replace("Call Trace", "Call trace");
    let specimens = [
        format!("Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP\n{arm64}"),
        format!("Internal error: UBSAN: array index out of bounds: 00000000f2005512 [#1] PREEMPT SMP\n{arm64}"),
        format!("Internal error: SP/PC alignment exception: 000000008a000000 [#1] SMP\n{arm64}"),
        format!("Oops: Kernel access of bad area, sig: 11 [#1]\n{tail}"),
        format!("Oops: general protection fault, kernel NULL pointer dereference 0x8: 0000 [#1] SMP\n{tail}"),
        format!("BUG: Unable to handle kernel instruction fetch (NULL pointer?)\n{tail}"),
        format!("BUG: Kernel NULL pointer dereference on read at 0x00000000\n{tail}"),
        format!("CPU 1 Unable to handle kernel paging request at virtual address 0000000000000000, epc == 80000000, ra == 80000000\n{tail}"),
        format!("BUG: scheduling in a non-blocking section: repro/77/1\n{tail}"),
        format!("watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1\n{tail}"),
        "INFO: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected ]\n4.14.0 Not tainted\nrepro/77 is trying to acquire:\n (x){+.+.}, at: [<ffffffff81000000>] guilty_func+0x10/0x20\n".to_owned()
            + &trace("caller_func"),
        "unreferenced object (percpu) 0x607ee4a (size 8):\n  comm \"repro\", pid 77, jiffies 4294937296\n  backtrace (crc 0):\n    pcpu_alloc_noprof+0x1/0x2\n    leaking_func+0x1/0x2\n    caller_func+0x1/0x2\n".to_owned(),
        "usb 1-1: BUG: is not a report of the kernel\n".to_owned(),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    DoS                                  Internal error in guilty_func (damaged: only a remnant of a report is there)
    DoS                                  Internal error in guilty_func
    DoS                                  Internal error in guilty_func
    DoS                                  Oops: Kernel access of bad area in guilty_func (damaged: only a remnant of a report is there)
    DoS                                  general protection fault in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    NULL-POINTER-DEREFERENCE             BUG: unable to handle kernel NULL pointer dereference in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    ATOMIC_SLEEP                         BUG: scheduling in a non-blocking section in caller_func
    HANG                                 BUG: hard lockup in outer_func
    LOCKDEP                              possible deadlock in guilty_func
    LEAK                                 memory leak in leaking_func
    nothing
    "#);
}
