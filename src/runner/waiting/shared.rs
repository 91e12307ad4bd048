//! What many cells that wait have in common, once each and for as long as one of them waits: a kernel with all that is known of
//! its modules is large, and a run may have thousands.

use std::collections::HashMap;

/// Tests or kernels of cells that wait, by numbers.
pub(super) struct Shared<T> {
    all: Vec<Option<InUse<T>>>,
    /// Numbers that nothing has at the moment.
    vacant: Vec<u32>,
    /// Numbers by the addresses of what it is made of, which stay as long as it is here.
    numbers: HashMap<[usize; 2], u32>,
}

struct InUse<T> {
    one: T,
    addresses: [usize; 2],
    /// Cells that have it.
    cells: u32,
}

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared { all: Vec::new(), vacant: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T> Shared<T> {
    /// The number of what a further cell has.
    pub(super) fn enter(&mut self, addresses: [usize; 2], one: T) -> u32 {
        if let Some(number) = self.numbers.get(&addresses)
            && let Some(known) = &mut self.all[*number as usize]
        {
            known.cells += 1;
            return *number;
        }
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.all.push(None);
            u32::try_from(self.all.len() - 1).expect("fewer than 2^32 tests and kernels")
        });
        self.all[number as usize] = Some(InUse { one, addresses, cells: 1 });
        self.numbers.insert(addresses, number);
        number
    }

    /// A cell that has it waits no more. The last one lets it go.
    pub(super) fn leave(&mut self, number: u32) {
        let place = &mut self.all[number as usize];
        let Some(known) = place else { return };
        known.cells -= 1;
        if known.cells == 0 {
            self.numbers.remove(&known.addresses);
            *place = None;
            self.vacant.push(number);
        }
    }

    /// What a cell that waits has.
    pub(super) fn at(&self, number: u32) -> &T {
        &self.all[number as usize].as_ref().expect("a cell has it").one
    }

    /// What `of` says of each in the order of their numbers, of those that nothing has as well.
    pub(super) fn each<R>(&self, of: impl Fn(Option<&T>) -> R) -> impl Iterator<Item = R> {
        self.all.iter().map(move |known| of(known.as_ref().map(|known| &known.one)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn enter(shared: &mut Shared<Arc<String>>, one: &Arc<String>) -> u32 {
        shared.enter([Arc::as_ptr(one).addr(), 0], Arc::clone(one))
    }

    #[test]
    fn what_no_cell_has_any_more_is_let_go() {
        let mut shared = Shared::default();
        let [one, other] = ["6.1", "6.12"].map(|name| Arc::new(name.to_owned()));
        let numbers = [enter(&mut shared, &one), enter(&mut shared, &other), enter(&mut shared, &one)];
        assert_eq!(numbers, [0, 1, 0]);
        shared.leave(0);
        assert_eq!((Arc::strong_count(&one), shared.at(0)), (2, &one));
        shared.leave(0);
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&other)), (1, 2));
        let names: Vec<Option<String>> = shared.each(|name| name.map(|name| (**name).clone())).collect();
        assert_eq!(names, [None, Some("6.12".to_owned())]);
        // its number is another one's then
        let third = Arc::new("6.6".to_owned());
        assert_eq!((enter(&mut shared, &third), shared.at(0)), (0, &third));
        assert_eq!((enter(&mut shared, &one), shared.at(2)), (2, &one));
    }
}
