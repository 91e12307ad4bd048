//! Debian packages: an `ar` archive with the members `control.tar.*` and `data.tar.*` (deb(5)).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::compression;
use crate::error::UserlandError;

/// How much of a maintainer script or of the control file is read, bytes.
const MAX_CONTROL: u64 = 4 << 20;

/// What a package says of itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Control {
    /// The fields, as they are in the package.
    pub fields: String,
    /// The script that would run after it has been unpacked. It is read, never run.
    pub postinst: String,
}

/// The control file of a package, and its script.
pub(crate) fn control(package: &Path) -> Result<Control, UserlandError> {
    let damaged = |error: io::Error| UserlandError::damaged(package, error.to_string());
    let mut archive = tar::Archive::new(member(package, "control.tar").map_err(damaged)?);
    let mut control = Control::default();
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let into = match entry.path_bytes().as_ref() {
            b"./control" | b"control" => &mut control.fields,
            b"./postinst" | b"postinst" => &mut control.postinst,
            _ => continue,
        };
        let mut bytes = Vec::new();
        entry.take(MAX_CONTROL).read_to_end(&mut bytes).map_err(damaged)?;
        *into = String::from_utf8_lossy(&bytes).into_owned();
    }
    if control.fields.is_empty() {
        return Err(UserlandError::damaged(package, "the package has no control file"));
    }
    Ok(control)
}

/// The package's files as a tar archive, decompressed.
pub(crate) fn data(package: &Path) -> Result<Box<dyn Read>, UserlandError> {
    member(package, "data.tar").map_err(|error| UserlandError::damaged(package, error.to_string()))
}

fn member(package: &Path, wanted: &str) -> io::Result<Box<dyn Read>> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut file = File::open(package)?;
    let mut magic = [0; 8];
    file.read_exact(&mut magic)
        .ok()
        .filter(|()| &magic == b"!<arch>\n")
        .ok_or_else(|| wrong("it is no Debian package: it does not start with `!<arch>`".into()))?;
    let length = file.metadata()?.len();
    let mut at = magic.len() as u64;
    loop {
        let mut header = [0; 60];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header).map_err(|_| wrong(format!("the package ends before its {wanted}")))?;
        let field = |from: usize, to: usize| std::str::from_utf8(&header[from..to]).map(str::trim_end);
        let (Ok(name), Ok(Ok(size))) = (field(0, 16), field(48, 58).map(str::parse::<u64>)) else {
            return Err(wrong("the header of one of its members is damaged".into()));
        };
        if size > length.saturating_sub(at + 60) {
            return Err(wrong(format!("the package is cut off within {}", name.trim_end_matches('/'))));
        }
        if name.starts_with(wanted) {
            return compression::reader(file.take(size));
        }
        at += 60 + size + size % 2;
    }
}
