//! Names of slab caches by globs. Suites are refused where `globset` cannot read a glob; here a matcher without regular
//! expressions says the same, as those would be most of the agent.

/// Whether the whole name fits the glob.
pub(super) fn fits(glob: &str, name: &str) -> bool {
    // a name is no path: nothing stops at a slash; and a leading `!` is no negation
    let plain = |text: &str| text.replace('/', "\u{1}");
    let escape = if glob.starts_with('!') { "\\" } else { "" };
    fast_glob::glob_match(format!("{escape}{}", plain(glob)), plain(name))
}

#[cfg(test)]
mod tests {
    use super::fits;
    use globset::GlobBuilder;
    use proptest::prelude::*;

    /// A slash is a character as any other here: to `globset` `**/` would fit no folder at all, too.
    fn by_globset(glob: &str, name: &str) -> Option<bool> {
        let plain = |text: &str| text.replace('/', "\u{1}");
        let glob = GlobBuilder::new(&plain(glob)).empty_alternates(true).build().ok()?;
        Some(glob.compile_matcher().is_match(plain(name)))
    }

    #[test]
    fn caches_are_named_by_globs() {
        let table = [
            ("kmalloc-192", "kmalloc-192", true),
            ("kmalloc-192", "dma-kmalloc-192", false),
            ("kmalloc*-192", "kmalloc-rnd-05-192", true),
            ("kmalloc{,-rnd-*}-192", "kmalloc-192", true),
            ("kmalloc{,-rnd-*}-192", "kmalloc-rnd-15-192", true),
            ("kmalloc{,-rnd-*}-192", "kmalloc-cg-192", false),
            ("kmalloc-{96,192}", "kmalloc-96", true),
            ("kmalloc-[12]k", "kmalloc-2k", true),
            ("kmalloc-[!12]k", "kmalloc-2k", false),
            ("kmalloc-?k", "kmalloc-16k", false),
            ("a*c", "a/b/c", true),
            ("!a", "!a", true),
            ("!a", "b", false),
            ("", "", true),
        ];
        for (glob, name, expected) in table {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
            assert_eq!(by_globset(glob, name), Some(expected), "{glob} {name}");
        }
    }

    proptest! {
        #[test]
        fn they_mean_what_they_mean_to_the_host(
            glob in "([ab/-]|[*]|[?]|\\[[ab]\\]|\\[![ab]\\]|\\{[ab]?,[ab*]\\}){0,6}",
            name in "[ab/-]{0,6}",
        ) {
            if let Some(expected) = by_globset(&glob, &name) {
                prop_assert_eq!(fits(&glob, &name), expected);
            }
        }
    }
}
