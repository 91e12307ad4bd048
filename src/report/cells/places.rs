//! Cells of a run by their numbers.

/// Places of some cells of a run, in half the room that numbers of the host's size take: a run may have a million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellPlaces(Vec<u32>);

impl CellPlaces {
    /// Room for so many and no more.
    pub(super) fn with_capacity(places: usize) -> CellPlaces {
        CellPlaces(Vec::with_capacity(places))
    }

    pub(super) fn push(&mut self, place: u32) {
        self.0.push(place);
    }

    /// The first one.
    pub fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// Each of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> {
        self.0.iter().map(|place| *place as usize)
    }

    /// Orders them; those alike stay as they stand.
    pub fn sort_by_key<K: Ord>(&mut self, mut key: impl FnMut(usize) -> K) {
        self.0.sort_by_key(|place| key(*place as usize));
    }
}

impl IntoIterator for CellPlaces {
    type Item = usize;
    type IntoIter = std::iter::Map<std::vec::IntoIter<u32>, fn(u32) -> usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|place| place as usize)
    }
}
