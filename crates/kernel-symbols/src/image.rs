//! One ELF file with debug information: `vmlinux`, a module, or the file that a distribution split off either.

use parking_lot::Mutex;

use addr2line::Context;
use object::{File, Object};

use super::bytes::Bytes;
use super::place::Place;
use super::sections::{self, Layout, Reader};
use super::table::Table;

/// More inlined functions than this are not listed for one place.
const MAX_INLINED: usize = 64;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// It is no ELF file, or a broken one.
    #[error("no usable ELF file: {0}")]
    Elf(#[from] object::Error),
    /// Its DWARF is broken.
    #[error("its debug information is broken: {0}")]
    Dwarf(#[from] gimli::Error),
    /// It has no symbol table.
    #[error("it has no symbols; give a file that was not stripped")]
    NoSymbols,
    /// It has no DWARF.
    #[error("it has no debug information; give one that was built with CONFIG_DEBUG_INFO and not stripped")]
    NoDebugInfo,
    /// Its DWARF is larger than any kernel's.
    #[error("its debug information has {bytes} bytes, more than 8 GiB")]
    TooLarge {
        /// The size of all its sections.
        bytes: u64,
    },
}

/// Why a place has no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// There is no such function.
    #[error("{function} is not in the file")]
    NoFunction {
        /// The function.
        function: String,
    },
    /// No function of that name is as long as the trace says: the file is of another build.
    #[error(
        "{function} is {found:#x} bytes long in the file, {expected:#x} in the trace: it is of another build"
    )]
    OtherBuild {
        /// The function.
        function: String,
        /// Its length in the file, in bytes.
        found: u64,
        /// Its length in the trace, in bytes.
        expected: u64,
    },
    /// Several functions have that name and length, and different lines.
    #[error("{count} functions are called {function} and are equally long")]
    Ambiguous {
        /// The function.
        function: String,
        /// How many there are.
        count: usize,
    },
    /// The function has no debug information, such as one written in assembly.
    #[error("{function} has no line there")]
    NoLine {
        /// The function.
        function: String,
    },
}

/// A line of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The function whose line it is, where the DWARF has its name.
    pub function: Option<String>,
    /// The file as the compiler was given it.
    pub file: String,
    /// Counted from 1; `None` where the instruction belongs to no line.
    pub line: Option<u32>,
}

/// A file with debug information.
pub struct Image {
    table: Table,
    // the parser fills its tables when they are first asked
    context: Mutex<Context<Reader>>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").finish_non_exhaustive()
    }
}

impl Image {
    /// Reads the file, of which a copy is kept.
    ///
    /// # Errors
    /// If it is no ELF file, is broken, or lacks symbols or DWARF.
    pub fn parse(elf: &[u8]) -> Result<Image, ImageError> {
        Image::from_bytes(&Bytes::from(elf.to_vec()))
    }

    /// Reads the file, which is kept: a `vmlinux` of hundreds of megabytes is not copied.
    ///
    /// # Errors
    /// If it is no ELF file, is broken, or lacks symbols or DWARF.
    pub fn from_bytes(elf: &Bytes) -> Result<Image, ImageError> {
        let file = File::parse(&elf[..])?;
        let layout = Layout::of(&file);
        let table = Table::of(&file, &layout);
        if table.is_empty() {
            return Err(ImageError::NoSymbols);
        }
        if !has_lines(&file) {
            return Err(ImageError::NoDebugInfo);
        }
        let context = Context::from_dwarf(sections::dwarf(elf, &file, &layout)?)?;
        Ok(Image { table, context: Mutex::new(context) })
    }

    /// Whether a file has what [`Image::parse`] needs, without reading its debug information.
    pub fn is_usable(elf: &[u8]) -> bool {
        File::parse(elf).is_ok_and(|file| has_lines(&file) && file.symbols().next().is_some())
    }

    /// The lines of a place: the innermost inlined function first, the function that the trace names last.
    ///
    /// # Errors
    /// If there is no such function, or none that is as long, or it is not clear which of several is meant, or it has
    /// no lines.
    pub fn lookup(&self, place: &Place) -> Result<Vec<Line>, LookupError> {
        let function = || place.function.clone();
        let named = self.table.named(&place.function);
        let Some(first) = named.first() else { return Err(LookupError::NoFunction { function: function() }) };
        let mut found: Vec<Vec<Line>> = Vec::new();
        let mut fitting = 0;
        for candidate in named.iter().filter(|candidate| candidate.is_long(place.length)) {
            fitting += 1;
            let back = u64::from(place.returns && place.offset > 0);
            let lines = self.lines(candidate.address.wrapping_add(place.offset).wrapping_sub(back));
            if !lines.is_empty() && !found.contains(&lines) {
                found.push(lines);
            }
        }
        match (fitting, found.len()) {
            (0, _) => Err(LookupError::OtherBuild {
                function: function(),
                found: first.length(),
                expected: place.length,
            }),
            (_, 0) => Err(LookupError::NoLine { function: function() }),
            (_, 1) => Ok(found.swap_remove(0)),
            (count, _) => Err(LookupError::Ambiguous { function: function(), count }),
        }
    }

    /// The lines of an address of this file.
    fn lines(&self, address: u64) -> Vec<Line> {
        let context = self.context.lock();
        let Ok(mut frames) = context.find_frames(address).skip_all_loads() else { return Vec::new() };
        let mut lines = Vec::new();
        while let Ok(Some(frame)) = frames.next()
            && lines.len() < MAX_INLINED
        {
            let Some(location) = frame.location else { continue };
            let Some(file) = location.file else { continue };
            let function = frame.function.and_then(|name| name.raw_name().ok().map(|name| name.into_owned()));
            lines.push(Line {
                function,
                file: file.to_owned(),
                line: location.line.filter(|line| *line > 0),
            });
        }
        lines
    }

    /// The folder that the kernel was compiled in, as its files' names begin: `kernel_init` is in `init/main.c`.
    /// Empty where the names are relative already or `kernel_init` is not here.
    pub fn source_folder(&self) -> String {
        let named = self.table.named("kernel_init");
        let lines = named.iter().flat_map(|function| self.lines(function.address));
        let mut folders = lines.filter_map(|line| line.file.strip_suffix("init/main.c").map(str::to_owned));
        folders.next().unwrap_or_default()
    }
}

fn has_lines(file: &File<'_>) -> bool {
    file.section_by_name(".debug_info").is_some() && file.section_by_name(".debug_line").is_some()
}
