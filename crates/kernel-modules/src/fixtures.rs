//! Tiny files for tests: modules and kernels with nothing in them but what is read here.

use std::io::Write;

/// A relocatable 64-bit ELF file with a `.modinfo` section.
pub fn module(modinfo: &[(&str, &str)]) -> Vec<u8> {
    let mut strings = Vec::new();
    for (key, value) in modinfo {
        strings.extend_from_slice(format!("{key}={value}\0").as_bytes());
    }
    let names = b"\0.modinfo\0.shstrtab\0";
    let names_at = 64 + strings.len();
    let sections_at = names_at + names.len();
    let mut elf = elf_header(1, 0, sections_at as u64, 3, 2);
    elf.extend_from_slice(&strings);
    elf.extend_from_slice(names);
    elf.extend_from_slice(&[0; 64]);
    // (name, type, offset, size)
    for (name, kind, at, size) in [(1u32, 1u32, 64, strings.len()), (10, 3, names_at, names.len())] {
        elf.extend_from_slice(&name.to_le_bytes());
        elf.extend_from_slice(&kind.to_le_bytes());
        elf.extend_from_slice(&[0; 16]);
        elf.extend_from_slice(&(at as u64).to_le_bytes());
        elf.extend_from_slice(&(size as u64).to_le_bytes());
        elf.extend_from_slice(&[0; 8]);
        elf.extend_from_slice(&1u64.to_le_bytes());
        elf.extend_from_slice(&[0; 8]);
    }
    elf
}

/// A 64-bit ELF kernel, with or without the note of a PVH entry point.
pub fn vmlinux(pvh: bool) -> Vec<u8> {
    let mut note = Vec::new();
    let kind: u32 = if pvh { 18 } else { 6 };
    for word in [4, 4, kind] {
        note.extend_from_slice(&word.to_le_bytes());
    }
    note.extend_from_slice(b"Xen\0\x00\x00\x00\x01");
    let mut elf = elf_header(2, 1, 0, 0, 0);
    // one segment: PT_NOTE, readable
    elf.extend_from_slice(&4u32.to_le_bytes());
    elf.extend_from_slice(&4u32.to_le_bytes());
    for field in [64 + 56, 0, 0, note.len() as u64, note.len() as u64, 4] {
        elf.extend_from_slice(&field.to_le_bytes());
    }
    elf.extend_from_slice(&note);
    elf.extend_from_slice(b"Linux version %s\0Linux version 6.99.1-test (me@here) #1\0");
    elf
}

fn elf_header(kind: u16, segments: u16, sections_at: u64, sections: u16, names: u16) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend_from_slice(&kind.to_le_bytes());
    header.extend_from_slice(&62u16.to_le_bytes());
    header.extend_from_slice(&1u32.to_le_bytes());
    header.extend_from_slice(&0u64.to_le_bytes());
    header.extend_from_slice(&(if segments > 0 { 64u64 } else { 0 }).to_le_bytes());
    header.extend_from_slice(&sections_at.to_le_bytes());
    header.extend_from_slice(&0u32.to_le_bytes());
    for field in [64, 56, segments, 64, sections, names] {
        header.extend_from_slice(&field.to_le_bytes());
    }
    header
}

/// A bzImage around a payload that is compressed already; `length` is what the payload inflates to.
pub fn bzimage(release: &str, payload: &[u8], length: u32) -> Vec<u8> {
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    let banner = format!("{release} (me@here) #1 SMP\0");
    image[0x300..0x300 + banner.len()].copy_from_slice(banner.as_bytes());
    let mut body = payload.to_vec();
    if !payload.starts_with(&[0x1f, 0x8b]) {
        body.extend_from_slice(&length.to_le_bytes());
    }
    image[0x24c..0x250].copy_from_slice(&(body.len() as u32).to_le_bytes());
    body.resize(body.len().next_multiple_of(16), 0);
    image[0x1f4..0x1f8].copy_from_slice(&((body.len() / 16) as u32).to_le_bytes());
    image.extend_from_slice(&body);
    image
}

/// `data` as gzip.
pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("memory is writable");
    encoder.finish().expect("memory is writable")
}

/// `data` as xz.
pub fn xz(data: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(data).expect("memory is writable");
    encoder.finish().expect("memory is writable")
}

/// `data` as zstd.
pub fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}
