//! Numbers with what they count.

use std::fmt::Display;

/// A number and what it counts: `1 cell`, `2 cells`, `0 patches`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    if count == N::from(1) {
        return format!("{count} {what}");
    }
    let hisses = ["ch", "sh", "s", "x"].iter().any(|end| what.ends_with(end));
    format!("{count} {what}{}", if hisses { "es" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_several() {
        let said =
            [counted(0u64, "cell"), counted(1usize, "cell"), counted(2u32, "patch"), counted(3u8, "crash")];
        assert_eq!(said, ["0 cells", "1 cell", "2 patches", "3 crashes"]);
    }
}
