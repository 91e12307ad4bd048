//! What is loaded once for all files, and reading one of them.

use std::io::{self, Read};
use std::path::Path;

use jiff::civil::Date;
use kernel_modules::inflate;

use super::container::Unreadable;
use super::decode::Decoder;
use super::input::{Input, KernelIdentity, Regions, SymbolizedLog};
use super::maintainership::Tree;
use super::{ExplainArgs, ExplainContext, ExplainError, ExplainFormat, read_error};
use crate::kernel::{DebugInfo, Kernel};
use crate::oops::{Engine, Findings, SymbolError, Symbols};
use crate::suite::{KnownMessages, MatchContext, SortedReports, load_messages};
use crate::version::KernelVersion;

/// So many reasons why functions have no lines are reported.
const COMPLAINTS_SHOWN: usize = 6;

/// What is loaded once for all files.
pub(super) struct Tools {
    overlay: Option<Engine>,
    known: Option<KnownMessages>,
    symbols: Option<Symbols>,
    pub(super) decoder: Option<Decoder>,
    pub(super) tree: Option<Tree>,
    version: Option<KernelVersion>,
    today: Date,
    remarks: Vec<String>,
}

/// One file that was read.
pub(super) struct Diagnosed {
    pub(super) name: String,
    pub(super) sorted: SortedReports,
    /// What it is instead of a log.
    pub(super) unreadable: Option<Unreadable>,
    /// What could not be read of it.
    pub(super) damage: Option<String>,
    input: Input,
    slide: u64,
}

impl Tools {
    pub(super) fn load(args: &ExplainArgs, around: &ExplainContext<'_>) -> Result<Tools, ExplainError> {
        let overlay = match &args.rules {
            None => None,
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|source| read_error(file, source))?;
                let fail = |source| ExplainError::Rules { file: file.display().to_string(), source };
                Some(Engine::with_overlay(&text).map_err(fail)?)
            }
        };
        let known = args.known.as_ref().map(load_messages).transpose()?;
        let mut remarks = Vec::new();
        let decoder = decoder(args, around, &mut remarks)?;
        let symbols = match (&args.vmlinux, &args.system_map, around.kernel) {
            (Some(file), ..) => Some(load_symbols(file, Symbols::from_vmlinux)?),
            (None, Some(file), _) => Some(load_symbols(file, Symbols::from_system_map)?),
            (None, None, Some(kernel)) => match symbols_of(kernel, around.debug) {
                // consoles name functions, and that there are no lines is reported
                Err(ExplainError::NoSymbols { .. }) if decoder.is_some() || around.no_debug.is_some() => None,
                found => Some(found?),
            },
            (None, None, None) => None,
        };
        let tree = args.maintainers.as_deref().map(Tree::open).transpose()?;
        let version = around.kernel.map(|kernel| kernel.version.clone());
        Ok(Tools { overlay, known, symbols, decoder, tree, version, today: around.today, remarks })
    }

    /// What is to be reported about entries that have expired.
    pub(super) fn expired(&self) -> String {
        let expired = self.known.iter().flat_map(|known| known.expired(self.today));
        expired.map(|entry| format!("\n{}\n", entry.expiry_notice())).collect()
    }

    /// Why functions have no lines, where that is no fault of theirs.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = self.remarks.clone();
        complaints.extend(self.decoder.iter().flat_map(|decoder| decoder.0.complaints()));
        let more = complaints.len().saturating_sub(COMPLAINTS_SHOWN);
        complaints.truncate(COMPLAINTS_SHOWN);
        if more > 0 {
            complaints.push(format!("{more} more of the kind"));
        }
        complaints
    }

    /// Reads one file, once or several times, and never has more of it in memory than a window.
    pub(super) fn diagnose(&self, file: &Path, format: ExplainFormat) -> Result<Diagnosed, ExplainError> {
        let fail = |source| read_error(file, source);
        let prepared = self.symbols.is_some() || self.known.is_some();
        let input = Input::of(file, prepared || format != ExplainFormat::Title).map_err(fail)?;
        let mut diagnosed = Diagnosed {
            name: file.to_string_lossy().into_owned(),
            sorted: SortedReports::default(),
            unreadable: input.unreadable().map_err(fail)?,
            damage: None,
            input,
            slide: 0,
        };
        if diagnosed.unreadable.is_none() {
            diagnosed.sorted = self.read(&mut diagnosed, prepared).map_err(fail)?;
        }
        diagnosed.damage = diagnosed.input.damage();
        Ok(diagnosed)
    }

    fn read(&self, diagnosed: &mut Diagnosed, prepared: bool) -> io::Result<SortedReports> {
        let engine = self.overlay.as_ref().unwrap_or_else(|| Engine::embedded());
        let mut named = None;
        if prepared {
            let preface = KernelIdentity::find(diagnosed.input.text()?, self.symbols.is_some())?;
            diagnosed.slide = preface.slide;
            named = preface.release.and_then(|release| release.parse().ok());
        }
        let Some(known) = &self.known else {
            let found = engine.diagnose_reader(self.text(diagnosed)?)?;
            let Findings { reports, passed_over, .. } = found;
            return Ok(SortedReports { reports, passed_over, ..SortedReports::default() });
        };
        let version = self.version.as_ref().or(named.as_ref());
        let now = MatchContext { today: self.today, version, lines_from: 0 };
        known.read_from(engine, || self.text(diagnosed), now)
    }

    /// The log as it is shown: with names in the place of raw addresses.
    pub(super) fn text<'d>(&'d self, diagnosed: &'d Diagnosed) -> io::Result<Box<dyn Read + 'd>> {
        let log = diagnosed.input.text()?;
        Ok(match &self.symbols {
            Some(symbols) => Box::new(SymbolizedLog::new(log, symbols, diagnosed.slide)),
            None => log,
        })
    }

    /// The lines of the reports.
    pub(super) fn regions<'d>(&'d self, diagnosed: &'d Diagnosed) -> io::Result<Regions<Box<dyn Read + 'd>>> {
        if diagnosed.sorted.reports.is_empty() {
            return Ok(Regions::new(Box::new(io::empty())));
        }
        self.text(diagnosed).map(Regions::new)
    }
}

fn decoder(
    args: &ExplainArgs,
    around: &ExplainContext<'_>,
    remarks: &mut Vec<String>,
) -> Result<Option<Decoder>, ExplainError> {
    let debug = args.debug.as_deref().or(around.debug);
    let info = match (&args.vmlinux, debug) {
        (None, Some(folder)) => DebugInfo::in_folder(folder)?,
        (Some(file), Some(folder)) => DebugInfo::in_folder(folder)?.with_vmlinux(file),
        (Some(file), None) => {
            let info = DebugInfo::of_vmlinux(file);
            // one without debug information still has names for addresses
            if let Err(error) = info.load_vmlinux() {
                remarks.push(format!("no lines: {error}"));
                return Ok(None);
            }
            info
        }
        (None, None) => {
            remarks.extend(around.no_debug.map(|why| format!("no lines: {why}")));
            return Ok(None);
        }
    };
    Ok(Some(Decoder(info)))
}

fn load_symbols(
    file: &Path,
    parse: fn(&[u8]) -> Result<Symbols, SymbolError>,
) -> Result<Symbols, ExplainError> {
    let bytes = std::fs::read(file).and_then(inflate).map_err(|source| read_error(file, source))?;
    parse(&bytes).map_err(|source| ExplainError::Symbols { file: file.display().to_string(), source })
}

/// The symbols that come with a kernel: its System.map or that of its debug information, else its image's own table.
fn symbols_of(kernel: &Kernel, debug: Option<&Path>) -> Result<Symbols, ExplainError> {
    let of_debug = debug.map(|folder| folder.join("System.map.gz")).filter(|file| file.is_file());
    let map = kernel.system_map.as_deref().or(of_debug.as_deref());
    let map = map.map(|file| load_symbols(file, Symbols::from_system_map));
    let image = || kernel.vmlinux.as_deref().map(|file| load_symbols(file, Symbols::from_vmlinux));
    for found in [map, image()].into_iter().flatten() {
        match found {
            Err(ExplainError::Symbols { .. }) => {} // a stub, or stripped
            found => return found,
        }
    }
    Err(ExplainError::NoSymbols { kernel: kernel.name.clone() })
}
