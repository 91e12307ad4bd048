//! `--format`: the formats of `render` as values of an option.

use std::io::{self, BufWriter, Write};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::render::{FORMATS, Kind, Renderer, Subject, by_name};
use crate::report::ReportError;
use crate::report::matrix::MatrixStyle;

/// A format that was asked for.
#[derive(Clone, Copy)]
pub struct ReportFormat(pub &'static dyn Renderer);

impl std::fmt::Debug for ReportFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.help())
    }
}

/// Takes the names of all formats that there are for subjects of a kind.
pub fn parser(of: Kind) -> impl TypedValueParser<Value = ReportFormat> {
    let values = FORMATS
        .iter()
        .filter_map(move |format| format.name(of).map(|name| PossibleValue::new(name).help(format.help())));
    PossibleValuesParser::new(values).map(move |name| named(&name, of))
}

/// Takes the names of all formats that there are for subjects of any of these kinds, where the subject is not yet known.
pub fn any_parser<const N: usize>(of: [Kind; N]) -> impl TypedValueParser<Value = String> {
    let mut values: Vec<PossibleValue> = Vec::new();
    for (format, kind) in FORMATS.iter().flat_map(|format| of.map(|kind| (format, kind))) {
        let Some(name) = format.name(kind) else { continue };
        if values.iter().all(|known| known.get_name() != name) {
            values.push(PossibleValue::new(name).help(format.help()));
        }
    }
    PossibleValuesParser::new(values)
}

/// The format of that name.
///
/// # Panics
/// There is none: the name does not come from [`parser`].
pub fn named(name: &str, of: Kind) -> ReportFormat {
    ReportFormat(by_name(name, of).unwrap_or_else(|| panic!("no format {name}")))
}

/// Renders to `out`, in the style of the stream that `out` is. What is printed ends with a line's end, as the XML of a file
/// does not. A reader of `out` that has gone is no error.
///
/// # Errors
/// As [`Renderer::render`].
pub fn print(
    format: &dyn Renderer,
    subject: &Subject<'_>,
    style: MatrixStyle,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut out = LastByte { out: BufWriter::new(out), last: b'\n' };
    let printed = format.render(subject, style, &mut out).and_then(|()| {
        let end: &[u8] = if out.last == b'\n' { b"" } else { b"\n" };
        out.write_all(end).and_then(|()| out.flush()).map_err(ReportError::Output)
    });
    match printed {
        Err(ReportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Remembers the last byte that was written; a line's end where none was.
struct LastByte<W> {
    out: W,
    last: u8,
}

impl<W: Write> Write for LastByte<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.last = bytes[..written].last().copied().unwrap_or(self.last);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
