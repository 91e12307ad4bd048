//! The text by which a kernel describes itself to those who read its memory.

use std::collections::HashMap;

use super::LogError;
use super::memory::Memory;

/// How the text begins (`crash_save_vmcoreinfo_init()`).
const BEGIN: &[u8] = b"OSRELEASE=";
/// What it must hold to be of use.
const WANTED: [&str; 2] = ["SYMBOL(prb)", "OFFSET(printk_ringbuffer.desc_ring)"];
/// The longest text (`VMCOREINFO_BYTES` is a page), bytes.
const LONGEST: usize = 4096;
/// Read at once, bytes.
const CHUNK: usize = 1 << 20;
/// The most places that are looked at: a kernel has two copies.
const MOST: usize = 64;

/// One such text, by its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VmCoreInfo {
    text: String,
    values: HashMap<String, String>,
}

impl VmCoreInfo {
    /// Every such text in the memory, in order of its place.
    pub fn find(memory: &dyn Memory) -> Vec<VmCoreInfo> {
        let mut found: Vec<VmCoreInfo> = Vec::new();
        let mut chunk = vec![0; CHUNK + LONGEST];
        for (start, length) in memory.parts() {
            let mut at = 0;
            while at < length {
                let size = (length - at).min(chunk.len() as u64) as usize;
                let piece = &mut chunk[..size];
                if memory.read(start + at, piece) {
                    let places = memchr::memmem::find_iter(piece, BEGIN).take_while(|place| *place < CHUNK);
                    for place in places {
                        let text = &piece[place..size.min(place + LONGEST)];
                        found.extend(VmCoreInfo::parse(text).filter(|info| !found.contains(info)));
                        if found.len() == MOST {
                            return found;
                        }
                    }
                }
                at += CHUNK as u64;
            }
        }
        found
    }

    /// Reads `KEY=value` lines up to the first byte that is none of a text.
    fn parse(bytes: &[u8]) -> Option<VmCoreInfo> {
        let end = bytes.iter().position(|byte| !matches!(byte, b'\n' | b' '..=b'~')).unwrap_or(bytes.len());
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let values: HashMap<String, String> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        WANTED
            .iter()
            .all(|key| values.contains_key(*key))
            .then(|| VmCoreInfo { text: text.to_owned(), values })
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn get(&self, key: &str) -> Result<&str, LogError> {
        let release = || self.values.get("OSRELEASE").cloned().unwrap_or_default();
        self.values
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| LogError::NoKey { release: release(), key: key.to_owned() })
    }

    /// A value written in decimal, such as a structure's size or offset.
    fn number(&self, key: &str) -> Result<u64, LogError> {
        let text = self.get(key)?;
        // NUMBER() is signed; architectures write addresses in hexadecimal
        let hexadecimal = || u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
        let value = text.parse::<u64>().ok().or_else(|| text.parse::<i64>().ok().map(|n| n as u64));
        let value = value.or_else(hexadecimal);
        value.ok_or_else(|| LogError::NoKey {
            release: self.get("OSRELEASE").unwrap_or_default().to_owned(),
            key: format!("{key} that is a number"),
        })
    }

    /// The address of a symbol, where the running kernel has it.
    ///
    /// # Errors
    /// [`LogError::NoKey`].
    pub fn symbol(&self, name: &str) -> Result<u64, LogError> {
        let key = format!("SYMBOL({name})");
        u64::from_str_radix(self.get(&key)?, 16).map_err(|_| LogError::NoKey {
            release: self.get("OSRELEASE").unwrap_or_default().to_owned(),
            key: format!("{key} that is an address"),
        })
    }

    /// Where a member is in its structure, bytes.
    ///
    /// # Errors
    /// [`LogError::NoKey`].
    pub fn offset(&self, member: &str) -> Result<u64, LogError> {
        self.small(&format!("OFFSET({member})"))
    }

    /// The size of a structure, bytes.
    ///
    /// # Errors
    /// [`LogError::NoKey`].
    pub fn size(&self, structure: &str) -> Result<u64, LogError> {
        self.small(&format!("SIZE({structure})"))
    }

    /// A number of the kernel's.
    ///
    /// # Errors
    /// [`LogError::NoKey`].
    pub fn number_of(&self, name: &str) -> Result<u64, LogError> {
        self.number(&format!("NUMBER({name})"))
    }

    /// The size of a page, bytes.
    ///
    /// # Errors
    /// [`LogError::NoKey`], [`LogError::Absurd`].
    pub fn page_size(&self) -> Result<u64, LogError> {
        let value = self.number("PAGESIZE")?;
        match value.is_power_of_two() && (4 << 10..=64 << 10).contains(&value) {
            true => Ok(value),
            false => Err(LogError::Absurd { what: "the size of a page", value }),
        }
    }

    /// A number of the kernel's; absent where it has none of this name.
    pub fn constant(&self, name: &str) -> Option<u64> {
        self.number(&format!("NUMBER({name})")).ok()
    }

    fn small(&self, key: &str) -> Result<u64, LogError> {
        let value = self.number(key)?;
        if value > LONGEST as u64 {
            Err(LogError::Absurd { what: "a size or offset", value })
        } else {
            Ok(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_across_pieces_and_others_passed_over() {
        let text = b"OSRELEASE=6.1\nSYMBOL(prb)=ff\nOFFSET(printk_ringbuffer.desc_ring)=0\nNUMBER(phys_base)=-4096\nNUMBER(PHYS_OFFSET)=0x40000000\nPAGESIZE=16384\nSIZE(x)=99999999\n\0SYMBOL(a)=1\n";
        let mut memory = vec![0; 3 << 20];
        // the strings of a program that looks for such a text
        memory[70..80].copy_from_slice(BEGIN);
        for at in [CHUNK - 3, 2 * CHUNK + 5] {
            memory[at..at + text.len()].copy_from_slice(text);
        }
        let found = VmCoreInfo::find(&memory);
        let [info] = &found[..] else { panic!("{found:?}") };
        assert_eq!((info.symbol("prb"), info.offset("printk_ringbuffer.desc_ring")), (Ok(0xff), Ok(0)));
        assert_eq!((info.constant("phys_base"), info.constant("none")), (Some((-4096i64) as u64), None));
        assert_eq!((info.number_of("PHYS_OFFSET"), info.page_size()), (Ok(0x4000_0000), Ok(16384)));
        assert!(info.symbol("a").is_err() && info.size("x").is_err());
    }
}
