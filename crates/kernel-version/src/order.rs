//! Debian's order of version strings.

use std::cmp::Ordering;

/// Compares two strings as Debian compares versions (deb-version(7)): runs of digits by value, other characters with
/// letters before signs and `~` before everything, the end included.
pub fn compare_debian(a: &str, b: &str) -> Ordering {
    fn weight(c: Option<u8>) -> i32 {
        match c {
            Some(b'~') => -1,
            None => 0,
            Some(c) if c.is_ascii_digit() => 0,
            Some(c) if c.is_ascii_alphabetic() => i32::from(c),
            Some(c) => i32::from(c) + 256,
        }
    }
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let digit = |s: &[u8]| s.first().is_some_and(u8::is_ascii_digit);
    while !a.is_empty() || !b.is_empty() {
        while (!a.is_empty() && !digit(a)) || (!b.is_empty() && !digit(b)) {
            let order = weight(a.first().copied()).cmp(&weight(b.first().copied()));
            if order.is_ne() {
                return order;
            }
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        }
        let (mut run_a, mut run_b) = (0, 0);
        while a.first() == Some(&b'0') {
            a = &a[1..];
        }
        while b.first() == Some(&b'0') {
            b = &b[1..];
        }
        while a.get(run_a).is_some_and(u8::is_ascii_digit) {
            run_a += 1;
        }
        while b.get(run_b).is_some_and(u8::is_ascii_digit) {
            run_b += 1;
        }
        let order = run_a.cmp(&run_b).then_with(|| a[..run_a].cmp(&b[..run_b]));
        if order.is_ne() {
            return order;
        }
        a = &a[run_a..];
        b = &b[run_b..];
    }
    Ordering::Equal
}
