//! Names for raw addresses: a kernel without kallsyms prints numbers where others print functions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use object::{Object, ObjectSymbol, SymbolKind};
use regex::bytes::{Captures, Regex};

/// Why a file has no usable symbols.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolError {
    /// The file is no ELF file, or a broken one.
    #[error("this is no usable vmlinux: {0}; give the uncompressed ELF file of the kernel, not vmlinuz")]
    Elf(#[from] object::Error),
    /// No line has the form `ffffffff81000000 T name`.
    #[error("this is no System.map: {lines} lines, none of the form `ffffffff81000000 T function`")]
    NoSymbols {
        /// How many lines the file has.
        lines: usize,
    },
}

/// The functions of one kernel by address.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// Start address to name; the end of a function is the start of the next one.
    by_address: BTreeMap<u64, String>,
}

/// A function is not longer than this; behind the last one of a section comes something else.
const MAX_FUNCTION: u64 = 1 << 20;

impl Symbols {
    /// The symbols of a `System.map`: lines of address, type letter and name.
    ///
    /// # Errors
    /// If no line has that form.
    pub fn from_system_map(text: &[u8]) -> Result<Symbols, SymbolError> {
        let mut by_address = BTreeMap::new();
        let mut lines = 0;
        for line in text.split(|byte| *byte == b'\n') {
            lines += 1;
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let mut words = line.split_ascii_whitespace();
            let (Some(address), Some(letter), Some(name)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if let (Ok(address), "t" | "T" | "w" | "W") = (u64::from_str_radix(address, 16), letter) {
                by_address.entry(address).or_insert_with(|| name.to_owned());
            }
        }
        if by_address.is_empty() { Err(SymbolError::NoSymbols { lines }) } else { Ok(Symbols { by_address }) }
    }

    /// The symbols of an uncompressed kernel image with a symbol table.
    ///
    /// # Errors
    /// If the bytes are no ELF file, or it has no functions.
    pub fn from_vmlinux(elf: &[u8]) -> Result<Symbols, SymbolError> {
        let file = object::File::parse(elf)?;
        let functions =
            file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.address() != 0);
        let by_address: BTreeMap<u64, String> =
            functions.filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?.to_owned()))).collect();
        if by_address.is_empty() {
            Err(SymbolError::NoSymbols { lines: 0 })
        } else {
            Ok(Symbols { by_address })
        }
    }

    /// The function an address lies in, the offset into it, and its length, as a trace shows them.
    pub fn resolve(&self, address: u64) -> Option<(&str, u64, u64)> {
        let (start, name) = self.by_address.range(..=address).next_back()?;
        let end = self.by_address.range(start + 1..).next().map_or(start + MAX_FUNCTION, |(next, _)| *next);
        let length = (end - start).min(MAX_FUNCTION);
        (address - start < length).then_some((name, address - start, length))
    }

    /// The console with every raw code address of a trace or an instruction pointer replaced by `name+0xoff/0xlen`.
    ///
    /// A kernel that was loaded at a random place says by how much in its panic message; that is taken into account.
    pub fn name_addresses(&self, console: &[u8]) -> Vec<u8> {
        self.name_addresses_at(console, kernel_offset(console).unwrap_or(0))
    }

    /// As [`Symbols::name_addresses`] for a part of a console, lines of a kernel that was loaded `slide` bytes behind the
    /// addresses of its symbols.
    pub fn name_addresses_at(&self, lines: &[u8], slide: u64) -> Vec<u8> {
        static TRACED: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"(?m)((?:^|\] +|RIP: [0-9]+:|pc : |lr : )(?:\[<[0-9a-f]+>\] +)?(?:\? +)?)0x([0-9a-f]{16})(\r?$| )",
            )
            .expect("the pattern is constant and tested")
        });
        let named = TRACED.replace_all(lines, |found: &Captures<'_>| {
            let text = |group| found.get(group).map_or(&b""[..], |group| group.as_bytes());
            let address =
                std::str::from_utf8(text(2)).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
            let resolved = address.and_then(|address| self.resolve(address.wrapping_sub(slide)));
            match resolved {
                Some((name, offset, length)) => {
                    [text(1), format!("{name}+0x{offset:x}/0x{length:x}").as_bytes(), text(3)].concat()
                }
                None => text(0).to_vec(),
            }
        });
        named.into_owned()
    }
}

/// `Kernel Offset: 0x1c000000 from 0xffffffff81000000`, printed by dump_kernel_offset() when the kernel panics.
/// The last one counts; nothing where the console has none.
pub fn kernel_offset(console: &[u8]) -> Option<u64> {
    let at = memchr::memmem::rfind(console, b"Kernel Offset: 0x")?;
    let digits = &console[at + 17..];
    let len = digits.iter().take(16).take_while(|byte| byte.is_ascii_hexdigit()).count();
    std::str::from_utf8(&digits[..len]).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &[u8] =
        b"ffffffff81000000 T _stext\nffffffff81000100 t first_func\nffffffff81000200 T second_func\n\
        ffffffff81000300 D some_data\nffffffff81000400 T last_func\n";

    #[test]
    fn addresses_are_found_in_their_function() {
        let symbols = Symbols::from_system_map(MAP).unwrap();
        let table = [
            (0xffff_ffff_8100_0110, Some(("first_func", 0x10, 0x100))),
            (0xffff_ffff_8100_0200, Some(("second_func", 0, 0x200))),
            (0xffff_ffff_80ff_ffff, None),
            (u64::MAX, None),
        ];
        for (address, wanted) in table {
            assert_eq!(symbols.resolve(address), wanted);
        }
    }

    #[test]
    fn traces_get_names() {
        let symbols = Symbols::from_system_map(MAP).unwrap();
        let console = b"[    1.0] RIP: 0010:0xffffffff91000110\n[    1.0] Call Trace:\n\
            [    1.0]  [<ffffffff91000210>] 0xffffffff91000210\r\n[    1.0]  ? 0xffffffff91000404\n\
            [    1.0] RAX: 0xffffffff91000404 x\n[    1.0] Kernel Offset: 0x10000000 from 0xffffffff81000000\n";
        insta::assert_snapshot!(String::from_utf8_lossy(&symbols.name_addresses(console)), @r#"
        [    1.0] RIP: 0010:first_func+0x10/0x100
        [    1.0] Call Trace:
        [    1.0]  [<ffffffff91000210>] second_func+0x10/0x200
        [    1.0]  ? last_func+0x4/0x100000
        [    1.0] RAX: 0xffffffff91000404 x
        [    1.0] Kernel Offset: 0x10000000 from 0xffffffff81000000
        "#);
    }

    #[test]
    fn what_is_no_symbol_file_is_refused_with_advice() {
        let error = Symbols::from_system_map(b"hello\nworld\n").unwrap_err();
        insta::assert_snapshot!(error, @"this is no System.map: 3 lines, none of the form `ffffffff81000000 T function`");
        let error = Symbols::from_vmlinux(b"hello").unwrap_err();
        insta::assert_snapshot!(error, @"this is no usable vmlinux: Could not read file magic; give the uncompressed ELF file of the kernel, not vmlinuz");
    }
}
