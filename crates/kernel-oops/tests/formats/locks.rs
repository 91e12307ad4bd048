//! Tasks and processors that do not get on, locks, and contexts.

use super::{table, trace};

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
