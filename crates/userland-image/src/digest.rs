//! SHA-256, of keys and of files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Bytes of a block of the image.
const BLOCK: usize = 4096;

/// Parts of a key, each with its length, so that no two lists of parts look alike.
#[derive(Default)]
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn add(&mut self, part: impl AsRef<[u8]>) -> &mut Key {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// In hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of a file.
pub(crate) fn of_file(path: &Path) -> io::Result<String> {
    of_reader(File::open(path)?)
}

/// The SHA-256 of all that comes.
pub(crate) fn of_reader(mut source: impl Read) -> io::Result<String> {
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&sum.finalize())),
            read => sum.update(&buffer[..read]),
        }
    }
}

/// The sum of an image: the SHA-256 of its length and of the blocks that are not zero, with their numbers. Most of an image
/// are holes, which are passed over.
pub(crate) fn of_sparse(path: &Path) -> io::Result<String> {
    const ZEROES: [u8; BLOCK] = [0; BLOCK];
    let file = File::open(path)?;
    let mut sum = Sha256::new();
    sum.update(file.metadata()?.len().to_le_bytes());
    let mut buffer = vec![0; 64 * BLOCK];
    let mut at = 0;
    while let Some(data) = next_data(&file, at)? {
        at = data - data % BLOCK as u64;
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], at + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        for block in buffer[..filled].chunks(BLOCK) {
            if block != &ZEROES[..block.len()] {
                sum.update((at / BLOCK as u64).to_le_bytes());
                sum.update(block);
            }
            at += BLOCK as u64;
        }
        if filled < buffer.len() {
            break;
        }
    }
    Ok(hexadecimal(&sum.finalize()))
}

/// Where the next bytes are that are no hole; file systems without holes say that all are.
fn next_data(file: &File, at: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => Ok(Some(data)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_zeroes_are_the_same_and_places_count() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        let sum = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("it is writable");
            of_sparse(&path).expect("it is readable")
        };
        let mut bytes = vec![0; 300 * BLOCK];
        bytes[70 * BLOCK] = 1;
        let first = sum(&bytes);
        File::options().write(true).open(&path).expect("it is there").set_len(0).expect("writable");
        let file = File::options().write(true).open(&path).expect("it is there");
        file.set_len(bytes.len() as u64).expect("it is writable");
        file.write_at(&[1], 70 * BLOCK as u64).expect("it is writable");
        assert_eq!(of_sparse(&path).expect("it is readable"), first);
        bytes.swap(70 * BLOCK, 71 * BLOCK);
        assert_ne!(sum(&bytes), first);
        assert_ne!(sum(&[0; 5]), sum(&[0; 6]));
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        let key = |parts: &[&str]| {
            let mut key = Key::default();
            for part in parts {
                key.add(part);
            }
            key.finish()
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }
}
