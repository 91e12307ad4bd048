//! Virtual addresses of an x86-64 kernel to physical ones (kernel documentation `arch/x86/x86_64/mm`).

use super::LogError;
use super::memory::Memory;
use super::vmcoreinfo::VmCoreInfo;

/// Where the kernel's image is mapped (`__START_KERNEL_map`), and how far that reaches.
const IMAGE: u64 = 0xffff_ffff_8000_0000;
const IMAGE_SIZE: u64 = 1 << 30;
/// The bits of a page table's entry that are an address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const PRESENT: u64 = 1;
/// The entry is a page itself, and no table (`_PAGE_PSE`).
const LARGE: u64 = 1 << 7;

/// The kernel's address space.
pub struct Space<'a> {
    memory: &'a dyn Memory,
    /// What is added to an address in the image, less [`IMAGE`].
    phys_base: u64,
    /// The physical address of the topmost table.
    top: u64,
    levels: u32,
}

impl<'a> Space<'a> {
    /// The space of the kernel that is described so.
    ///
    /// # Errors
    /// [`LogError::NoKey`].
    pub fn new(memory: &'a dyn Memory, info: &VmCoreInfo) -> Result<Space<'a>, LogError> {
        // a kernel that is not moved says 0
        let phys_base = info.constant("phys_base").unwrap_or(0);
        let top = info.symbol("init_top_pgt").or_else(|_| info.symbol("swapper_pg_dir"))?;
        let levels = if info.constant("pgtable_l5_enabled") == Some(1) { 5 } else { 4 };
        let mut space = Space { memory, phys_base, top: 0, levels };
        space.top = space.image(top).ok_or(LogError::Unmapped { what: "the page table", address: top })?;
        Ok(space)
    }

    /// What is in the kernel's image, needs no table.
    fn image(&self, address: u64) -> Option<u64> {
        let inside = address.checked_sub(IMAGE).filter(|inside| *inside < IMAGE_SIZE)?;
        Some(inside.wrapping_add(self.phys_base))
    }

    /// The physical address of a virtual one, and how many bytes are mapped with it in one piece.
    fn translate(&self, address: u64) -> Option<(u64, u64)> {
        if let Some(physical) = self.image(address) {
            return Some((physical, 4096 - address % 4096));
        }
        let mut table = self.top;
        for level in (0..self.levels).rev() {
            let shift = 12 + 9 * level;
            let index = address >> shift & 511;
            let mut entry = [0; 8];
            if !self.memory.read(table.checked_add(index * 8)?, &mut entry) {
                return None;
            }
            let entry = u64::from_le_bytes(entry);
            if entry & PRESENT == 0 {
                return None;
            }
            let is_page = level == 0 || (level <= 2 && entry & LARGE != 0);
            if is_page {
                let size = 1u64 << shift;
                let inside = address & (size - 1);
                return Some(((entry & ADDRESS & !(size - 1)) + inside, size - inside));
            }
            table = entry & ADDRESS;
        }
        None
    }

    /// Reads from a virtual address on.
    ///
    /// # Errors
    /// [`LogError::Unmapped`].
    pub fn read(&self, what: &'static str, address: u64, length: usize) -> Result<Vec<u8>, LogError> {
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            let unmapped = LogError::Unmapped { what, address };
            let Some(at) = address.checked_add(done as u64) else { return Err(unmapped) };
            let Some((physical, mapped)) = self.translate(at) else { return Err(unmapped) };
            let piece = (length - done).min(usize::try_from(mapped).unwrap_or(usize::MAX));
            if !self.memory.read(physical, &mut bytes[done..done + piece]) {
                return Err(unmapped);
            }
            done += piece;
        }
        Ok(bytes)
    }
}
