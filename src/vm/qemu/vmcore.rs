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
use rustix::fs::{FallocateFlags, fallocate};

use super::monitor::Monitor;
use crate::vm::VmError;

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

/// Adds the note `VMCOREINFO` to an ELF-64 core. It stands where the others are, before the memory: crash reads no notes
/// that come behind.
fn add_note(file: &File, text: &[u8]) -> io::Result<()> {
    const HEAD: usize = 64;
    const SEGMENT: usize = 56;
    const LONGEST: u64 = 1 << 20;
    const PT_LOAD: u32 = 1;
    const PT_NOTE: u32 = 4;
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "no ELF-64 core with notes");
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
    let length = file.metadata()?.len();
    let mut front = vec![0; length.min(LONGEST) as usize];
    file.read_exact_at(&mut front, 0)?;
    if front.len() < HEAD || !front.starts_with(b"\x7fELF\x02\x01") {
        return Err(bad());
    }
    let (table, count) = (word(&front, 32), usize::from(u16::from_le_bytes([front[56], front[57]])));
    let table =
        usize::try_from(table).ok().filter(|table| table + count * SEGMENT <= front.len()).ok_or_else(bad)?;
    // where each segment's header is, and the segment's type, p_offset and p_filesz
    let segments: Vec<(usize, u32, u64, u64)> = (0..count)
        .map(|nth| {
            let at = table + nth * SEGMENT;
            let kind = u32::from_le_bytes(front[at..at + 4].try_into().unwrap_or_default());
            (at, kind, word(&front, at + 8), word(&front, at + 32))
        })
        .collect();
    let loads = segments.iter().filter(|(_, kind, ..)| *kind == PT_LOAD);
    let memory = loads.map(|(_, _, offset, _)| *offset).min().unwrap_or(length);
    let &(notes_at, _, start, old) =
        segments.iter().find(|(_, kind, ..)| *kind == PT_NOTE).ok_or_else(bad)?;
    if memory > front.len() as u64 || start > memory || old > memory - start {
        return Err(bad());
    }
    let new = note(b"VMCOREINFO\0", text);
    let notes = old + new.len() as u64;
    let more = (start + notes).saturating_sub(memory).next_multiple_of(BLOCK);
    front.truncate((start + old) as usize);
    front.extend(new);
    front[notes_at + 32..notes_at + 40].copy_from_slice(&notes.to_le_bytes());
    for (at, _, offset, _) in segments.into_iter().filter(|(_, _, offset, _)| *offset >= memory) {
        front[at + 8..at + 16].copy_from_slice(&(offset + more).to_le_bytes());
    }
    make_room(file, memory, more)?;
    file.write_all_at(&front, 0)
}

/// Blocks of file systems are no larger, bytes.
const BLOCK: u64 = 4096;

/// Moves everything from `from` on by so many bytes. Some file systems do that without touching it.
fn make_room(file: &File, from: u64, by: u64) -> io::Result<()> {
    const CHUNK: u64 = 4 << 20;
    if by == 0 || fallocate(file, FallocateFlags::INSERT_RANGE, 0, by).is_ok() {
        return Ok(());
    }
    let mut chunk = vec![0; CHUNK as usize];
    let mut end = file.metadata()?.len();
    while end > from {
        let start = end.saturating_sub(CHUNK).max(from);
        let part = &mut chunk[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        file.write_all_at(part, start + by)?;
        end = start;
    }
    Ok(())
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
    fn a_core_gets_one_more_note_before_its_memory() {
        let first = note(b"CORE\0", b"registers");
        let mut core = vec![0; 64 + 2 * 56];
        core[..6].copy_from_slice(b"\x7fELF\x02\x01");
        core[6] = 1;
        core[16..18].copy_from_slice(&4u16.to_le_bytes());
        core[18..20].copy_from_slice(&62u16.to_le_bytes());
        core[20] = 1;
        core[32] = 64;
        core[52] = 64;
        core[54] = 56;
        core[56] = 2;
        let (notes, memory) = (core.len(), core.len() + first.len());
        core[64] = 4;
        core[64 + 8] = notes as u8;
        core[64 + 32] = first.len() as u8;
        core[64 + 56] = 1;
        core[64 + 56 + 8] = memory as u8;
        // more than is moved at once
        let contents: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
        core[64 + 56 + 32..64 + 56 + 40].copy_from_slice(&(contents.len() as u64).to_le_bytes());
        core.extend(&first);
        core.extend(&contents);
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(&core, 0).expect("written");
        add_note(&file, b"OSRELEASE=6.1\n").expect("a note");
        let mut all = vec![0; file.metadata().expect("a size").len() as usize];
        file.read_exact_at(&mut all, 0).expect("read");
        let elf = ElfFile64::<object::Endianness>::parse(&all[..]).expect("an ELF file");
        let endian = elf.elf_header().endian().expect("little");
        let (mut names, mut moved) = (Vec::new(), 0);
        for header in elf.elf_program_headers() {
            if let Some(mut notes) = header.notes(endian, &all[..]).expect("notes") {
                while let Some(note) = notes.next().expect("a note") {
                    names.push((String::from_utf8_lossy(note.name()).into_owned(), note.desc().to_vec()));
                }
            } else {
                moved = header.p_offset(endian);
                assert!(header.data(endian, &all[..]).expect("memory") == contents);
            }
        }
        assert_eq!(
            names,
            [("CORE".into(), b"registers".to_vec()), ("VMCOREINFO".into(), b"OSRELEASE=6.1\n".to_vec())]
        );
        let last = memchr::memmem::find(&all, b"OSRELEASE").expect("the note") as u64;
        assert!(last < moved, "{last} {moved}");
        let empty = tempfile::tempfile().expect("a file");
        assert!(add_note(&empty, b"").is_err());
    }

    #[test]
    fn room_is_made_by_hand_as_well() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"headmemory", 0).expect("written");
        // no multiple of a block: no file system does it
        make_room(&file, 4, 3).expect("room");
        let mut all = [0; 13];
        file.read_exact_at(&mut all, 0).expect("read");
        assert_eq!(&all[7..], b"memory");
    }
}
