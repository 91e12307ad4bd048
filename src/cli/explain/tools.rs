//! What is loaded once for all files, and reading one of them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::{Around, ExplainArgs, ExplainError, Format, read_error};
use crate::kernel::Kernel;
use crate::oops::{self, Engine, Findings, Report, SymbolError, Symbols};
use crate::suite::{Circumstances, KnownMessages, Sorted, load_messages};
use crate::version::KernelVersion;

/// Where the lines of reports are taken from.
pub(super) enum Source {
    Whole(Vec<u8>),
    File(PathBuf),
}

impl Source {
    /// The console from the start to the end of a report.
    pub(super) fn region(&self, report: &Report) -> io::Result<Vec<u8>> {
        let length = report.end.saturating_sub(report.start);
        match self {
            Source::Whole(console) => {
                let start = report.start.min(console.len());
                Ok(console[start..report.end.clamp(start, console.len())].to_vec())
            }
            Source::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(report.start as u64))?;
                let mut region = Vec::new();
                file.take(length as u64).read_to_end(&mut region)?;
                Ok(region)
            }
        }
    }
}

/// What is loaded once for all files.
pub(super) struct Tools {
    overlay: Option<Engine>,
    known: Option<KnownMessages>,
    symbols: Option<Symbols>,
    version: Option<KernelVersion>,
    today: Date,
}

impl Tools {
    pub(super) fn load(args: &ExplainArgs, around: &Around<'_>) -> Result<Tools, ExplainError> {
        let overlay = match &args.rules {
            None => None,
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|source| read_error(file, source))?;
                let fail = |source| ExplainError::Rules { file: file.display().to_string(), source };
                Some(Engine::with_overlay(&text).map_err(fail)?)
            }
        };
        let known = args.known.as_ref().map(load_messages).transpose()?;
        let symbols = match (&args.vmlinux, &args.system_map, around.kernel) {
            (Some(file), ..) => Some(load_symbols(file, Symbols::from_vmlinux)?),
            (None, Some(file), _) => Some(load_symbols(file, Symbols::from_system_map)?),
            (None, None, Some(kernel)) => Some(symbols_of(kernel)?),
            (None, None, None) => None,
        };
        let version = around.kernel.map(|kernel| kernel.version.clone());
        Ok(Tools { overlay, known, symbols, version, today: around.today })
    }

    /// What is to be told about entries that have expired.
    pub(super) fn expired(&self) -> String {
        let expired = self.known.iter().flat_map(|known| known.expired(self.today));
        expired.map(|entry| format!("\n{}\n", entry.expiry_notice())).collect()
    }

    /// Reads one file. Only what needs the whole console has it in memory: standard input that is to be shown, names
    /// for addresses, and known messages.
    pub(super) fn diagnose(&self, file: &Path, format: Format) -> Result<(Source, Sorted), ExplainError> {
        let engine = self.overlay.as_ref().unwrap_or_else(|| Engine::embedded());
        let stdin = file == Path::new("-");
        let fail = |source| read_error(file, source);
        if self.symbols.is_none() && self.known.is_none() && !(stdin && format == Format::Human) {
            let found = if stdin {
                engine.diagnose_reader(io::stdin().lock())
            } else {
                File::open(file).and_then(|file| engine.diagnose_reader(file))
            };
            let Findings { reports, passed_over, .. } = found.map_err(fail)?;
            let sorted = Sorted { reports, passed_over, ..Sorted::default() };
            return Ok((Source::File(file.to_owned()), sorted));
        }
        let mut console = Vec::new();
        if stdin {
            io::stdin().lock().read_to_end(&mut console).map_err(fail)?;
        } else {
            console = std::fs::read(file).map_err(fail)?;
        }
        if let Some(symbols) = &self.symbols {
            console = symbols.name_addresses(&console);
        }
        let named = oops::release(&console).and_then(|release| release.parse().ok());
        let version = self.version.as_ref().or(named.as_ref());
        let now = Circumstances { today: self.today, version, lines_from: 0 };
        let sorted = match &self.known {
            Some(known) => known.read(engine, &console, now, |_| false),
            None => KnownMessages::default().read(engine, &console, now, |_| false),
        };
        Ok((Source::Whole(console), sorted))
    }
}

fn load_symbols(
    file: &Path,
    parse: fn(&[u8]) -> Result<Symbols, SymbolError>,
) -> Result<Symbols, ExplainError> {
    let bytes = std::fs::read(file).map_err(|source| read_error(file, source))?;
    parse(&bytes).map_err(|source| ExplainError::Symbols { file: file.display().to_string(), source })
}

/// The symbols that come with a kernel: its System.map, else its image's own table.
fn symbols_of(kernel: &Kernel) -> Result<Symbols, ExplainError> {
    let map = kernel.system_map.as_deref().map(|file| load_symbols(file, Symbols::from_system_map));
    let image = || kernel.vmlinux.as_deref().map(|file| load_symbols(file, Symbols::from_vmlinux));
    for found in [map, image()].into_iter().flatten() {
        match found {
            Err(ExplainError::Symbols { .. }) => {} // a stub, or stripped
            found => return found,
        }
    }
    Err(ExplainError::NoSymbols { kernel: kernel.name.clone() })
}
