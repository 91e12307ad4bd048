//! Relocations of the DWARF of modules. A module is a relocatable file: references between its sections, and to its
//! functions, are still to be filled in.

use object::{
    Architecture, File, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationKind,
    RelocationTarget, SectionIndex,
};

use super::sections::Layout;

/// Fills in what the relocations of a section say. One that cannot be carried out is passed over: it makes a single
/// line unknown.
pub(super) fn apply(file: &File<'_>, layout: &Layout, index: SectionIndex, data: &mut [u8]) {
    let Ok(section) = file.section_by_index(index) else { return };
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
        let Ok(symbol) = file.symbol_by_index(symbol) else { continue };
        let base = symbol.section_index().map_or(0, |section| layout.base(section));
        let value = base.wrapping_add(symbol.address()).wrapping_add_signed(relocation.addend());
        let little = file.is_little_endian();
        match relocation.kind() {
            RelocationKind::Absolute => {
                let size = usize::from(relocation.size() / 8);
                change(data, offset, size, little, |old| {
                    if relocation.has_implicit_addend() { value.wrapping_add(old) } else { value }
                });
            }
            _ => {
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                if let Some((size, sign)) = sum(file.architecture(), r_type.0) {
                    change(data, offset, size, little, |old| match sign {
                        Sum::Add => old.wrapping_add(value),
                        Sum::Sub => old.wrapping_sub(value),
                        Sum::Set => value,
                    });
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Sum {
    Add,
    Sub,
    Set,
}

/// Relocations that add and subtract, with which RISC-V and LoongArch write distances: the ELF supplements of their
/// psABI documents (RISC-V: ADD8 33 … SUB64 40, SET8 54 … SET32 56; LoongArch: ADD8 47 … SUB64 56). RISC-V's pairs
/// SET_ULEB128 60 and SUB_ULEB128 61 are distances within one section, which the assembler has written already (clang 19,
/// `.debug_rnglists`) and which stay right as long as nothing is relaxed: `ld -r`, which links modules, relaxes nothing.
fn sum(architecture: Architecture, kind: u32) -> Option<(usize, Sum)> {
    let (add, sub, set) = match architecture {
        Architecture::Riscv64 | Architecture::Riscv32 => {
            ([33, 34, 35, 36], [37, 38, 39, 40], [54, 55, 56, 0])
        }
        Architecture::LoongArch64 => ([47, 48, 50, 51], [52, 53, 55, 56], [0; 4]),
        _ => return None,
    };
    let sizes = [1, 2, 4, 8];
    [(add, Sum::Add), (sub, Sum::Sub), (set, Sum::Set)].into_iter().find_map(|(numbers, sum)| {
        let at = numbers.iter().position(|number| *number == kind && kind != 0)?;
        Some((sizes[at], sum))
    })
}

/// Replaces the number of `size` bytes at `offset`.
fn change(data: &mut [u8], offset: u64, size: usize, little: bool, new: impl Fn(u64) -> u64) {
    let Some(place) = usize::try_from(offset).ok().and_then(|at| data.get_mut(at..at.checked_add(size)?))
    else {
        return;
    };
    let mut word = [0; 8];
    if size > 8 {
        return;
    }
    if little {
        word[..size].copy_from_slice(place);
        place.copy_from_slice(&new(u64::from_le_bytes(word)).to_le_bytes()[..size]);
    } else {
        word[8 - size..].copy_from_slice(place);
        place.copy_from_slice(&new(u64::from_be_bytes(word)).to_be_bytes()[8 - size..]);
    }
}
