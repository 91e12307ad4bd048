//! A guest's memory as a file that `crash` and drgn open: an ELF core as QEMU dumps it, with the note that says what is
//! where. QEMU adds that note only where the guest's kernel has a driver for its `vmcoreinfo` device, which Debian's cloud
//! kernels do not load; it is taken out of the memory itself.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use qapi::qmp::{self, DumpStatus};

use super::VmError;
use super::monitor::Monitor;

/// The name of the file in an attempt's folder.
pub const NAME: &str = "vmcore";

/// How long QEMU may take to write it.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is asked whether it is done.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// The name by which QEMU knows the file's descriptor.
const FD_NAME: &str = "vmcore";

/// Has QEMU write the guest's memory; the guest stands still meanwhile.
///
/// # Errors
/// [`VmError::Io`] for the file, [`VmError::Monitor`] for what QEMU says.
pub fn dump(monitor: &mut Monitor, path: &Path, vmcoreinfo: Option<&[u8]>) -> Result<(), VmError> {
    let io = || VmError::io(path.display().to_string());
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path).map_err(io())?;
    monitor.give(FD_NAME, &OwnedFd::from(file.try_clone().map_err(io())?))?;
    monitor.execute(&qmp::dump_guest_memory {
        begin: None,
        detach: Some(true),
        format: None,
        length: None,
        paging: false,
        protocol: format!("fd:{FD_NAME}"),
    })?;
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match monitor.execute(&qmp::query_dump {})?.status {
            DumpStatus::completed => break,
            DumpStatus::active if Instant::now() < deadline => std::thread::sleep(ASKED_EVERY),
            status => return Err(VmError::Monitor(format!("the dump of the memory is {status:?}"))),
        }
    }
    vmcoreinfo.map_or(Ok(()), |text| add_note(&file, text)).map_err(io())
}

/// Adds the note `VMCOREINFO` to an ELF-64 core: all notes are copied to its end, where there is room for one more.
fn add_note(file: &File, text: &[u8]) -> io::Result<()> {
    const NOTE_HEADER: usize = 56;
    const PT_NOTE: u32 = 4;
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "no ELF-64 core with notes");
    let read = |at: u64, length: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).map(|()| bytes)
    };
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
    let head = read(0, 64)?;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return Err(bad());
    }
    let (table, count) = (word(&head, 32), u16::from_le_bytes([head[56], head[57]]));
    for nth in 0..u64::from(count) {
        let at = table + nth * NOTE_HEADER as u64;
        let mut header = read(at, NOTE_HEADER)?;
        if header[..4] != PT_NOTE.to_le_bytes() {
            continue;
        }
        // p_offset and p_filesz
        let length = usize::try_from(word(&header, 32)).ok().filter(|n| *n < 1 << 20).ok_or_else(bad)?;
        let mut notes = read(word(&header, 8), length)?;
        notes.extend(note(b"VMCOREINFO\0", text));
        let end = file.metadata()?.len().next_multiple_of(4);
        file.write_all_at(&notes, end)?;
        header[8..16].copy_from_slice(&end.to_le_bytes());
        header[32..40].copy_from_slice(&(notes.len() as u64).to_le_bytes());
        return file.write_all_at(&header, at);
    }
    Err(bad())
}

/// A note of type 0 (`elf(5)`): name and contents are padded to four bytes.
fn note(name: &[u8], contents: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for number in [name.len() as u32, contents.len() as u32, 0] {
        note.extend(number.to_le_bytes());
    }
    for part in [name, contents] {
        note.extend(part);
        note.resize(note.len().next_multiple_of(4), 0);
    }
    note
}

#[cfg(test)]
mod tests {
    use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};

    use super::*;

    #[test]
    fn a_core_gets_one_more_note() {
        let first = note(b"CORE\0", b"registers");
        let mut core = vec![0; 64 + 56];
        core[..6].copy_from_slice(b"\x7fELF\x02\x01");
        core[6] = 1;
        core[16..18].copy_from_slice(&4u16.to_le_bytes());
        core[18..20].copy_from_slice(&62u16.to_le_bytes());
        core[20] = 1;
        core[32] = 64;
        core[52] = 64;
        core[54] = 56;
        core[56] = 1;
        core[64] = 4;
        core[64 + 8] = 120;
        core[64 + 32] = first.len() as u8;
        core.extend(&first);
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(&core, 0).expect("written");
        add_note(&file, b"OSRELEASE=6.1\n").expect("a note");
        let mut all = vec![0; file.metadata().expect("a size").len() as usize];
        file.read_exact_at(&mut all, 0).expect("read");
        let elf = ElfFile64::<object::Endianness>::parse(&all[..]).expect("an ELF file");
        let endian = elf.elf_header().endian().expect("little");
        let mut names = Vec::new();
        for header in elf.elf_program_headers() {
            let mut notes = header.notes(endian, &all[..]).expect("notes").expect("a note segment");
            while let Some(note) = notes.next().expect("a note") {
                names.push((String::from_utf8_lossy(note.name()).into_owned(), note.desc().to_vec()));
            }
        }
        assert_eq!(
            names,
            [("CORE".into(), b"registers".to_vec()), ("VMCOREINFO".into(), b"OSRELEASE=6.1\n".to_vec())]
        );
        let empty = tempfile::tempfile().expect("a file");
        assert!(add_note(&empty, b"").is_err());
    }
}
