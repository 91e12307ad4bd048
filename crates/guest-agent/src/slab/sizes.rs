//! Which slab caches are general-purpose ones, by their names.

use std::collections::BTreeMap;

/// The general-purpose caches of a kernel by the size of their objects.
///
/// `mm/slab_common.c` makes them in families of all sizes, `PREFIX-SIZE` each (`kmalloc-1k`): `kmalloc` and `dma-kmalloc`
/// on all kernels, `kmalloc-rcl` (5.4), `kmalloc-cg` (5.14), `kmalloc-rnd-NN` (RANDOM_KMALLOC_CACHES, 6.6), its successor
/// `kmalloc-part-NN` (KMALLOC_PARTITION_CACHES), and one for each `kmem_buckets_create()` under the caller's own name
/// (SLAB_BUCKETS, 6.11: `memdup_user`, `msg_msg`). A prefix is a family if it comes in at least half of the sizes of
/// `kmalloc`; `bio-192` or `biovec-16` are of none.
pub(super) struct Sizes<'a>(BTreeMap<u32, Vec<&'a str>>);

impl<'a> Sizes<'a> {
    pub(super) fn of(names: impl Iterator<Item = &'a str>) -> Sizes<'a> {
        let mut families: BTreeMap<&str, BTreeMap<u32, &str>> = BTreeMap::new();
        for name in names {
            if let Some((prefix, size)) = name.rsplit_once('-').and_then(|(p, s)| Some((p, bytes(s)?))) {
                families.entry(prefix).or_default().insert(size, name);
            }
        }
        let Some(plain) = families.get("kmalloc").cloned() else { return Sizes(BTreeMap::new()) };
        let is_whole = |family: &BTreeMap<u32, &str>| {
            2 * family.keys().filter(|size| plain.contains_key(size)).count() >= plain.len()
        };
        let mut sizes: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for (size, name) in families.into_values().filter(is_whole).flatten() {
            sizes.entry(size).or_default().push(name);
        }
        Sizes(sizes)
    }

    /// The caches that an allocation of so many bytes may come from.
    pub(super) fn serving(&self, bytes: u32) -> Result<impl Iterator<Item = &'a str>, String> {
        let found = self.0.range(bytes..).next();
        let (_, names) = found.ok_or_else(|| match self.0.last_key_value() {
            Some((largest, _)) => format!("no slab cache serves {bytes} bytes, the largest one {largest}"),
            None => "there is no cache named kmalloc-SIZE in /proc/slabinfo".to_owned(),
        })?;
        Ok(names.clone().into_iter())
    }

    /// All general-purpose caches of the size of this one, if it is one.
    pub(super) fn siblings(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.values().find(|names| names.contains(&name)).cloned().unwrap_or_default().into_iter()
    }
}

/// `96`, `1k`, `2M`, as the kernel writes sizes in names.
pub(super) fn bytes(text: &str) -> Option<u32> {
    let (digits, shift) = match text.strip_suffix('k') {
        Some(digits) => (digits, 10),
        None => text.strip_suffix('M').map_or((text, 0), |digits| (digits, 20)),
    };
    digits.parse::<u32>().ok()?.checked_mul(1 << shift)
}
