//! Forms of reports that differ in words, in what is missing, or in how an architecture unwinds its stack.

use super::{table, trace};

const ARM_OLD: &str = "CPU: 1 PID: 31 Comm: moused Not tainted 4.9.88 #3\n\
    [<80110a2c>] (unwind_backtrace) from [<8010c1f4>] (show_stack+0x10/0x14)\n\
    [<8010c1f4>] (show_stack) from [<8049a2f0>] (dump_stack+0x88/0x9c)\n\
    [<8049a2f0>] (dump_stack) from [<80120b9c>] (__warn+0xe8/0x100)\n\
    [<80120b9c>] (__warn) from [<80661c40>] (paddle_release+0x44/0x90)\n\
    [<80661c40>] (paddle_release) from [<80660f10>] (river_close+0x28/0x60)\n";

const ARM_NEW: &str = "CPU: 1 PID: 31 Comm: moused Not tainted 6.6.30 #3\nCall trace: \n \
    unwind_backtrace from show_stack+0x10/0x14\n show_stack from dump_stack_lvl+0x54/0x64\n \
    dump_stack_lvl from __warn+0x8c/0x1c8\n __warn from paddle_release+0x44/0x90\n \
    paddle_release from river_close+0x28/0x60\n river_close from __fput+0x80/0x24c\n";

#[test]
fn steps_of_arms_unwinder_are_not_blamed() {
    let first = "WARNING: CPU: 1 PID: 31 at drivers/river/paddle.c:88 paddle_release+0x44/0x90";
    let with_registers = ARM_NEW
        .replace("Call trace: \n unwind", "Backtrace: \n dump")
        .replace("\n show_stack from", "\n r7:80b01020 r6:00000009\n show_stack from");
    let older = ARM_OLD
        .replace("(unwind_backtrace)", "(unwind_backtrace+0x0/0xf8)")
        .replace("(show_stack) from", "(show_stack+0x10/0x14) from");
    let hung = format!(
        "INFO: task moused:31 blocked for more than 120 seconds.\n      Not tainted 4.9.88 #3\n{}",
        "[<806a1f10>] (__schedule) from [<806a2334>] (schedule+0x58/0xb8)\n\
         [<806a2334>] (schedule) from [<80661c40>] (paddle_halt+0x44/0x90)\n\
         [<80661c40>] (paddle_halt) from [<80660f10>] (river_close+0x28/0x60)\n"
    );
    let specimens = [
        format!("{first}\n{ARM_OLD}"),
        format!("{first}\n{ARM_NEW}"),
        format!("{first}\n{with_registers}"),
        format!("WARNING: at drivers/river/paddle.c:88 paddle_release+0x44/0x90()\n{older}"),
        hung,
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    WARNING                              WARNING in paddle_release
    WARNING                              WARNING in paddle_release
    WARNING                              WARNING in paddle_release
    WARNING                              WARNING in paddle_release
    HANG                                 INFO: task hung in paddle_halt
    "#);
}

#[test]
fn faults_in_the_words_of_every_architecture() {
    let tail =
        format!("pc : guilty_func+0x10/0x20\n{}", trace("caller_func").replace("Call Trace", "Call trace"));
    let s390 = format!(
        "Oops: 0004 ilc:2 [#1] SMP\nKrnl PSW : 0704c00180000000 00000000004a1b2e (number+0x1c6/0x5d0)\n{}",
        trace("number").replace("+0x10/0x20\n victim", "+0x10/0x20\n vsnprintf+0x1/0x2\n victim")
    );
    let specimens = [
        format!(
            "Unable to handle kernel execution of user memory at virtual address 0000000000000040\n{tail}"
        ),
        format!(
            "Unable to handle kernel execute from non-executable memory at virtual address ffff000004210000\n{tail}"
        ),
        format!(
            "Unable to handle kernel write to read-only memory at virtual address ffff800080210000\n{tail}"
        ),
        format!(
            "Unable to handle kernel read from unreadable memory at virtual address ffff800080210000\n{tail}"
        ),
        format!("Unable to handle kernel pointer dereference in virtual user address space\n{s390}"),
        "BUG: unable to handle page fault for address: ffffc90000a10000\nRIP: e030:guilty_func+0x10/0x20\n"
            .to_owned()
            + &trace("caller_func"),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel execution of user memory in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel execute from non-executable memory in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel write to read-only memory in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel read from unreadable memory in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel pointer dereference in victim_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func
    "#);
}

#[test]
fn reports_whose_anchor_is_missing() {
    let arm64 = "pc : vsnprintf+0x30/0x6c0\nlr : show_things+0x1/0x2\nCall trace:\n vsnprintf+0x30/0x6c0\n seq_vprintf+0x1/0x2\n \
        seq_printf+0x1/0x2\n show_things+0x1/0x2\n m_show+0x1/0x2\n seq_read_iter+0x1/0x2\n vfs_read+0x1/0x2\n";
    let newer = "RIP: 0010:spin_here+0x10/0x20\nCall Trace:\n <TASK>\n spin_here+0x10/0x20\n river_ioctl+0x1/0x2\n vfs_ioctl+0x1/0x2\n";
    let specimens = [
        format!("rcu: INFO: rcu_preempt self-detected stall on CPU\nrcu: \t0-....: (1 GPs behind) idle=1/1/0x4\n{arm64}"),
        format!("rcu: INFO: rcu_sched self-detected stall on CPU\nrcu: \t0-....: (1 GPs behind) idle=1/1/0x4\n{newer}"),
        "BUG: Bad page state in process sailor  pfn:1a2b3c\npage:ffffea0000a1 count:0 mapcount:-128\nflags: 0x2ffff()\npage dumped because: nonzero mapcount\n".to_owned(),
        "BUG: Bad page state in process sailor  pfn:1a2b3c\n".to_owned(),
        "UBSAN: shift-out-of-bounds in /usr/src/river-1.2/paddle.c:77:12\n".to_owned(),
        "kernel BUG at drivers/river/paddle.c:99!\n".to_owned(),
        "WARNING: CPU: 1 PID: 31 at drivers/river/paddle.c:88 0x80661c40\nCall Trace:\n[<8000c6f0>] 0x8000c6f0\n[<80488b54>] 0x80488b54\n".to_owned(),
        "WARNING: CPU: 1 PID: 31 at /var/lib/dkms/river/2.0-1~bpo12+1/build/paddle.c:88 guilty_func+0x1/0x2 [river]\nRIP: 0010:guilty_func+0x1/0x2 [river]\n".to_owned()
            + &trace("caller_func"),
        "WARNING: at guilty_func+0x10/0x20, CPU#1: sailor/31\nRIP: 0010:guilty_func+0x10/0x20\n".to_owned() + &trace("caller_func"),
        "RSP: 0018:ffffc90000a1 EFLAGS: 00010202\nCall Trace:\n ? __die+0x84/0xd0\n ? page_fault_oops+0x1/0x2\n guilty_func+0x1/0x2\n caller_func+0x1/0x2\n outer_func+0x1/0x2\n---[ end trace 0000000000000000 ]---\nKernel panic - not syncing: Fatal exception\n".to_owned(),
        "Call Trace:\n ? __die_body+0x1/0x2\n ? __die+0x84/0xd0\n ? die_addr+0x36/0x90\n ? exc_general_protection+0x1/0x2\n guilty_func+0x1/0x2\n caller_func+0x1/0x2\n outer_func+0x1/0x2\n".to_owned(),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    HANG                                 INFO: rcu detected stall in show_things
    HANG                                 INFO: rcu detected stall in river_ioctl
    UNKNOWN                              BUG: Bad page state
    UNKNOWN                              BUG: Bad page state
    UBSAN                                UBSAN: shift-out-of-bounds in paddle.c:77 (damaged: no function to blame was found in the stack trace)
    BUG                                  kernel BUG at drivers/river/paddle.c:99 (damaged: no function to blame was found in the stack trace)
    WARNING                              WARNING at drivers/river/paddle.c:88
    WARNING                              WARNING in guilty_func
    WARNING                              WARNING in guilty_func
    MEMORY_SAFETY_BUG                    BUG: unable to handle kernel paging request in guilty_func (damaged: only a remnant of a report is there)
    DoS                                  general protection fault in guilty_func (damaged: only a remnant of a report is there)
    "#);
}

#[test]
fn words_of_modules_and_of_newer_kernels() {
    let serror = "CPU: 6 UID: 0 PID: 31 Comm: sailor Not tainted 6.12.9 #1\npc : guilty_func+0x10/0x20\nlr : caller_func+0x10/0x20\n\
        Kernel panic - not syncing: Asynchronous SError Interrupt\nCall trace:\n dump_stack+0x18/0x24\n do_serror+0x58/0x74\n \
        el1h_64_error+0x70/0x74\n guilty_func+0x10/0x20\n caller_func+0x10/0x20\n";
    let (first, rest) = serror.split_once("Kernel panic").unwrap();
    let specimens = [
        format!("SError Interrupt on CPU6, code 0x00000000be000011 -- SError\n{first}Kernel panic{rest}"),
        format!("Kernel panic{rest}"),
        "BUG: workqueue leaked atomic, lock or RCU: kworker/2:1[106]\n     preempt=0x00000000 lock=0->0 RCU=0->1 workfn=paddle_work\n".to_owned()
            + &trace("dump_stack"),
        "BUG kmalloc-128 (Not tainted): Right Redzone overwritten\n".to_owned(),
        "BUG river_cache (Tainted: G    B   W   ): Freelist Pointer check fails\n".to_owned(),
        "VERIFY3(0 == river_sync(zp)) failed (0 == 5)\nPANIC at river_znode.c:620:river_znode_alloc()\nShowing stack for process 31\n".to_owned()
            + &trace("dump_stack"),
        "LustreError: 31:0:(paddle.c:99:paddle_fini()) LBUG\n".to_owned() + &trace("libcfs_call_trace"),
    ];
    let specimens: Vec<&str> = specimens.iter().map(String::as_str).collect();
    insta::assert_snapshot!(table(&specimens), @r#"
    DoS                                  kernel panic: Asynchronous SError Interrupt in guilty_func
    DoS                                  kernel panic: Asynchronous SError Interrupt in guilty_func
    LOCKDEP                              BUG: workqueue leaked atomic, lock or RCU in paddle_work
    MEMORY_SAFETY_BUG                    BUG: Right Redzone overwritten in slab kmalloc-NUM
    MEMORY_SAFETY_BUG                    BUG: Freelist Pointer check fails in slab river_cache
    BUG                                  PANIC in river_znode_alloc
    BUG                                  LBUG in paddle_fini
    "#);
}

#[test]
fn sentences_about_reports_are_no_reports() {
    let prose = "Since Monday I see `BUG: soft lockup - CPU#3 stuck for 26s!` and once \"kernel BUG at fs/inode.c:600!\"\n\
        INFO: nothing helps, see BUG: https://bugs.example.org/77\n\
        What does general protection fault mean? WARNING: stay away from this release:\n";
    assert_eq!(kernel_oops::diagnose(prose.as_bytes()), []);
}
