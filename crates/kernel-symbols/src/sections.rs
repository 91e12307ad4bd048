//! The sections of an ELF file: where functions lie, and the DWARF.

use std::collections::HashMap;

use gimli::{self, Dwarf, EndianReader, RunTimeEndian, SectionId};
use object::{CompressionFormat, File, Object, ObjectKind, ObjectSection, SectionIndex, SectionKind};

use super::bytes::Bytes;
use super::image::ImageError;
use super::relocate;

/// What DWARF is read through. The bytes are shared and owned, so that an image needs no file behind it.
pub(super) type Reader = EndianReader<RunTimeEndian, Bytes>;

/// The address that the sections of a module begin at. Any would do but those near 0, which DWARF uses for "none".
const FIRST: u64 = 0x10_0000;

/// DWARF beyond this size, in bytes, is refused: the largest kernels with everything built in have 1.5 GiB.
const MAX_DWARF: u64 = 8 << 30;

/// Where the sections lie. Those of a module have no addresses yet and all begin at 0; each gets one of its own.
pub(super) struct Layout(HashMap<SectionIndex, u64>);

impl Layout {
    pub(super) fn of(file: &File<'_>) -> Layout {
        let mut bases = HashMap::new();
        if file.kind() == ObjectKind::Relocatable {
            let mut next = FIRST;
            for section in file.sections().filter(is_loaded) {
                let align = section.align().clamp(1, 1 << 20);
                next = next.next_multiple_of(align);
                bases.insert(section.index(), next);
                // a gap, so that the end of one is not the beginning of another
                next = next.saturating_add(section.size()).saturating_add(64);
            }
        }
        Layout(bases)
    }

    /// What is to be added to addresses in this section.
    pub(super) fn base(&self, section: SectionIndex) -> u64 {
        self.0.get(&section).copied().unwrap_or(0)
    }
}

/// Whether a section is in memory when the kernel runs.
fn is_loaded<'d>(section: &impl ObjectSection<'d>) -> bool {
    let object::SectionFlags::Elf { sh_flags, .. } = section.flags() else { return false };
    sh_flags.contains(object::elf::SHF_ALLOC)
}

/// Whether functions are in a section.
pub(super) fn is_code<'d>(section: &impl ObjectSection<'d>) -> bool {
    section.kind() == SectionKind::Text
}

/// The DWARF of a file, relocated. What is in the file as it is needed is shared with it.
pub(super) fn dwarf(elf: &Bytes, file: &File<'_>, layout: &Layout) -> Result<Dwarf<Reader>, ImageError> {
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let debug = file.sections().filter(|section| section.name().is_ok_and(|name| name.contains("debug_")));
    // what a section says of its size when it is decompressed is believed by whoever allocates the memory
    let size =
        |section: object::Section<'_, '_>| section.compressed_data().map_or(0, |data| data.uncompressed_size);
    let total: u64 = debug.map(size).fold(0, u64::saturating_add);
    if total > MAX_DWARF {
        return Err(ImageError::TooLarge { bytes: total });
    }
    let whole = EndianReader::new(elf.clone(), endian);
    let load = |id: SectionId| -> Result<Reader, ImageError> {
        let Some(section) = file.section_by_name(id.name()) else {
            return Ok(EndianReader::new(Bytes::from(Vec::new()), endian));
        };
        let range = section.compressed_file_range()?;
        if file.kind() != ObjectKind::Relocatable && range.format == CompressionFormat::None {
            let part = |at: u64| usize::try_from(at).ok().filter(|at| *at <= elf.len());
            let (begin, end) =
                (part(range.offset), part(range.offset.saturating_add(range.uncompressed_size)));
            if let (Some(begin), Some(end)) = (begin, end) {
                return Ok(whole.range(begin..end));
            }
        }
        let data = section.uncompressed_data()?;
        let data = if file.kind() == ObjectKind::Relocatable {
            let mut data = data.into_owned();
            relocate::apply(file, layout, section.index(), &mut data);
            data
        } else {
            data.into_owned()
        };
        Ok(EndianReader::new(Bytes::from(data), endian))
    };
    Dwarf::load(load)
}
