//! Faults, traps, warnings, panics.

use super::{table, trace};

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
    DoS                                  int3 in guilty_func
    DoS                                  Oops: alignment check in guilty_func
    DoS                                  Oops in guilty_func (damaged: only a remnant of a report is there)
    "#);
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
    UNKNOWN                              BUG: something nobody has a rule for, number ADDR (damaged: no rule knows the line, and no stack trace follows it)
    "#);
}
