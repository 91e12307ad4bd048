//! Faults of other architectures than x86.

use kernel_oops::diagnose;

use super::{table, trace};

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
    insta::assert_snapshot!(table(&specimens), @r#"
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    NULL-POINTER-DEREFERENCE             BUG: unable to handle kernel NULL pointer dereference in guilty_func
    UNKNOWN                              BUG: unable to handle kernel access to user memory in guilty_func
    DoS                                  Internal error in guilty_func
    DoS                                  Unhandled fault in guilty_func
    DoS                                  Alignment trap in guilty_func
    BUG                                  kernel BUG [#NUM]
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel pointer dereference in caller_func
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
    "#);
}

/// Behind a call that does not return stands the next function, whose name an architecture without `%pB` prints. Where the
/// first frame is the instruction pointer it is meant, and so is what entry code returns to.
#[test]
fn a_function_that_only_stands_behind_a_call_is_not_named() {
    let frames = |lines: &str| diagnose(lines.as_bytes()).remove(0).frames;
    let panic = "Kernel panic - not syncing: sysrq triggered crash\nCall trace:\n panic+0x39c/0x3c8\n \
        next_after_crash+0x0/0x88\n __handle_sysrq+0xd4/0x1e8\n ret_from_fork+0x0/0x20\n";
    assert_eq!(frames(panic), ["panic", "__handle_sysrq", "ret_from_fork"]);
    let s390 = "Kernel panic - not syncing: sysrq triggered crash\nCall Trace:\n [<00000001>] dump_stack_lvl+0x80/0xb8 \n \
        [<00000002>] next_after_crash+0x0/0x88 \n [<00000003>] __handle_sysrq+0xd4/0x1e8 \n";
    assert_eq!(frames(s390), ["dump_stack_lvl", "__handle_sysrq"]);
    let entry = "Unable to handle kernel paging request at virtual address dfff800000000000\nInternal error: Oops: 96000005 [#1] SMP\n\
        pc : entered+0x0/0x20\nlr : caller+0x10/0x20\nCall trace:\n entered+0x0/0x20 (P)\n next_after_caller+0x0/0x20\n outer+0x10/0x20\n";
    let report = diagnose(entry.as_bytes()).remove(0);
    assert_eq!((report.frame.as_deref(), report.frames.len()), (Some("entered"), 2), "{:?}", report.frames);
}

/// The trace of such a fault begins with the caller's caller, as a function that was not entered has no frame.
#[test]
fn a_jump_to_nowhere_is_of_the_function_that_jumped() {
    let arm64 = "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000\n\
        Internal error: Oops: 0000000086000006 [#1] SMP\npc : 0x0\nlr : guilty_func+0x20/0x40 [mod]\nsp : ffff8000804eba00\n\
        Call trace:\n 0x0\n outer_func+0x144/0xff8 [mod]\n do_one_initcall+0x64/0x280\n";
    let riscv = "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000\nOops [#1]\n\
        epc : 0x0\n ra : guilty_func+0x1c/0x34 [mod]\nepc : 0000000000000000 ra : ffffffff01b3704e sp : ff2000000063bb40\n\
        Call Trace:\n[<ffffffff01b3a124>] outer_func+0x10/0x20\n[<ffffffff80002c7a>] do_one_initcall+0x5c/0x1d6\n";
    let powerpc = "Kernel attempted to execute user page (0) - exploit attempt? (uid: 0)\n\
        BUG: Unable to handle kernel instruction fetch (NULL pointer?)\nFaulting instruction address: 0x00000000\n\
        Oops: Kernel access of bad area, sig: 11 [#1]\nNIP:  0000000000000000 LR: c00800000b0a0128 CTR: 0000000000000000\n\
        NIP [0000000000000000] 0x0\nLR [c00800000b0a0128] guilty_func+0x30/0x60 [mod]\nCall Trace:\n\
        [c000000004c2f8f0] [c00800000b0a0128] outer_func+0x10/0x20 (unreliable)\n";
    // 6.12.117: the frame of the function that jumped is there, in parentheses, and so is the place of the jump
    let s390 = "illegal operation: 0001 ilc:1 [#1] SMP \nModules linked in:\nCPU: 1 UID: 0 PID: 66 Comm: sh Not tainted 6.12.117 #1 \n\
        Hardware name: QEMU 8561 QEMU (KVM/Linux)\nKrnl PSW : 0704c00180000000 0000000000000002 (0x2)\n\
        Krnl Code:#0000000000000000: 0000\t\tillegal\t\n           >0000000000000002: 0000\t\tillegal\t\nCall Trace:\n \
        [<0000000000000002>] 0x2 \n([<000003ffe03d5b20>] guilty_func+0x48/0x70)\n [<000003ffe03d3eea>] outer_func+0x2a/0x48 \n\
        Last Breaking-Event-Address:\n [<000003ffe03d5b20>] guilty_func+0x48/0x70\n";
    for log in [arm64, riscv, powerpc, s390] {
        let report = diagnose(log.as_bytes()).remove(0);
        assert_eq!(report.frame.as_deref(), Some("guilty_func"), "{}", report.title);
    }
}

/// s390x shows what was interrupted by its program status word alone.
#[test]
fn a_stall_on_s390x_is_of_what_was_interrupted() {
    let log = "rcu: INFO: rcu_sched self-detected stall on CPU\nrcu: \t0-....: (274 ticks this GP) idle=0864/1/0x4000000000000000\n\
        rcu: \t(t=5259 jiffies g=-1119 q=125 ncpus=2)\nCPU: 0 UID: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.95 #1\n\
        Hardware name: QEMU 8561 QEMU (KVM/Linux)\nKrnl PSW : 0704d00180000000 000003fffeeb70fc (busy_func+0xfc/0x190)\n\
        \x20          R:0 T:1 IO:1 EX:1 Key:0 M:1 W:0 P:0 AS:3 CC:1 PM:0 RI:0 EA:3\nCall Trace:\n \
        [<000003fffeeb70fc>] busy_func+0xfc/0x190 \n [<000003fffeebf72a>] outermost_func+0xd2/0x1e0 \n \
        [<000003fffe954b22>] kthread+0x42/0x1d8 \n [<000003ffff4102ba>] ret_from_fork+0xa/0x38 \n";
    let report = diagnose(log.as_bytes()).remove(0);
    // the outermost function that says something, as of every stall
    assert_eq!(report.title, "INFO: rcu detected stall in outermost_func");
}
