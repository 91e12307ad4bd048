//! Slab caches of a real kernel.

use super::place::Place;

#[test]
fn only_what_stays_is_a_leak_wherever_it_is() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "leaks"]);
    assert_eq!(ended.cell("leaks::freed-late"), "good");
    assert_eq!(ended.cell("leaks::held"), "good");
    let hidden = ended.cell("leaks::hidden");
    assert!(hidden.starts_with("bad: memory leak: caches of 192 bytes grew by "), "{hidden}");
    let bucket = ended.cell("leaks::in-a-bucket");
    assert!(bucket.starts_with("bad: memory leak: caches of 192 bytes grew by "), "{bucket}");
    assert_eq!(ended.cell("leaks::outside-the-glob"), "good");
    let notice = ended.event("notice")["text"].as_str().expect("text");
    assert!(
        notice.starts_with(
            "leaks::outside-the-glob@6.12.117, attempt 1: kmalloc*-192 did not grow, but msg_msg-192 did, by "
        ),
        "{notice}"
    );
    let merged = ended.cell("leaks::merged");
    assert!(
        merged.starts_with(
            "blind: slab cache inotify_inode_mark: the kernel merged inotify_inode_mark with other caches"
        ) && merged.contains("slab_nomerge"),
        "{merged}"
    );
}
