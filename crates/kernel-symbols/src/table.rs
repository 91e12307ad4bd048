//! Functions by name.

use std::collections::HashMap;

use object::{File, Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::sections::{Layout, is_code};

/// One function, or one label in code written in assembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) address: u64,
    /// As the symbol table has it; 0 for labels.
    size: u64,
    /// Bytes to the next symbol, or to the end of the section.
    room: u64,
    /// Whether no symbol follows in its section.
    last: bool,
}

impl Function {
    /// Whether the kernel would print this length. It counts up to the next symbol that it knows of, which the end of a
    /// section is not; the padding in between counts.
    pub(super) fn is_long(&self, length: u64) -> bool {
        length == self.room || length == self.size && length != 0 || self.last && length >= self.size
    }

    /// The length that a trace of this build shows.
    pub(super) fn length(&self) -> u64 {
        self.room
    }
}

/// All functions of a file.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<String, Vec<Function>>);

impl Table {
    pub(super) fn of(file: &File<'_>, layout: &Layout) -> Table {
        // (address, end of its section) of everything that has a name
        let mut marks: Vec<u64> = Vec::new();
        let mut functions: Vec<(String, u64, u64, u64)> = Vec::new();
        let mut code = HashMap::new();
        for section in file.sections() {
            let base = section.address().wrapping_add(layout.base(section.index()));
            let end = is_code(&section).then(|| base.saturating_add(section.size()));
            code.insert(section.index(), end);
        }
        for symbol in file.symbols() {
            let Some(section) = symbol.section_index() else { continue };
            let (Ok(name), Some(end)) = (symbol.name(), code.get(&section)) else { continue };
            if !is_named(name) || matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File) {
                continue;
            }
            let address = symbol.address().wrapping_add(layout.base(section));
            // the lowest bit of a Thumb function's address is a flag
            let thumb = file.architecture() == object::Architecture::Arm && symbol.kind() == SymbolKind::Text;
            let address = if thumb { address & !1 } else { address };
            marks.push(address);
            if let Some(end) = end {
                functions.push((name.to_owned(), address, symbol.size(), *end));
            }
        }
        marks.sort_unstable();
        marks.dedup();
        let mut table: HashMap<String, Vec<Function>> = HashMap::new();
        for (name, address, size, end) in functions {
            let next = marks.get(marks.partition_point(|mark| *mark <= address)).copied();
            let last = next.is_none_or(|next| next >= end);
            let room = if last { end } else { next.unwrap_or(end) }.saturating_sub(address);
            let function = Function { address, size, room, last };
            // kallsyms drops what clang's link-time optimisation puts behind names
            if let Some((short, _)) = name.split_once(".llvm.") {
                table.entry(short.to_owned()).or_default().push(function);
            }
            table.entry(name).or_default().push(function);
        }
        Table(table)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every function of this name.
    pub(super) fn named(&self, name: &str) -> &[Function] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Whether a symbol is one for the kernel's own table: labels of the compiler and marks between code and data are not.
fn is_named(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(".L") && !name.starts_with('$') && !name.starts_with("L0\u{1}")
}
