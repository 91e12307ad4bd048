//! A guest's physical memory, to be read.

/// The memory of a machine by its physical addresses.
pub trait Memory {
    /// The parts that are there: first address and length, bytes.
    fn parts(&self) -> Vec<(u64, u64)>;

    /// Fills `to` from `physical` on. `false`: some of that is not there.
    fn read(&self, physical: u64, to: &mut [u8]) -> bool;
}

#[cfg(test)]
impl Memory for Vec<u8> {
    fn parts(&self) -> Vec<(u64, u64)> {
        vec![(0, self.len() as u64)]
    }

    fn read(&self, physical: u64, to: &mut [u8]) -> bool {
        let from = usize::try_from(physical).ok().and_then(|at| self.get(at..at.checked_add(to.len())?));
        from.map(|from| to.copy_from_slice(from)).is_some()
    }
}
