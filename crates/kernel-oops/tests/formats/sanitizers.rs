//! Reports of KASAN, KCSAN, UBSAN and their like.

use super::{table, trace};

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
    MEMORY_SAFETY_BUG                    BUG: Poison overwritten in slab kmalloc-NUM
    MEMORY_SAFETY_BUG                    BUG: Right Redzone overwritten in slab dentry
    DoS                                  BUG: Object already free (damaged: there is no stack trace)
    "#);
}
