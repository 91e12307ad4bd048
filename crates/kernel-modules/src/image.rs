//! Kernel images: the x86 boot protocol's header, and the uncompressed kernel inside.
//!
//! The header is described in Documentation/arch/x86/boot.rst of the kernel. QEMU can boot the uncompressed ELF file
//! directly when it has the Xen note that makes it a PVH kernel, which saves decompressing it in every guest.

use std::io::Read;

use object::elf::{FileHeader64, NoteType, PT_NOTE};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadRef};

use super::compression::Compression;

/// Type of the ELF note, owned by "Xen", that holds the 32-bit entry point of a PVH kernel
/// (include/xen/interface/elfnote.h of the kernel).
const XEN_ELFNOTE_PHYS32_ENTRY: NoteType = NoteType(18);

/// What is wrong with a kernel image, without the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Neither a bzImage nor an ELF file.
    #[error("it is no x86 kernel image: {0}; expected a bzImage (vmlinuz) or an ELF file (vmlinux)")]
    NotAKernel(&'static str),
    /// The file is shorter than its header says.
    #[error(
        "it is truncated: its header promises at least {expected} bytes and it has {found}; get the file again"
    )]
    Truncated {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// The compressed kernel inside cannot be read.
    #[error("the compressed kernel in it is corrupt: {0}; get the file again")]
    Corrupt(String),
}

/// A kernel image whose header has been checked against the file's length.
pub struct Image<'a> {
    data: &'a [u8],
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    BzImage { payload: (usize, usize), release_at: Option<usize> },
    Elf,
}

impl<'a> Image<'a> {
    /// Reads the header. The compressed kernel is looked at by [`Image::uncompressed`] only.
    pub fn parse(data: &'a [u8]) -> Result<Self, ImageError> {
        if data.starts_with(b"\x7fELF") {
            let expected =
                elf_length(data).ok_or(ImageError::NotAKernel("an ELF file, but not a 64-bit one"))?;
            if expected > data.len() as u64 {
                return Err(ImageError::Truncated { expected, found: data.len() as u64 });
            }
            return Ok(Image { data, kind: Kind::Elf });
        }
        if data.get(0x1fe..0x200) != Some(&[0x55, 0xaa]) || data.get(0x202..0x206) != Some(b"HdrS") {
            return Err(ImageError::NotAKernel("the boot protocol's magic numbers are missing"));
        }
        let u16_at = |at: usize| data.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let u32_at = |at: usize| data.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let short = || ImageError::Truncated { expected: 0x250, found: data.len() as u64 };
        let setup_sectors = match data[0x1f1] {
            0 => 4,
            n => usize::from(n),
        };
        let setup_end = (setup_sectors + 1) * 512;
        if u16_at(0x206).ok_or_else(short)? < 0x208 {
            return Err(ImageError::NotAKernel("its boot protocol is older than 2.08 (Linux 2.6.26)"));
        }
        let payload_offset = setup_end + u32_at(0x248).ok_or_else(short)? as usize;
        let payload_end = payload_offset + u32_at(0x24c).ok_or_else(short)? as usize;
        // the size of the protected-mode code, counted in 16 bytes
        let code_end = setup_end as u64 + u64::from(u32_at(0x1f4).ok_or_else(short)?) * 16;
        let expected = code_end.saturating_sub(15).max(payload_end as u64);
        if expected > data.len() as u64 {
            return Err(ImageError::Truncated { expected, found: data.len() as u64 });
        }
        let release_at = u16_at(0x20e).filter(|at| *at != 0).map(|at| usize::from(at) + 0x200);
        Ok(Image { data, kind: Kind::BzImage { payload: (payload_offset, payload_end), release_at } })
    }

    /// The release string (`uname -r`) in the header; an ELF file has none.
    pub fn release(&self) -> Option<&'a str> {
        let Kind::BzImage { release_at: Some(at), .. } = self.kind else { return None };
        let text = self.data.get(at..)?;
        let text = &text[..text.iter().take(512).position(|b| *b == 0 || *b == b' ')?];
        std::str::from_utf8(text).ok().filter(|release| !release.is_empty())
    }

    /// The uncompressed ELF kernel, if QEMU can boot it directly (PVH). `None` when it lacks the PVH entry point or is
    /// compressed in a way that is not supported here: then the image itself has to be booted.
    pub fn uncompressed(&self) -> Result<Option<Vec<u8>>, ImageError> {
        let elf = match self.kind {
            Kind::Elf => self.data.to_vec(),
            Kind::BzImage { payload: (start, end), .. } => {
                let payload = &self.data[start..end];
                match Compression::of(payload) {
                    None | Some(Compression::Unsupported(_)) => return Ok(None),
                    Some(compression) => inflate_payload(compression, payload)?,
                }
            }
        };
        match elf_length(&elf) {
            Some(length) if length <= elf.len() as u64 => {}
            Some(length) => {
                return Err(ImageError::Corrupt(format!("{} of {length} bytes came out", elf.len())));
            }
            None => return Err(ImageError::Corrupt("no 64-bit ELF file came out".to_string())),
        }
        Ok(has_pvh_entry(&elf).then_some(elf))
    }
}

/// Decompresses a kernel's payload. All formats but gzip, which has it itself, are followed by the length of the
/// uncompressed data in four bytes (the kernel's scripts/Makefile.lib, `size_append`).
fn inflate_payload(compression: Compression, payload: &[u8]) -> Result<Vec<u8>, ImageError> {
    let corrupt = |error: &dyn std::fmt::Display| ImageError::Corrupt(error.to_string());
    let (body, length) = payload.split_at(payload.len().saturating_sub(4));
    let length = <[u8; 4]>::try_from(length).map_or(0, u32::from_le_bytes);
    let body = if compression == Compression::Gzip { payload } else { body };
    let mut inflated = Vec::with_capacity((length as usize).min(1 << 28));
    let reader = compression.reader(body).map_err(|e| corrupt(&e))?;
    // one byte more than promised shows that the promise is wrong, whatever the data claims to hold
    reader.take(u64::from(length) + 1).read_to_end(&mut inflated).map_err(|e| corrupt(&e))?;
    if inflated.len() != length as usize {
        return Err(ImageError::Corrupt(format!(
            "{} bytes came out where {length} are promised",
            inflated.len()
        )));
    }
    Ok(inflated)
}

/// Where the last segment or the section table of a 64-bit ELF file ends, whichever is later.
fn elf_length(data: &[u8]) -> Option<u64> {
    let header = FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?;
    let segment_end = segments
        .iter()
        .map(|segment| segment.p_offset(endian).saturating_add(segment.p_filesz(endian)))
        .max()
        .unwrap_or(0);
    let section_bytes = u64::from(header.e_shnum(endian)) * u64::from(header.e_shentsize(endian));
    Some(segment_end.max(header.e_shoff(endian).saturating_add(section_bytes)))
}

/// Whether an ELF kernel has the note with which QEMU finds the PVH entry point.
fn has_pvh_entry(elf: &[u8]) -> bool {
    fn search<'a, R: ReadRef<'a>>(elf: R) -> object::Result<bool> {
        let header = FileHeader64::<Endianness>::parse(elf)?;
        let endian = header.endian()?;
        for segment in header.program_headers(endian, elf)? {
            if segment.p_type(endian) != PT_NOTE {
                continue;
            }
            let Some(mut notes) = segment.notes(endian, elf)? else { continue };
            while let Some(note) = notes.next()? {
                if note.name() == b"Xen" && note.n_type(endian) == XEN_ELFNOTE_PHYS32_ENTRY {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
    search(elf).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bzimage, gzip, vmlinux, xz, zstd};

    #[test]
    fn finds_the_kernel_inside_whatever_it_is_compressed_with() {
        let elf = vmlinux(true);
        for (name, payload) in [("gzip", gzip(&elf)), ("xz", xz(&elf)), ("zstd", zstd(&elf))] {
            let data = bzimage("6.17.13-x", &payload, elf.len() as u32);
            let image = Image::parse(&data).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(image.release(), Some("6.17.13-x"), "{name}");
            assert_eq!(image.uncompressed(), Ok(Some(elf.clone())), "{name}");
        }
    }

    #[test]
    fn leaves_a_kernel_without_pvh_entry_to_its_own_decompressor() {
        let elf = vmlinux(false);
        let data = bzimage("6.1.0", &zstd(&elf), elf.len() as u32);
        assert_eq!(Image::parse(&data).expect("a good image").uncompressed(), Ok(None));
        let data = bzimage("6.1.0", b"BZh91AY&SY", 9);
        assert_eq!(
            Image::parse(&data).expect("a good image").uncompressed(),
            Ok(None),
            "bzip2 is not supported"
        );
    }

    #[test]
    fn reads_elf_kernels() {
        let data = vmlinux(true);
        let image = Image::parse(&data).expect("a good ELF file");
        assert_eq!(image.release(), None);
        assert_eq!(image.uncompressed(), Ok(Some(data.clone())));
    }

    #[test]
    fn says_what_is_wrong_with_an_image() {
        let elf = vmlinux(true);
        let good = bzimage("6.17.13", &zstd(&elf), elf.len() as u32);
        let mut old = good.clone();
        old[0x206..0x208].copy_from_slice(&0x204u16.to_le_bytes());
        let mut corrupt = good.clone();
        corrupt[1024 + 20..1024 + 40].fill(0xff);
        let wrong_length = bzimage("6.17.13", &zstd(&elf), elf.len() as u32 + 5);
        let no_elf = bzimage("6.17.13", &zstd(b"hello"), 5);
        let cases: [(&str, &[u8]); 9] = [
            ("empty", &[]),
            ("text", b"hello"),
            ("short header", &good[..0x230]),
            ("truncated", &good[..good.len() - 40]),
            ("truncated ELF", &elf[..130]),
            ("old protocol", &old),
            ("corrupt", &corrupt),
            ("wrong length", &wrong_length),
            ("no ELF inside", &no_elf),
        ];
        let mut said = String::new();
        for (name, data) in cases {
            let error = Image::parse(data).and_then(|image| image.uncompressed()).expect_err(name);
            said += &format!("{name}: {error}\n");
        }
        insta::assert_snapshot!(said, @"
        empty: it is no x86 kernel image: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz) or an ELF file (vmlinux)
        text: it is no x86 kernel image: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz) or an ELF file (vmlinux)
        short header: it is truncated: its header promises at least 592 bytes and it has 560; get the file again
        truncated: it is truncated: its header promises at least 1177 bytes and it has 1144; get the file again
        truncated ELF: it is truncated: its header promises at least 140 bytes and it has 130; get the file again
        old protocol: it is no x86 kernel image: its boot protocol is older than 2.08 (Linux 2.6.26); expected a bzImage (vmlinuz) or an ELF file (vmlinux)
        corrupt: the compressed kernel in it is corrupt: no 64-bit ELF file came out; get the file again
        wrong length: the compressed kernel in it is corrupt: 196 bytes came out where 201 are promised; get the file again
        no ELF inside: the compressed kernel in it is corrupt: no 64-bit ELF file came out; get the file again
        ");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(changes in proptest::collection::vec((0usize..1400, proptest::num::u8::ANY), 0..8), cut in 0usize..1400) {
            let elf = vmlinux(true);
            let mut data = bzimage("6.17.13", &gzip(&elf), elf.len() as u32);
            for (at, byte) in changes {
                if let Some(target) = data.get_mut(at) {
                    *target = byte;
                }
            }
            data.truncate(cut.max(600));
            if let Ok(image) = Image::parse(&data) {
                let _ = image.release();
                let _ = image.uncompressed();
            }
        }
    }
}
