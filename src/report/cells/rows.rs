//! Which test on which kernel a cell is, and which cell is that of a test on a kernel.
//!
//! A plan takes its tests one after the other, kernel by kernel, or its kernels test by test. So cells are held in rows
//! whose tests, or whose kernels, follow one another: what a row takes is shared by all of them. Cells in no order at
//! all are rows of one cell each.

use std::collections::BTreeMap;

use super::names::{Name, small};

/// Cells in the order of their places.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    cells: u32,
    /// Rows of one kernel, by it and their first test. A row is in here or below once another one has followed it.
    of_kernel: BTreeMap<(Name, Name), u32>,
    /// Rows of one test, by it and their first kernel.
    of_test: BTreeMap<(Name, Name), u32>,
}

/// Cells that follow one another.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// The place of the first one.
    first: u32,
    /// Its test and its kernel.
    test: Name,
    kernel: Name,
    along: Along,
}

/// What the cells of a row differ in, and follow one another in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Along {
    Tests,
    Kernels,
}

impl Row {
    /// The test and the kernel of the cell at this distance from the first one.
    fn at(&self, distance: u32) -> (Name, Name) {
        match self.along {
            Along::Tests => (self.test + distance, self.kernel),
            Along::Kernels => (self.test, self.kernel + distance),
        }
    }

    /// How far from the first one the cell of this test on this kernel is, were the row long enough.
    fn distance(&self, (test, kernel): (Name, Name)) -> Option<u32> {
        match self.along {
            Along::Tests if self.kernel == kernel => test.checked_sub(self.test),
            Along::Kernels if self.test == test => kernel.checked_sub(self.kernel),
            _ => None,
        }
    }
}

impl Rows {
    /// How many cells there are.
    pub(super) fn len(&self) -> usize {
        self.cells as usize
    }

    /// The test and the kernel of the cell at this place, which there is.
    pub(super) fn at(&self, place: u32) -> (Name, Name) {
        let behind = self.rows.partition_point(|row| row.first <= place);
        let row = &self.rows[behind - 1];
        row.at(place - row.first)
    }

    /// The tests and kernels of all cells.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, Name)> {
        let ends = self.rows.iter().skip(1).map(|row| row.first).chain([self.cells]);
        self.rows
            .iter()
            .zip(ends)
            .flat_map(|(row, end)| (0..end - row.first).map(|distance| row.at(distance)))
    }

    /// The place of the cell of a test on a kernel.
    pub(super) fn find(&self, cell: (Name, Name)) -> Option<u32> {
        let (test, kernel) = cell;
        let last = self.rows.len().checked_sub(1)?;
        // cells are often asked for in the order in which they came
        self.place_in(last, cell).or_else(|| {
            let before = |index: &BTreeMap<(Name, Name), u32>, one: Name, other: Name| {
                index.range((one, 0)..=(one, other)).next_back().map(|(_, row)| *row as usize)
            };
            let in_row = |row: Option<usize>| self.place_in(row?, cell);
            in_row(before(&self.of_kernel, kernel, test))
                .or_else(|| in_row(before(&self.of_test, test, kernel)))
        })
    }

    fn place_in(&self, row: usize, cell: (Name, Name)) -> Option<u32> {
        let end = self.rows.get(row + 1).map_or(self.cells, |next| next.first);
        let place = self.rows[row].first.checked_add(self.rows[row].distance(cell)?)?;
        (place < end).then_some(place)
    }

    /// Adds the cell of a test on a kernel, of which there is none yet, and answers its place.
    pub(super) fn push(&mut self, cell: (Name, Name)) -> u32 {
        let place = self.cells;
        self.cells = small(self.len() + 1);
        if !self.joins_last(place, cell) {
            self.enter_last();
            let (test, kernel) = cell;
            self.rows.push(Row { first: place, test, kernel, along: Along::Tests });
        }
        place
    }

    /// Makes a new cell one of the last row, if it follows the others there. A row of a single cell goes on either way.
    fn joins_last(&mut self, place: u32, cell: (Name, Name)) -> bool {
        let Some(row) = self.rows.last_mut() else { return false };
        let distance = place - row.first;
        if distance == 1 && row.distance(cell) != Some(1) {
            row.along = Along::Kernels;
            if row.distance(cell) == Some(1) {
                return true;
            }
            row.along = Along::Tests;
        }
        row.distance(cell) == Some(distance)
    }

    /// Notes the last row, which is at its end, where it is looked for.
    fn enter_last(&mut self) {
        let Some(row) = self.rows.last() else { return };
        let number = small(self.rows.len() - 1);
        match row.along {
            Along::Tests => self.of_kernel.insert((row.kernel, row.test), number),
            Along::Kernels => self.of_test.insert((row.test, row.kernel), number),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn check(cells: &[(Name, Name)]) -> Rows {
        let mut rows = Rows::default();
        let mut places: HashMap<(Name, Name), u32> = HashMap::new();
        for cell in cells {
            assert_eq!(rows.find(*cell), places.get(cell).copied(), "{cell:?} of {cells:?}");
            if !places.contains_key(cell) {
                places.insert(*cell, rows.push(*cell));
            }
            assert_eq!(rows.len(), places.len());
        }
        for (cell, place) in &places {
            assert_eq!((rows.find(*cell), rows.at(*place)), (Some(*place), *cell), "of {cells:?}");
        }
        assert!((0..).zip(rows.iter()).all(|(place, cell)| rows.at(place) == cell));
        assert_eq!(rows.iter().count(), places.len());
        for test in 0..12 {
            for kernel in 0..12 {
                let cell = (test, kernel);
                assert_eq!(rows.find(cell), places.get(&cell).copied(), "{cell:?} of {cells:?}");
            }
        }
        rows
    }

    /// Cells in any order, and some that follow one another.
    fn cells() -> impl Strategy<Value = Vec<(Name, Name)>> {
        let stretch = (0..6u32, 0..6u32, 0..6u32, any::<bool>()).prop_map(|(test, kernel, length, tests)| {
            let one = move |n| if tests { (test + n, kernel) } else { (test, kernel + n) };
            (0..length).map(one).collect::<Vec<_>>()
        });
        prop::collection::vec(stretch, 0..12).prop_map(|stretches| stretches.concat())
    }

    proptest! {
        #[test]
        fn every_cell_has_its_place(cells in cells()) {
            check(&cells);
        }
    }

    #[test]
    fn a_plan_in_order_is_a_row_a_kernel_or_a_row_a_test() {
        let by_kernel: Vec<_> = (0..7).flat_map(|kernel| (0..5).map(move |test| (test, kernel))).collect();
        assert_eq!(check(&by_kernel).rows.len(), 7);
        let by_test: Vec<_> = (0..5).flat_map(|test| (0..7).map(move |kernel| (test, kernel))).collect();
        assert_eq!(check(&by_test).rows.len(), 5);
    }
}
