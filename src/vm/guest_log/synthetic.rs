//! A small guest with a ring buffer, page tables and a description of both, for tests.

use super::memory::Memory;
use crate::arch::PageTables;

const MIB: u64 = 1 << 20;
/// Where the parts are, bytes from the beginning of the memory's only part.
const INFO: u64 = 0x1234;
const TABLES: u64 = 0x10_0000;
const IMAGE: u64 = 0x20_0000;
const LOG: u64 = 0x40_0000;
const SIZE: u64 = 8 * MIB;
const COUNT_BITS: u32 = 4;
const SIZE_BITS: u32 = 10;
const DESC: u64 = 24;
const RECORD: u64 = 88;

/// How the guest is laid out.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// How its addresses become physical ones.
    pub tables: PageTables,
    /// Whether all of it lies above 4 GiB.
    pub high: bool,
    /// How far it was moved in the virtual one.
    pub kernel_offset: u64,
    /// Where the direct map begins.
    pub direct_map: u64,
    /// Whether the page table has five levels.
    pub five_levels: bool,
    /// Whether pages are of 2 MiB.
    pub large_pages: bool,
    /// A key that is left out.
    pub without: Option<&'static str>,
    /// Where the descriptors are said to be, if not where they are.
    pub descs: Option<u64>,
}

impl Default for Synthetic {
    fn default() -> Synthetic {
        Synthetic {
            tables: PageTables::X86,
            high: false,
            kernel_offset: 0,
            direct_map: 0xffff_8880_0000_0000,
            five_levels: false,
            large_pages: true,
            without: None,
            descs: None,
        }
    }
}

/// What an entry of a table is for.
#[derive(Clone, Copy)]
enum Is {
    Table,
    Large,
    Small,
}

/// The memory of such a guest: one part that begins at `base`.
pub struct Guest {
    base: u64,
    bytes: Vec<u8>,
}

impl Memory for Guest {
    fn parts(&self) -> Vec<(u64, u64)> {
        vec![(self.base, SIZE)]
    }

    fn read(&self, physical: u64, to: &mut [u8]) -> bool {
        physical.checked_sub(self.base).is_some_and(|at| self.bytes.read(at, to))
    }
}

impl Guest {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.bytes[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    fn word(&mut self, at: u64, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    /// Writes a word into one of the places that mean something.
    pub fn overwrite(&mut self, place: usize, value: u64) {
        let parts = [(INFO, 2000), (TABLES, 0x6000), (IMAGE, 256), (LOG, 4096)];
        let (start, length) = parts[place % parts.len()];
        self.word(start + (place as u64 / 4) % length, value);
    }
}

impl Synthetic {
    /// The guest after `count` records; odd ones are a program's. Each was written a millisecond after the one before.
    pub fn build(&self, count: u64, text: impl Fn(u64) -> String) -> Guest {
        let base = if self.high { 5 << 30 } else { 0 };
        let mut guest = Guest { base, bytes: vec![0; SIZE as usize] };
        // the image lies where its addresses say: at its offset plus phys_base, which is inside the part
        let image_start = match self.tables {
            PageTables::X86 => 0xffff_ffff_8000_0000,
            PageTables::Arm64 => 0xffff_8000_8000_0000,
            PageTables::RiscV => 0xffff_ffff_8000_0000,
            PageTables::Linear { start } => start + base,
        };
        let image_virtual: u64 = image_start + IMAGE + self.kernel_offset;
        let phys_base = (base + IMAGE).wrapping_sub(IMAGE + self.kernel_offset);
        let top_virtual = image_virtual.wrapping_add(TABLES.wrapping_sub(IMAGE));
        let direct = |at: u64| self.direct_map + base + at;
        if !matches!(self.tables, PageTables::Linear { .. }) {
            self.map(&mut guest, direct(0), 0);
            if self.tables != PageTables::X86 {
                // there the image is found by tables as well
                self.map(&mut guest, image_virtual - IMAGE, 16);
            }
        }
        let (descs, infos, data) = (LOG, LOG + 0x1000, LOG + 0x2000);
        let ring = IMAGE + 64;
        guest.word(IMAGE, image_virtual + 64);
        guest.put(ring, &COUNT_BITS.to_le_bytes());
        guest.word(ring + 8, self.descs.unwrap_or(direct(descs)));
        guest.word(ring + 16, direct(infos));
        guest.put(ring + 48, &SIZE_BITS.to_le_bytes());
        guest.word(ring + 56, direct(data));
        self.write(&mut guest, ring, [descs, infos, data], count, text);
        let mut info = format!("OSRELEASE=6.99.1-synthetic\nSYMBOL(prb)={image_virtual:x}\n");
        let five = u32::from(self.five_levels);
        let address_bits = match (self.five_levels, self.tables) {
            (false, _) => 48,
            // with large physical addresses and pages of 4 KiB
            (true, PageTables::Arm64) => 52,
            (true, _) => 57,
        };
        let below = image_virtual.wrapping_sub(base + IMAGE);
        let keys = [
            match self.tables {
                PageTables::X86 => format!("SYMBOL(init_top_pgt)={top_virtual:x}"),
                _ => format!("SYMBOL(swapper_pg_dir)={top_virtual:x}"),
            },
            "PAGESIZE=4096".into(),
            format!("NUMBER(phys_base)={}", phys_base as i64),
            format!("NUMBER(pgtable_l5_enabled)={five}"),
            format!("NUMBER(VA_BITS)={address_bits}"),
            format!("NUMBER(TCR_EL1_T1SZ)={:#x}", 64 - address_bits),
            format!("NUMBER(kimage_voffset)={below:#x}"),
            format!("NUMBER(va_kernel_pa_offset)={below:#x}"),
            format!("KERNELOFFSET={:x}", self.kernel_offset),
            "OFFSET(printk_ringbuffer.desc_ring)=0".into(),
            "OFFSET(printk_ringbuffer.text_data_ring)=48".into(),
            "OFFSET(atomic_long_t.counter)=0".into(),
            "OFFSET(prb_desc_ring.count_bits)=0".into(),
            "OFFSET(prb_desc_ring.descs)=8".into(),
            "OFFSET(prb_desc_ring.infos)=16".into(),
            "OFFSET(prb_desc_ring.head_id)=24".into(),
            "OFFSET(prb_desc_ring.tail_id)=32".into(),
            "OFFSET(prb_data_ring.size_bits)=0".into(),
            "OFFSET(prb_data_ring.data)=8".into(),
            format!("SIZE(prb_desc)={DESC}"),
            "OFFSET(prb_desc.state_var)=0".into(),
            "OFFSET(prb_desc.text_blk_lpos)=8".into(),
            "OFFSET(prb_data_blk_lpos.begin)=0".into(),
            "OFFSET(prb_data_blk_lpos.next)=8".into(),
            format!("SIZE(printk_info)={RECORD}"),
            "OFFSET(printk_info.seq)=0".into(),
            "OFFSET(printk_info.ts_nsec)=8".into(),
            "OFFSET(printk_info.text_len)=16".into(),
        ];
        for key in keys.iter().filter(|key| self.without.is_none_or(|without| !key.starts_with(without))) {
            info.push_str(key);
            info.push('\n');
        }
        guest.put(INFO, info.as_bytes());
        guest
    }

    /// Writes records as `prb_reserve()` and `prb_commit()` do.
    fn write(
        &self,
        guest: &mut Guest,
        ring: u64,
        [descs, infos, data]: [u64; 3],
        count: u64,
        text: impl Fn(u64) -> String,
    ) {
        let (slots, size) = (1u64 << COUNT_BITS, 1u64 << SIZE_BITS);
        let mask = (1 << 62) - 1;
        // as DESC0_ID() and BLK0_LPOS(): both wrap soon
        let first = 0u64.wrapping_sub(slots + 1) & mask;
        let (mut head, mut tail) = (first, first);
        let mut lpos = 0u64.wrapping_sub(size);
        // first and last position of each record's text
        let mut blocks: Vec<(u64, u64)> = Vec::new();
        for n in 0..count {
            let text = text(n);
            let length = (8 + text.len() as u64).next_multiple_of(8);
            let begin = lpos;
            let mut next = begin.wrapping_add(length);
            let wraps = begin / size != next.wrapping_sub(1) / size;
            if wraps {
                next = (next / size * size).wrapping_add(length);
            }
            let from = if wraps { 0 } else { begin % size };
            lpos = next;
            head = (head + 1) & mask;
            let slot = head % slots;
            guest.word(data + from, head);
            guest.put(data + from + 8, text.as_bytes());
            guest.word(descs + slot * DESC, head | 2 << 62);
            guest.word(descs + slot * DESC + 8, begin);
            guest.word(descs + slot * DESC + 16, next);
            guest.word(infos + slot * RECORD, n);
            guest.word(infos + slot * RECORD + 8, n * 1_000_000);
            guest.put(infos + slot * RECORD + 16, &(text.len() as u16).to_le_bytes());
            guest.put(infos + slot * RECORD + 18, &[(n % 2) as u8, 4 << 5 | 2]);
            blocks.push((begin, next));
            // the oldest give way to the newest
            let alive = blocks
                .iter()
                .rev()
                .take(slots as usize)
                .take_while(|(begin, _)| next.wrapping_sub(*begin) <= size);
            tail = head.wrapping_sub(alive.count() as u64 - 1) & mask;
        }
        guest.word(ring + 24, head);
        guest.word(ring + 32, tail);
    }

    /// The part of an address that tables are for.
    fn bits(&self, address: u64) -> u64 {
        match (self.tables, self.five_levels) {
            (PageTables::Arm64, true) => address & ((1 << 52) - 1),
            _ => address,
        }
    }

    /// An entry for a table or, of a size, a page.
    fn entry(&self, physical: u64, is: Is) -> u64 {
        match (self.tables, is) {
            (PageTables::Arm64, Is::Table) => physical | 0x1000_0000_0000_0003,
            (PageTables::Arm64, Is::Large) => physical | 0x0078_0000_0000_0711,
            (PageTables::Arm64, Is::Small) => physical | 0x0068_0000_0000_0f13,
            (PageTables::RiscV, Is::Table) => physical >> 2 | 0x1,
            (PageTables::RiscV, Is::Large | Is::Small) => physical >> 2 | 0xe7,
            (_, Is::Large) => physical | 0xe3,
            (_, Is::Table | Is::Small) => physical | 0x63,
        }
    }

    /// Maps the whole part at this address, with tables from this one on behind the topmost.
    fn map(&self, guest: &mut Guest, address: u64, tables: u64) {
        let base = guest.base;
        let table = |n: u64| TABLES + if n == 0 { 0 } else { (n + tables) * 4096 };
        let mut level_table = 0;
        let levels = if self.five_levels { 5 } else { 4 };
        for level in (2..levels).rev() {
            let next = level_table + 1;
            guest.word(
                table(level_table) + (self.bits(address) >> (12 + 9 * level) & 511) * 8,
                self.entry(base + table(next), Is::Table),
            );
            level_table = next;
        }
        for page in 0..SIZE / (2 * MIB) {
            let at = address + page * 2 * MIB;
            let entry = table(level_table) + (at >> 21 & 511) * 8;
            let physical = base + page * 2 * MIB;
            if self.large_pages {
                guest.word(entry, self.entry(physical, Is::Large));
                continue;
            }
            let small = table(level_table + 1 + page);
            guest.word(entry, self.entry(base + small, Is::Table));
            for n in 0..512 {
                guest.word(small + n * 8, self.entry(physical + n * 4096, Is::Small));
            }
        }
    }
}
