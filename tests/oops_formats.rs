//! One small console for every form of report that the rules know, with the title and class found in it.

use kregress::oops::diagnose;

/// A trace that is whole: four functions below `top`.
fn trace(top: &str) -> String {
    format!(
        "Call Trace:\n {top}+0x10/0x20\n victim_func+0x10/0x20\n middle_func+0x10/0x20\n outer_func+0x10/0x20\n do_syscall_64+0x10/0x20\n"
    )
}

/// The first report of a console whose lines are these, as one line.
fn verdict(lines: &str) -> String {
    let console: String = lines.lines().map(|line| format!("[   12.345678] {line}\n")).collect();
    let found = diagnose(console.as_bytes());
    let Some(report) = found.first() else { return "nothing".to_owned() };
    let damage =
        report.corrupted_reason.as_ref().map(|reason| format!(" (damaged: {reason})")).unwrap_or_default();
    let more = if found.len() > 1 { format!(" + {} more", found.len() - 1) } else { String::new() };
    format!("{:<36} {}{damage}{more}", report.kind, report.title)
}

fn table(specimens: &[&str]) -> String {
    specimens.iter().map(|specimen| verdict(specimen) + "\n").collect()
}

#[test]
fn faults_and_traps() {
    let rip = "RIP: 0010:guilty_func+0x10/0x20";
    let tail = trace("caller_func");
    let specimens: Vec<String> = [
        "BUG: unable to handle kernel paging request at ffffc90000000000",
        "BUG: unable to handle page fault for address: ffffc90000000000",
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "BUG: unable to handle kernel NULL pointer dereference at 0000000000000008",
        "BUG: Unable to handle kernel data access at 0xc0000000",
        "BUG: unable to handle kernel ",
        "general protection fault: 0000 [#1] PREEMPT SMP KASAN",
        "Oops: general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1] SMP KASAN PTI",
        "stack segment: 0000 [#1] SMP",
        "divide error: 0000 [#1] SMP",
        "Oops: divide error: 0000 [#1] SMP",
        "divide_error: 0000 [#1] SMP",
        "invalid opcode: 0000 [#1] SMP",
        "PANIC: double fault, error_code: 0x0",
        "BUG: stack guard page was hit at ffffc900190cfff8 (stack is ffffc900190d0000..ffffc900190d7fff)",
        "BUG: TASK stack guard page was hit at ffffc900190cfff8 (stack is ffffc900190d0000..ffffc900190d7fff)",
        "kernel BUG at fs/ext4/inode.c:2731!",
        "kernel BUG at mm/usercopy.c:102!",
        "kernel BUG at lib/list_debug.c:29!",
        "Oops: int3: 0000 [#1] SMP",
        "alignment check: 0000 [#1] SMP",
        "Oops: 0002 [#1] SMP",
    ]
    .iter()
    .map(|first| format!("{first}\n{rip}\n{tail}"))
    .collect();
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    NULL-POINTER-DEREFERENCE             BUG: unable to handle kernel NULL pointer dereference in guilty_func
    NULL-POINTER-DEREFERENCE             BUG: unable to handle kernel NULL pointer dereference in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    UNKNOWN                              BUG: unable to handle kernel (damaged: only a remnant of a report is there)
    DoS                                  general protection fault in guilty_func
    DoS                                  general protection fault in guilty_func
    DoS                                  stack segment fault in guilty_func
    DoS                                  divide error in guilty_func
    DoS                                  divide error in guilty_func
    DoS                                  divide error in guilty_func
    DoS                                  invalid opcode in guilty_func
    DoS                                  PANIC: double fault in guilty_func
    UNKNOWN                              BUG: stack guard page was hit in outer_func
    UNKNOWN                              BUG: stack guard page was hit in outer_func
    BUG                                  kernel BUG in guilty_func
    BUG                                  BUG: bad usercopy in caller_func
    MEMORY_SAFETY_BUG                    BUG: corrupted list in caller_func
    DoS                                  Oops: int3 in guilty_func
    DoS                                  Oops: alignment check in guilty_func
    DoS                                  Oops in guilty_func
    "#);
}

#[test]
fn other_architectures() {
    let tail = trace("caller_func").replace("Call Trace", "Call trace");
    let arm64 = format!("pc : guilty_func+0x10/0x20\nlr : caller_func+0x10/0x20\n{tail}");
    let specimens = [
        format!("Unable to handle kernel paging request at virtual address dfff800000000000\nInternal error: Oops: 0000000096000005 [#1] SMP\n{arm64}"),
        format!("Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008\n{arm64}"),
        format!("Unable to handle kernel access to user memory outside uaccess routines at virtual address 0000000020000000\n{arm64}"),
        format!("Internal error: synchronous external abort: 0000000096000010 [#1] SMP\n{arm64}"),
        format!("Unhandled fault: page domain fault (0x01b) at 0x00000008\n{arm64}"),
        format!("Alignment trap: not handling instruction e1931f9f at [<8031ab4c>]\n{arm64}"),
        format!("Kernel BUG [#1]\n{arm64}"),
        format!("Unable to handle kernel pointer dereference in virtual kernel address space\n{tail}"),
        format!("illegal operation: 0001 ilc:1 [#1] SMP\n{tail}"),
        format!("specification exception: 0006 ilc:2 [#1] SMP\nKrnl PSW : 0704c00180000000 00000000001c2d3e (guilty_func+0x10/0x20)\n{tail}"),
        format!("Oops - illegal instruction [#1]\n{tail}"),
        "WARNING: CPU: 1 PID: 7 at a/b.c:1 top+0x1/0x2\nNIP [c000] x\n--- interrupt: 700 at guilty_func+0x10/0x20\n outer_func+0x1/0x2\nCall Trace:\n outer_func+0x1/0x2\n x_func+0x1/0x2\n y_func+0x1/0x2\n".to_owned(),
        "Unable to handle kernel paging request at virtual address 00000008\nPC is at guilty_func+0x10/0x20\nBacktrace:\n[<8031ab4c>] (caller_func) from [<8031ab4c>] (outer_func+0x10/0x20)\n[<8031ab4c>] (outer_func) from [<8031ab4c>] (outmost_func+0x10/0x20)\n\n\n".to_owned(),
        // arm since 5.18
        "Unable to handle kernel NULL pointer dereference at virtual address 00000008 when read\nInternal error: Oops: 5 [#1] SMP ARM\nPC is at guilty_func+0x10/0x20\nLR is at caller_func+0x10/0x20\nCall trace: \n guilty_func from caller_func+0x10/0x20\n caller_func from outer_func+0x10/0x20\n outer_func from ret_fast_syscall+0x0/0x1c\n".to_owned(),
        format!("WARNING: CPU: 0 PID: 77 at a/b.c:612 guilty_func+0x10/0x20\n{}", "Call trace: \n show_stack from dump_stack_lvl+0x54/0x68\n dump_stack_lvl from __warn+0x80/0x128\n __warn from warn_slowpath_fmt+0x188/0x1c4\n warn_slowpath_fmt from guilty_func+0x10/0x20\n guilty_func from caller_func+0x10/0x20\n"),
        // riscv
        format!("kernel BUG at fs/inode.c:612!\nKernel BUG [#1]\nepc : guilty_func+0x10/0x20\n ra : caller_func+0x10/0x20\nstatus: 0000000200000120 badaddr: 0000000000000008 cause: 0000000000000003\n{}", "[<ffffffff80123456>] guilty_func+0x10/0x20\n[<ffffffff80123456>] caller_func+0x10/0x20\n[<ffffffff80123456>] outer_func+0x10/0x20\n"),
        // mips and loongarch
        "CPU 0 Unable to handle kernel paging request at virtual address 00000008, epc == 80123456, ra == 80123456\nOops[#1]:\nepc   : 80123456 guilty_func+0x10/0x20\nra    : 80123456 caller_func+0x10/0x20\nCall Trace:\n[<80123456>] guilty_func+0x10/0x20\n[<80123456>] caller_func+0x10/0x20\n[<80123456>] outer_func+0x10/0x20\n".to_owned(),
        "Kernel bug detected[#1]:\nepc   : 80123456 guilty_func+0x10/0x20\nra    : 80123456 caller_func+0x10/0x20\nCall Trace:\n[<80123456>] guilty_func+0x10/0x20\n[<80123456>] caller_func+0x10/0x20\n[<80123456>] outer_func+0x10/0x20\n".to_owned(),
        "CPU 1 Unable to handle kernel paging request at virtual address 0000000000000008, era == 9000000001234567, ra == 9000000001234567\nOops[#1]:\n   ra: 9000000001234567 caller_func+0x10/0x20\n  ERA: 9000000001234567 guilty_func+0x10/0x20\nCall Trace:\n[<9000000001234567>] guilty_func+0x10/0x20\n[<9000000001234567>] caller_func+0x10/0x20\n[<9000000001234567>] outer_func+0x10/0x20\n".to_owned(),
        // powerpc
        format!("watchdog: CPU 1 self-detected hard LOCKUP @ guilty_func+0x10/0x20\nNIP [c000000000123456] guilty_func+0x10/0x20\nLR [c000000000123456] caller_func+0x10/0x20\n{}", "Call Trace:\n[c000000012345678] [c000000000123456] caller_func+0x10/0x20 (unreliable)\n[c000000012345678] [c000000000123456] vfs_write+0x10/0x20\n[c000000012345678] [c000000000123456] outer_func+0x10/0x20\n"),
        // without the place in the source
        format!("WARNING: CPU: 1 PID: 77 at guilty_func+0x10/0x20\nRIP: 0010:guilty_func+0x10/0x20\n{}", trace("caller_func")),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r"
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    NULL-POINTER-DEREFERENCE             BUG: unable to handle kernel NULL pointer dereference in guilty_func
    UNKNOWN                              BUG: unable to handle kernel access to user memory in guilty_func
    DoS                                  Internal error in guilty_func
    DoS                                  Unhandled fault in guilty_func
    DoS                                  Alignment trap in guilty_func
    BUG                                  kernel BUG [#NUM]
    UNKNOWN                              Unable to handle kernel pointer dereference in virtual kernel address space
    DoS                                  Oops: illegal operation in caller_func
    DoS                                  Oops: specification exception in guilty_func
    DoS                                  Oops: illegal instruction in caller_func
    WARNING                              WARNING in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    NULL-POINTER-DEREFERENCE             BUG: unable to handle kernel NULL pointer dereference in guilty_func
    WARNING                              WARNING in guilty_func
    BUG                                  kernel BUG in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    BUG                                  kernel BUG in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    HANG                                 BUG: hard lockup in guilty_func
    WARNING                              WARNING in guilty_func
    ");
}

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
fn warnings_in_every_layout() {
    let tail = format!("RIP: 0010:guilty_func+0x10/0x20\n{}", trace("caller_func"));
    let specimens: Vec<String> = [
        "WARNING: CPU: 0 PID: 5 at fs/ext4/inode.c:12 guilty_func+0x10/0x20",
        "WARNING: fs/ext4/inode.c:12 at guilty_func+0x10/0x20, CPU#1: comm/5",
        "WARNING: [time_after(a, b)] fs/ext4/inode.c:12 at guilty_func+0x10/0x20, CPU#1: comm/5",
        "WARNING: fs/ext4/inode.c:12 at 0x0, CPU#1: comm/5",
        "WARNING: CPU: 0 PID: 5 at lib/debugobjects.c:325 debug_print_object+0x10/0x20",
        "WARNING: lib/refcount.c:28 at refcount_warn_saturate+0x10/0x20, CPU#1: comm/5",
        "WARNING: CPU: 0 PID: 5 at lib/kobject.c:240 kobject_add_internal+0x10/0x20",
        "WARNING: CPU: 0 PID: 5 at mm/usercopy.c:74 usercopy_warn+0x10/0x20",
        "WARNING: CPU: 0 PID: 5 at fs/proc/generic.c:360 proc_register+0x10/0x20",
        "WARNING: CPU: 0 PID: 5 at kernel/locking/lockdep.c:701 look_up_lock_class+0x10/0x20",
        "WARNING: CPU: 0 PID: 5 at mm/slab_common.c:971 kmalloc_slab+0x10/0x20",
        "WARNING: CPU: 0 PID: 5 at mm/vmalloc.c:1 __vmalloc_node_range+0x10/0x20",
        "WARNING: CPU: 0 PID: 5 at drivers/usb/core/urb.c:478 usb_submit_urb+0x10/0x20",
        "WARNING: Nested lock was not taken",
        "WARNING: kernel stack regs at ffff8801d100fea8 in comm:1 has bad 'bp' value ffff8801d100ff28",
        "WARNING: kernel stack frame pointer at ffff88003e1f7f40 in comm:1 has bad value ffffffff85632fb0",
        "WARNING: something nobody has a rule for",
        "WARNING:",
    ]
    .iter()
    .map(|first| format!("{first}\n{tail}"))
    .collect();
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    WARNING                              WARNING in guilty_func
    WARNING                              WARNING in guilty_func
    WARNING                              WARNING in guilty_func
    WARNING                              WARNING in guilty_func
    WARNING                              WARNING: ODEBUG bug in guilty_func
    REFCOUNT_WARNING                     WARNING: refcount bug in guilty_func
    WARNING                              WARNING: kobject bug in guilty_func
    WARNING                              WARNING: bad usercopy in guilty_func
    WARNING                              WARNING: proc registration bug in guilty_func
    LOCKDEP                              WARNING: locking bug in guilty_func
    WARNING                              WARNING: kmalloc bug in guilty_func
    WARNING                              WARNING: zero-size vmalloc in guilty_func
    WARNING                              WARNING in guilty_func/usb_submit_urb
    LOCKDEP                              WARNING: nested lock was not taken in guilty_func
    UNKNOWN                              WARNING: kernel stack regs has bad 'bp' value
    UNKNOWN                              WARNING: kernel stack frame pointer has bad value
    WARNING                              WARNING: something nobody has a rule for
    UNKNOWN                              WARNING: corrupted (damaged: only a remnant of a report is there)
    "#);
}

#[test]
fn sanitizers() {
    let tail = trace("caller_func");
    let kasan = |what: &str, access: &str| {
        format!(
            "BUG: KASAN: {what} in guilty_func+0x10/0x20\n{access} of size 8 at addr ffff88810c1a33d8 by task comm/77\n{tail}"
        )
    };
    let kmsan = |what: &str| {
        format!(
            "BUG: KMSAN: {what} in guilty_func+0x10/0x20\n guilty_func+0x10/0x20\n caller_func+0x10/0x20\n\nUninit was created at:\n maker_func+0x10/0x20\n"
        )
    };
    let kfence = |what: &str| {
        format!(
            "BUG: KFENCE: {what} in guilty_func+0x10/0x20\n\nUse-after-free read at 0xffff (in kfence-#1):\n guilty_func+0x10/0x20\n caller_func+0x10/0x20\n{tail}"
        )
    };
    let specimens = [
        kasan("slab-use-after-free", "Read"),
        kasan("use-after-free", "Write"),
        kasan("slab-out-of-bounds", "Write"),
        kasan("null-ptr-deref", "Read"),
        kasan("null-ptr-deref", "Write"),
        kasan("vmalloc-out-of-bounds", "Read"),
        kasan("double-free", "Free"),
        format!("BUG: KASAN: double-free or invalid-free in guilty_func+0x10/0x20\n{tail}"),
        format!("BUG: KASAN: invalid-access in guilty_func+0x10/0x20\nRead at addr f5ff00000 by task comm/77\n{tail}"),
        "BUG: KASAN: use-after-free on address ffff88\nRead of size 8 by task comm/77\n".to_owned(),
        kmsan("uninit-value"),
        kmsan("kernel-infoleak"),
        kmsan("kernel-usb-infoleak"),
        "BUG: KCSAN: data-race in first_func / second_func\n".to_owned(),
        "BUG: KCSAN: assert: race in first_func+0x1/0x2\n".to_owned(),
        kfence("use-after-free read"),
        kfence("out-of-bounds write"),
        kfence("invalid free"),
        kfence("invalid read"),
        kfence("memory corruption"),
        format!("UBSAN: Undefined behaviour in fs/a.c:1:2\n{tail}"),
        format!("UBSAN: array-index-out-of-bounds in fs/a.c:1:2\n{tail}"),
        format!("UBSAN: shift-out-of-bounds in fs/a.c:1:2\n{tail}"),
        "BUG: memory leak\nunreferenced object 0xffff888110616300 (size 192):\n  backtrace (crc 1234abcd):\n    kmalloc_noprof+0x1/0x2\n    leaking_func+0x1/0x2\n    caller_func+0x1/0x2\n".to_owned(),
        "BUG kmalloc-64 (Not tainted): Poison overwritten\n".to_owned(),
        "BUG dentry (Tainted: G    B   W  ): Right Redzone overwritten\n".to_owned(),
        "BUG kmalloc-64 (Not tainted): Object already free\n".to_owned(),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    KASAN-USE-AFTER-FREE-READ            KASAN: slab-use-after-free Read in guilty_func
    KASAN-USE-AFTER-FREE-WRITE           KASAN: use-after-free Write in guilty_func
    KASAN-WRITE                          KASAN: slab-out-of-bounds Write in guilty_func
    KASAN-NULL-POINTER-DEREFERENCE-READ  KASAN: null-ptr-deref Read in guilty_func
    KASAN-NULL-POINTER-DEREFERENCE-WRITE KASAN: null-ptr-deref Write in guilty_func
    KASAN-READ                           KASAN: vmalloc-out-of-bounds Read in guilty_func
    KASAN-INVALID-FREE                   KASAN: invalid-free in guilty_func
    KASAN-INVALID-FREE                   KASAN: invalid-free in guilty_func
    KASAN-READ                           KASAN: invalid-access Read in guilty_func
    KASAN-USE-AFTER-FREE-READ            KASAN: use-after-free Read (damaged: there is no stack trace)
    KMSAN-UNINIT-VALUE                   KMSAN: uninit-value in guilty_func
    KMSAN-INFO-LEAK                      KMSAN: kernel-infoleak in guilty_func
    KMSAN-INFO-LEAK                      KMSAN: kernel-usb-infoleak in guilty_func
    KCSAN-DATARACE                       KCSAN: data-race in first_func / second_func
    KCSAN-ASSERT                         KCSAN: assert: race in first_func
    KFENCE-USE-AFTER-FREE-READ           KFENCE: use-after-free read in guilty_func
    KFENCE-WRITE                         KFENCE: out-of-bounds write in guilty_func
    KFENCE-INVALID-FREE                  KFENCE: invalid free in guilty_func
    KFENCE-READ                          KFENCE: invalid read in guilty_func
    KFENCE-MEMORY-CORRUPTION             KFENCE: memory corruption in guilty_func
    UBSAN                                UBSAN: undefined-behaviour in caller_func
    MEMORY_SAFETY_UBSAN                  UBSAN: array-index-out-of-bounds in caller_func
    UBSAN                                UBSAN: shift-out-of-bounds in caller_func
    LEAK                                 memory leak in leaking_func
    UNKNOWN                              BUG kmalloc-NUM (Not tainted): Poison overwritten
    MEMORY_SAFETY_BUG                    BUG: Right Redzone overwritten in slab dentry
    DoS                                  BUG: Object already free (damaged: there is no stack trace)
    "#);
}

#[test]
fn hangs() {
    let tail = trace("schedule");
    let stalled = "RIP: 0010:looping_func+0x10/0x20\n looping_caller+0x10/0x20\n device_write+0x10/0x20\n vfs_write+0x10/0x20\n do_syscall_64+0x10/0x20\n";
    let specimens = [
        format!("INFO: task cat:77 blocked for more than 120 seconds.\n{tail}"),
        format!("INFO: task cat:77 blocked in I/O wait for more than 143 seconds.\n{tail}"),
        format!(
            "INFO: task cat:77 blocked for more than 120 seconds.\n{tail}INFO: task cat:77 is blocked on a mutex likely owned by task dog:78.\n{tail}"
        ),
        format!(
            "INFO: task cat:77 blocked for more than 120 seconds.\n{}",
            trace("schedule").replace("victim_func", "rtnl_lock")
        ),
        format!(
            "INFO: task cat:77 blocked for more than 120 seconds.\n{}",
            trace("schedule").replace("victim_func", "synchronize_rcu_expedited")
        ),
        format!("INFO: task cat:77 can't die for more than 120 seconds.\n{tail}"),
        format!(
            "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [cat:77]\nRIP: 0010:looping_func+0x10/0x20\nCall Trace:\n{}",
            &stalled[32..]
        ),
        format!(
            "watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1\nRIP: 0010:looping_func+0x10/0x20\nCall Trace:\n{}",
            &stalled[32..]
        ),
        format!(
            "rcu: INFO: rcu_preempt self-detected stall on CPU\nCall Trace:\n <IRQ>\n rcu_sched_clock_irq+0x1/0x2\n asm_sysvec_apic_timer_interrupt+0x1/0x2\n{stalled}"
        ),
        format!(
            "rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: {{ 1-... }} 1 jiffies s: 1 root: 0x2/.\nCall Trace:\n asm_sysvec_apic_timer_interrupt+0x1/0x2\n{stalled}"
        ),
        "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 30s!\n".to_owned(),
        "unregister_netdevice: waiting for lo to become free. Usage count = 2\n".to_owned(),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    HANG                                 INFO: task hung in victim_func
    HANG                                 INFO: task hung in victim_func
    HANG                                 INFO: task hung in victim_func
    HANG                                 INFO: task hung in rtnl_lock
    HANG                                 INFO: task hung in synchronize_rcu
    HANG                                 INFO: task can't die in victim_func
    HANG                                 BUG: soft lockup in device_write
    HANG                                 BUG: hard lockup in device_write
    HANG                                 INFO: rcu detected stall in device_write
    HANG                                 INFO: rcu detected stall in device_write
    UNKNOWN                              BUG: workqueue lockup
    DoS                                  unregister_netdevice: waiting for DEV to become free
    "#);
}

#[test]
fn locks_and_contexts() {
    let tail = trace("caller_func");
    let acquire = "cat/77 is trying to acquire lock:\nffff888 (&a->lock){+.+.}-{4:4}, at: taking_func+0x10/0x20\nbut task is already holding lock:\nffff888 (&b->lock){+.+.}-{4:4}, at: holding_func+0x10/0x20\n";
    let specimens = [
        format!("WARNING: possible circular locking dependency detected\n{acquire}{tail}"),
        format!("WARNING: possible recursive locking detected\n{acquire}{tail}"),
        format!("WARNING: possible irq lock inversion dependency detected\ncat/77 just changed the state of lock:\n(a){{+}}, at: taking_func+0x10/0x20\n{tail}"),
        format!("WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected\nthe HARDIRQ-irq-unsafe lock, which became HARDIRQ-irq-unsafe at:\n taking_func+0x10/0x20\n{tail}"),
        format!("WARNING: inconsistent lock state\ncat/77 [HC0[0]:SC0[0]] takes:\n(a){{+}}, at: taking_func+0x10/0x20\n{tail}"),
        format!("WARNING: suspicious RCU usage\n-----------------------------\nnet/core/dev.c:123 suspicious rcu_dereference_check() usage!\n{tail}"),
        format!("WARNING: bad unlock balance detected!\ncat/77 is trying to release lock (a) at:\n[<ffffffff81000000>] releasing_func+0x10/0x20\n{tail}"),
        format!("WARNING: held lock freed!\ncat/77 is freeing memory\n(a){{+}}, at: holding_func+0x10/0x20\n{tail}"),
        format!("WARNING: cat/77 still has locks held!\n1 lock held by cat/77:\n #0: (a){{+}}, at: holding_func+0x10/0x20\n{tail}"),
        "WARNING: lock held when returning to user space!\ncat/77 is leaving the kernel with locks still held!\n#0: (a){+}, at: holding_func+0x10/0x20\n".to_owned(),
        format!("[ BUG: Invalid wait context ]\n{tail}"),
        format!("[ INFO: possible circular locking dependency detected ]\ncat/77 is trying to acquire lock:\n (a){{+}}, at: [<ffffffff81000000>] taking_func+0x10/0x20\n{tail}"),
        format!("BUG: sleeping function called from invalid context at mm/slab.h:420\n{}", trace("__might_resched")),
        format!("BUG: scheduling while atomic: cat/77/0x00000002\n{}", trace("__schedule_bug")),
        format!("BUG: using smp_processor_id() in preemptible [00000000] code: cat/77\n{}", trace("check_preemption_disabled")),
        format!("BUG: spinlock bad magic on CPU#0, cat/77\n{}", trace("do_raw_spin_lock")),
        "BUG: workqueue leaked lock or atomic: kworker/0:1/0x00000000/353\n     last function: leaking_work\n".to_owned(),
        format!("INFO: trying to register non-static key.\n{}", trace("register_lock_class")),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    LOCKDEP                              possible deadlock in taking_func
    LOCKDEP                              possible deadlock in taking_func
    LOCKDEP                              possible deadlock in taking_func
    LOCKDEP                              possible deadlock in taking_func
    LOCKDEP                              inconsistent lock state in caller_func
    LOCKDEP                              WARNING: suspicious RCU usage in caller_func
    LOCKDEP                              WARNING: bad unlock balance in releasing_func
    LOCKDEP                              WARNING: held lock freed in holding_func
    LOCKDEP                              WARNING: still has locks held in holding_func
    LOCKDEP                              WARNING: lock held when returning to user space in holding_func
    LOCKDEP                              WARNING: locking bug in caller_func
    LOCKDEP                              possible deadlock in taking_func
    ATOMIC_SLEEP                         BUG: sleeping function called from invalid context in victim_func
    ATOMIC_SLEEP                         BUG: scheduling while atomic in victim_func
    LOCKDEP                              BUG: using smp_processor_id() in preemptible code in victim_func
    LOCKDEP                              BUG: spinlock bad magic in victim_func
    UNKNOWN                              BUG: workqueue leaked lock or atomic in leaking_work
    UNKNOWN                              INFO: trying to register non-static key in victim_func
    "#);
}

#[test]
fn panics_and_the_rest() {
    let tail = trace("caller_func");
    let specimens = [
        format!("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n{tail}"),
        format!("Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n{tail}"),
        format!(
            "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: guilty_func+0x10/0x20\n{tail}"
        ),
        format!(
            "Kernel panic - not syncing: corrupted stack end detected inside scheduler\n{}",
            trace("schedule")
        ),
        format!("Kernel panic - not syncing: kernel stack overflow\n{tail}"),
        format!("Kernel panic - not syncing: Fatal exception in interrupt\n{tail}"),
        format!("Kernel panic - not syncing: kernel: panic_on_warn set ...\n{tail}"),
        "BUG: Bad rss-counter state mm:ffff88005fac4300 idx:0 val:15\n".to_owned(),
        format!(
            "BUG: Bad page state in process cat  pfn:12345\npage last allocated via order 0\n owner_func+0x10/0x20\n{tail}"
        ),
        format!("BUG: Bad page map in process cat  pte:12345 pmd:12345\n{tail}"),
        format!("BUG: Dentry 00000000aa{{i=1,n=x}}  still in use (1) [unmount of tmpfs tmpfs]\n{tail}"),
        "VFS: Busy inodes after unmount of tmpfs. Self-destruct in 5 seconds.  Have a nice day...\n"
            .to_owned(),
        "VFS: Close: file count is 0\n".to_owned(),
        format!("rust_kernel: panicked at drivers/a.rs:12:5:\nattempt to add with overflow\n{tail}"),
        "trusty: panic (caller 0x1): out of memory\n".to_owned(),
        "SYZFAIL: failed to recv rpc\n".to_owned(),
        "BUG: something nobody has a rule for, number 12345678\n".to_owned(),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    DoS                                  kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)
    DoS                                  kernel panic: Attempted to kill init!
    DoS                                  kernel panic: stack is corrupted in guilty_func
    DoS                                  kernel panic: corrupted stack end in outer_func
    DoS                                  kernel stack overflow in outer_func
    DoS                                  kernel panic: Fatal exception (damaged: only a remnant of a report is there)
    DoS                                  kernel panic: kernel: panic_on_warn set ...
    UNKNOWN                              BUG: Bad rss-counter state
    UNKNOWN                              BUG: Bad page state in owner_func
    UNKNOWN                              BUG: Bad page map
    UNKNOWN                              BUG: Dentry still in use in unmount
    DoS                                  VFS: Busy inodes after unmount (use-after-free)
    DoS                                  VFS: Close: file count is zero (use-after-free)
    DoS                                  attempt to add with overflow in caller_func
    DoS                                  trusty: panic: out of memory
    SYZ_FAILURE                          SYZFAIL: failed to recv rpc
    UNKNOWN                              BUG: something nobody has a rule for, number ADDR
    "#);
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
    DoS                                  Internal error in guilty_func
    DoS                                  Internal error in guilty_func
    DoS                                  Internal error in guilty_func
    DoS                                  Oops: Kernel access of bad area in guilty_func
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
