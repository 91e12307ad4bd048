//! The printk ring buffer (`kernel/printk/printk_ringbuffer.h`).

use super::LogError;
use super::paging::Space;
use super::vmcoreinfo::VmCoreInfo;
use crate::observation::{LogExcerpt, LogRecord};

/// The most text, as a power of two: 32 MiB (`CONFIG_LOG_BUF_SHIFT` allows no more).
const MOST_SIZE_BITS: u64 = 25;
/// The most descriptors: one for 32 bytes of text each (`PRB_AVGBITS`).
const MOST_COUNT_BITS: u64 = MOST_SIZE_BITS - 5;
/// The longest structure, bytes: a record's took 88 up to 7.3.
const LONGEST_STRUCTURE: u64 = 256;
/// The two top bits of a descriptor's word are its state (`DESC_FLAGS_SHIFT`).
const STATE_SHIFT: u32 = 62;
const ID_MASK: u64 = (1 << STATE_SHIFT) - 1;
/// The states in which a record has its text: `desc_committed`, `desc_finalized`.
const READABLE: std::ops::RangeInclusive<u64> = 1..=2;
/// Both positions of a record that is an empty line, and needs no text (`NO_LPOS`, `EMPTY_LINE_LPOS`).
const EMPTY_LINE: u64 = 3;
/// An id stands before the text of a record.
const ID_BYTES: usize = 8;

/// All records that can be read, in the order of their numbers.
///
/// # Errors
/// [`LogError`]; single records that make no sense are counted as lost.
pub fn records(space: &Space<'_>, info: &VmCoreInfo) -> Result<LogExcerpt, LogError> {
    let word = |what, address: u64| -> Result<u64, LogError> {
        let bytes = space.read(what, address, 8)?;
        Ok(number(&bytes, 0, 8).unwrap_or_default())
    };
    let half = |what, address: u64| -> Result<u64, LogError> { Ok(word(what, address)? & 0xffff_ffff) };
    let add = |address: u64, offset: u64| address.wrapping_add(offset);

    let ring = word("prb", info.symbol("prb")?)?;
    let desc_ring = add(ring, info.offset("printk_ringbuffer.desc_ring")?);
    let text_ring = add(ring, info.offset("printk_ringbuffer.text_data_ring")?);
    let counter = info.offset("atomic_long_t.counter")?;
    let count_bits = bounded(
        "the number of descriptors",
        half("the ring", add(desc_ring, info.offset("prb_desc_ring.count_bits")?))?,
        MOST_COUNT_BITS,
    )?;
    let size_bits = bounded(
        "the size of the text",
        half("the ring", add(text_ring, info.offset("prb_data_ring.size_bits")?))?,
        MOST_SIZE_BITS,
    )?;
    let (count, text_size) = (1usize << count_bits, 1usize << size_bits);
    let id = |member: &str| -> Result<u64, LogError> {
        Ok(word("the ring", add(add(desc_ring, info.offset(member)?), counter))? & ID_MASK)
    };
    let (tail, head) = (id("prb_desc_ring.tail_id")?, id("prb_desc_ring.head_id")?);
    let at =
        |member: &str, of: u64| -> Result<u64, LogError> { word("the ring", add(of, info.offset(member)?)) };

    let layout = Layout::new(info, counter)?;
    let tables = Tables {
        descs: space.read(
            "the descriptors",
            at("prb_desc_ring.descs", desc_ring)?,
            count * layout.desc_size,
        )?,
        infos: space.read("the records", at("prb_desc_ring.infos", desc_ring)?, count * layout.info_size)?,
        text: space.read("the text", at("prb_data_ring.data", text_ring)?, text_size)?,
        layout,
        count,
    };
    let mut log = LogExcerpt { ended: true, ..LogExcerpt::default() };
    let mut id = tail;
    for _ in 0..count {
        log.records.extend(tables.record(id));
        if id == head {
            break;
        }
        id = (id + 1) & ID_MASK;
    }
    log.records.sort_by_key(|record| record.seq);
    log.records.dedup_by_key(|record| record.seq);
    let gaps = log.records.windows(2).map(|pair| pair[1].seq - pair[0].seq - 1);
    log.lost = gaps.fold(0, u64::saturating_add);
    Ok(log)
}

fn bounded(what: &'static str, value: u64, most: u64) -> Result<u32, LogError> {
    if value == 0 || value > most { Err(LogError::Absurd { what, value }) } else { Ok(value as u32) }
}

/// A little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
}

/// Where the members are, bytes.
struct Layout {
    desc_size: usize,
    state: usize,
    begin: usize,
    next: usize,
    info_size: usize,
    seq: usize,
    time: usize,
    length: usize,
}

impl Layout {
    fn new(info: &VmCoreInfo, counter: u64) -> Result<Layout, LogError> {
        let sized = |size: u64| {
            if size == 0 || size > LONGEST_STRUCTURE {
                Err(LogError::Absurd { what: "a structure's size", value: size })
            } else {
                Ok(size as usize)
            }
        };
        let positions = info.offset("prb_desc.text_blk_lpos")?;
        Ok(Layout {
            desc_size: sized(info.size("prb_desc")?)?,
            state: (info.offset("prb_desc.state_var")? + counter) as usize,
            begin: (positions + info.offset("prb_data_blk_lpos.begin")?) as usize,
            next: (positions + info.offset("prb_data_blk_lpos.next")?) as usize,
            info_size: sized(info.size("printk_info")?)?,
            seq: info.offset("printk_info.seq")? as usize,
            time: info.offset("printk_info.ts_nsec")? as usize,
            length: info.offset("printk_info.text_len")? as usize,
        })
    }
}

/// The ring as it was at one moment.
struct Tables {
    descs: Vec<u8>,
    infos: Vec<u8>,
    text: Vec<u8>,
    layout: Layout,
    count: usize,
}

impl Tables {
    fn record(&self, id: u64) -> Option<LogRecord> {
        let layout = &self.layout;
        let index = (id % self.count as u64) as usize;
        let desc = self.descs.get(index * layout.desc_size..(index + 1) * layout.desc_size)?;
        let state = number(desc, layout.state, 8)?;
        if state & ID_MASK != id || !READABLE.contains(&(state >> STATE_SHIFT)) {
            return None;
        }
        let info = self.infos.get(index * layout.info_size..(index + 1) * layout.info_size)?;
        let length = number(info, layout.length, 2)? as usize;
        // `u8 facility; u8 flags:5; u8 level:3;` stand behind `u16 text_len` (struct printk_info)
        let facility = number(info, layout.length + 2, 1)? as u32;
        let level = (number(info, layout.length + 3, 1)? >> 5) as u8;
        let text = self.text(id, number(desc, layout.begin, 8)?, number(desc, layout.next, 8)?)?;
        Some(LogRecord {
            seq: number(info, layout.seq, 8)?,
            micros: number(info, layout.time, 8)? / 1000,
            facility,
            level,
            text: text[..length.min(text.len())].to_vec(),
        })
    }

    /// The text of a record whose block reaches from one logical position to another.
    fn text(&self, id: u64, begin: u64, next: u64) -> Option<&[u8]> {
        if begin & 1 == 1 || next & 1 == 1 {
            return (begin == EMPTY_LINE && next == EMPTY_LINE).then_some(&[]);
        }
        let size = self.text.len() as u64;
        let (from, to) = ((begin % size) as usize, (next % size) as usize);
        let block = if begin / size == next / size {
            self.text.get(from..to)?
        } else if (begin / size).wrapping_add(1) != next / size {
            return None;
        } else if to == 0 {
            // it ends where the ring does, without a part at the beginning (since 6.19)
            self.text.get(from..)?
        } else {
            // what does not fit at the end is at the beginning as a whole
            self.text.get(..to)?
        };
        (number(block, 0, ID_BYTES)? == id).then(|| &block[ID_BYTES..])
    }
}
