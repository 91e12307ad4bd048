//! Virtual addresses of a kernel to physical ones, as its architecture's processors find them (kernel documentation
//! `arch/x86/x86_64/mm`, `arch/arm64/memory`, `arch/riscv/vm-layout`).

use super::LogError;
use super::memory::Memory;
use super::vmcoreinfo::VmCoreInfo;
use crate::arch::PageTables;

/// Where the kernel's image is mapped on x86 (`__START_KERNEL_map`), and how far that reaches.
const IMAGE: u64 = 0xffff_ffff_8000_0000;
const IMAGE_SIZE: u64 = 1 << 30;
/// How far a map reaches in which an address and its place differ by a constant: what is behind is no memory.
const LINEAR_SIZE: u64 = 1 << 51;

/// The kernel's address space.
pub struct Space<'a> {
    memory: &'a dyn Memory,
    /// What needs no table: addresses from the first number on, as many as the second says, are at the third.
    straight: Option<(u64, u64, u64)>,
    tables: Option<Tables>,
}

/// Tables of pages.
struct Tables {
    /// The physical address of the topmost one.
    top: u64,
    /// The bits of an address that the tables are for; what is above says only whose tables.
    address_bits: u32,
    /// The bits of an address within a page.
    page_bits: u32,
    entry: fn(u64, bool) -> Entry,
}

/// What an entry of a table says.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Nothing,
    /// A table of the next level, or for a page what it begins with: a physical address.
    Table(u64),
    Page(u64),
}

/// `_PAGE_PRESENT`, `_PAGE_PSE`.
fn x86(entry: u64, is_last: bool) -> Entry {
    let address = entry & 0x000f_ffff_ffff_f000;
    match (entry & 1 != 0, is_last || entry & 1 << 7 != 0) {
        (false, _) => Entry::Nothing,
        (true, true) => Entry::Page(address),
        (true, false) => Entry::Table(address),
    }
}

/// Descriptors of `arch/arm64/include/asm/pgtable-hwdef.h`: a table and a page of the last level both end in 11, a block in
/// 01. Physical addresses of more than 48 bits, whose upper ones are elsewhere, no machine here has.
fn arm64(entry: u64, is_last: bool) -> Entry {
    let address = entry & 0x0000_ffff_ffff_f000;
    match (entry & 3, is_last) {
        (3, false) => Entry::Table(address),
        (3, true) | (1, false) => Entry::Page(address),
        _ => Entry::Nothing,
    }
}

/// `arch/riscv/include/asm/pgtable-bits.h`: what can be read, written or executed is a page.
fn riscv(entry: u64, _: bool) -> Entry {
    let address = (entry >> 10 & ((1 << 44) - 1)) << 12;
    match (entry & 1 != 0, entry & 0b1110 != 0) {
        (false, _) => Entry::Nothing,
        (true, true) => Entry::Page(address),
        (true, false) => Entry::Table(address),
    }
}

impl<'a> Space<'a> {
    /// The space of the kernel that is described so.
    ///
    /// # Errors
    /// [`LogError::NoKey`].
    pub fn new(memory: &'a dyn Memory, info: &VmCoreInfo, kind: PageTables) -> Result<Space<'a>, LogError> {
        let straight = match kind {
            // a kernel that is not moved says 0
            PageTables::X86 => Some((IMAGE, IMAGE_SIZE, info.constant("phys_base").unwrap_or(0))),
            PageTables::Linear { start } => Some((start, LINEAR_SIZE, 0)),
            PageTables::Arm64 | PageTables::RiscV => None,
        };
        let space = Space { memory, straight, tables: None };
        let tables = match kind {
            PageTables::Linear { .. } => None,
            PageTables::X86 => {
                let at = info.symbol("init_top_pgt").or_else(|_| info.symbol("swapper_pg_dir"))?;
                let top =
                    space.straight(at).ok_or(LogError::Unmapped { what: "the page table", address: at })?.0;
                let address_bits = if info.constant("pgtable_l5_enabled") == Some(1) { 57 } else { 48 };
                Some(Tables { top, address_bits, page_bits: 12, entry: x86 })
            }
            PageTables::Arm64 => {
                let address_bits = 64
                    - small(info, "TCR_EL1_T1SZ").or_else(|_| {
                        // before 5.11 the size was said by itself
                        small(info, "VA_BITS").map(|bits| 64 - bits)
                    })?;
                Some(Tables::of_image(info, "kimage_voffset", address_bits, arm64)?)
            }
            PageTables::RiscV => {
                Some(Tables::of_image(info, "va_kernel_pa_offset", small(info, "VA_BITS")?, riscv)?)
            }
        };
        Ok(Space { tables, ..space })
    }

    /// The physical address of what needs no table, and how many bytes are mapped with it.
    fn straight(&self, address: u64) -> Option<(u64, u64)> {
        let (start, size, at) = self.straight?;
        let inside = address.checked_sub(start).filter(|inside| *inside < size)?;
        Some((inside.wrapping_add(at), 4096 - address % 4096))
    }

    /// The physical address of a virtual one, and how many bytes are mapped with it in one piece.
    fn translate(&self, address: u64) -> Option<(u64, u64)> {
        if let Some(found) = self.straight(address) {
            return Some(found);
        }
        let Tables { top, address_bits, page_bits, entry } = self.tables.as_ref()?;
        // an entry has eight bytes, and a table is a page
        let index_bits = page_bits - 3;
        let levels = address_bits.saturating_sub(*page_bits).div_ceil(index_bits);
        let address = address & ((1 << address_bits) - 1);
        let mut table = *top;
        for level in (0..levels).rev() {
            let shift = page_bits + index_bits * level;
            let index = address >> shift & ((1 << index_bits) - 1);
            let mut bytes = [0; 8];
            if !self.memory.read(table.checked_add(index * 8)?, &mut bytes) {
                return None;
            }
            match entry(u64::from_le_bytes(bytes), level == 0) {
                Entry::Nothing => return None,
                Entry::Table(next) => table = next,
                Entry::Page(start) => {
                    let size = 1u64 << shift;
                    let inside = address & (size - 1);
                    return Some(((start & !(size - 1)) + inside, size - inside));
                }
            }
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

impl Tables {
    /// Those of a kernel whose image lies `offset` below its addresses.
    fn of_image(
        info: &VmCoreInfo,
        offset: &str,
        address_bits: u32,
        entry: fn(u64, bool) -> Entry,
    ) -> Result<Tables, LogError> {
        let top = info.symbol("swapper_pg_dir")?.wrapping_sub(info.number_of(offset)?);
        let page_bits = info.page_size()?.trailing_zeros();
        Ok(Tables { top, address_bits, page_bits, entry })
    }
}

/// A number of bits of an address.
fn small(info: &VmCoreInfo, name: &str) -> Result<u32, LogError> {
    let value = info.number_of(name)?;
    match value {
        1..64 => Ok(value as u32),
        _ => Err(LogError::Absurd { what: "a size of addresses", value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_say_what_the_processors_take_them_for() {
        assert_eq!(x86(0x8000_0000_0123_4063, true), Entry::Page(0x123_4000));
        assert_eq!(x86(0x0000_0000_0120_00e3, false), Entry::Page(0x120_0000));
        assert_eq!(x86(0x1062, false), Entry::Nothing);
        assert_eq!(arm64(0x0078_0000_4120_0711, false), Entry::Page(0x4120_0000));
        assert_eq!(arm64(0x1000_0000_41ff_f003, false), Entry::Table(0x41ff_f000));
        assert_eq!(arm64(0x0068_0000_4000_0f13, true), Entry::Page(0x4000_0000));
        assert_eq!(arm64(0x0068_0000_4000_0f11, true), Entry::Nothing);
        assert_eq!(riscv(0x2000_0000 >> 2 | 0x1, false), Entry::Table(0x2000_0000));
        assert_eq!(riscv(0x2080_0000 | 0xe7, false), Entry::Page(0x8200_0000));
        assert_eq!(riscv(0x2080_0000, true), Entry::Nothing);
    }
}
