//! Kernel images: their headers, what architecture they are for, and for x86 the uncompressed kernel inside.
//!
//! The headers are described in the kernel's documentation: `arch/x86/boot.rst`, `arch/arm64/booting.rst`,
//! `arch/riscv/boot-image-header.rst`; that of s390 is in `arch/s390/boot/head.S`. QEMU can boot the uncompressed ELF file
//! directly when it has the Xen note that makes it a PVH kernel, which saves decompressing it in every guest.

use std::io::Read;

use object::elf::{EM_AARCH64, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64, FileHeader64, NoteType, PT_NOTE};
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
    #[error(
        "it is no kernel image that is known here: {0}; expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)"
    )]
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
    BzImage {
        payload: (usize, usize),
        release_at: Option<usize>,
    },
    Elf,
    /// Of this row, with where its release is, where its header says so.
    Other(&'static OtherImage, Option<usize>),
}

/// An image that QEMU boots as it is.
#[derive(Debug)]
struct OtherImage {
    architecture: &'static str,
    /// What it is recognised by, and where that is.
    magic: (usize, &'static [u8]),
    /// Where the header says how many bytes of memory the kernel takes, little-endian. The file is as long or shorter.
    memory: Option<usize>,
    /// Where the header says where its release is, big-endian.
    release_at: Option<usize>,
}

/// `ARM\x64` and `RSC\x05` are the headers' own; `S390EP` marks the entry that is not for IPL (`arch/s390/boot/head.S`),
/// whose parameter area at 0x10400 has the address of the version at 0x28 (`arch/s390/include/asm/setup.h`).
const OTHERS: &[OtherImage] = &[
    OtherImage { architecture: "aarch64", magic: (56, b"ARM\x64"), memory: Some(16), release_at: None },
    OtherImage { architecture: "riscv64", magic: (56, b"RSC\x05"), memory: Some(16), release_at: None },
    OtherImage {
        architecture: "s390x",
        magic: (0x10008, b"S390EP"),
        memory: None,
        release_at: Some(0x10428),
    },
];

/// Architectures of ELF kernels by their machine numbers, as `uname -m` calls them.
const ELF_MACHINES: &[(u16, &str)] = &[
    (EM_X86_64.0, "x86_64"),
    (EM_AARCH64.0, "aarch64"),
    (EM_S390.0, "s390x"),
    (EM_RISCV.0, "riscv64"),
    (EM_PPC64.0, "ppc64le"),
];

/// A kernel of which less than this share is in its file is cut off: zeroes at its end are left out of the file, which are
/// a tenth of a kernel.
const LEAST_OF_MEMORY: u64 = 2;

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
        let is = |other: &&OtherImage| {
            let (at, magic) = other.magic;
            data.get(at..at + magic.len()) == Some(magic)
        };
        if let Some(other) = OTHERS.iter().find(is) {
            return other.parse(data);
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

    /// The architecture, as `uname -m` says it; `None` for an ELF file of one that is not known here.
    pub fn architecture(&self) -> Option<&'static str> {
        match self.kind {
            Kind::BzImage { .. } => Some("x86_64"),
            Kind::Other(other, _) => Some(other.architecture),
            Kind::Elf => {
                let header = FileHeader64::<Endianness>::parse(self.data).ok()?;
                let machine = header.e_machine(header.endian().ok()?);
                ELF_MACHINES.iter().find(|(known, _)| *known == machine.0).map(|(_, name)| *name)
            }
        }
    }

    /// The release string (`uname -r`) in the header, where the architecture's has one; an ELF file has none.
    pub fn release(&self) -> Option<&'a str> {
        let (Kind::BzImage { release_at: Some(at), .. } | Kind::Other(_, Some(at))) = self.kind else {
            return None;
        };
        let text = self.data.get(at..)?;
        let text = &text[..text.iter().take(512).position(|b| *b == 0 || *b == b' ')?];
        std::str::from_utf8(text).ok().filter(|release| !release.is_empty())
    }

    /// The uncompressed ELF kernel, if QEMU can boot it directly (PVH). `None` when it lacks the PVH entry point or is
    /// compressed in a way that is not supported here: then the image itself has to be booted.
    pub fn uncompressed(&self) -> Result<Option<Vec<u8>>, ImageError> {
        let elf = match self.kind {
            Kind::Other(..) => return Ok(None),
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

impl OtherImage {
    fn parse<'a>(&'static self, data: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let u64_at = |at: usize| data.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        if let Some(memory) = self.memory.and_then(u64_at).map(u64::from_le_bytes) {
            let (found, expected) = (data.len() as u64, memory / LEAST_OF_MEMORY);
            if found < expected {
                return Err(ImageError::Truncated { expected, found });
            }
        }
        let release_at = self.release_at.and_then(u64_at).map(u64::from_be_bytes);
        let release_at = release_at.and_then(|at| usize::try_from(at).ok()).filter(|at| *at != 0);
        Ok(Image { data, kind: Kind::Other(self, release_at) })
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
        empty: it is no kernel image that is known here: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)
        text: it is no kernel image that is known here: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)
        short header: it is truncated: its header promises at least 592 bytes and it has 560; get the file again
        truncated: it is truncated: its header promises at least 1177 bytes and it has 1144; get the file again
        truncated ELF: it is truncated: its header promises at least 140 bytes and it has 130; get the file again
        old protocol: it is no kernel image that is known here: its boot protocol is older than 2.08 (Linux 2.6.26); expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)
        corrupt: the compressed kernel in it is corrupt: no 64-bit ELF file came out; get the file again
        wrong length: the compressed kernel in it is corrupt: 196 bytes came out where 201 are promised; get the file again
        no ELF inside: the compressed kernel in it is corrupt: no 64-bit ELF file came out; get the file again
        ");
    }

    #[test]
    fn images_of_other_architectures_are_told_apart() {
        let mut arm64 = vec![0; 4096];
        arm64[16..24].copy_from_slice(&5000_u64.to_le_bytes());
        arm64[56..60].copy_from_slice(b"ARM\x64");
        let mut s390 = vec![0; 0x11000];
        s390[0x10008..0x1000e].copy_from_slice(b"S390EP");
        s390[0x10428..0x10430].copy_from_slice(&0x10800_u64.to_be_bytes());
        s390[0x10800..0x10810].copy_from_slice(b"6.12.107-x (me) ");
        let elf = vmlinux(true);
        let table: [(&[u8], Option<&str>, Option<&str>); 3] = [
            (&arm64, Some("aarch64"), None),
            (&s390, Some("s390x"), Some("6.12.107-x")),
            (&elf, Some("x86_64"), None),
        ];
        for (data, architecture, release) in table {
            let image = Image::parse(data).unwrap();
            assert_eq!((image.architecture(), image.release()), (architecture, release));
        }
        assert_eq!(Image::parse(&arm64).unwrap().uncompressed(), Ok(None));
        arm64.truncate(2000);
        assert_eq!(Image::parse(&arm64).err(), Some(ImageError::Truncated { expected: 2500, found: 2000 }));
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
