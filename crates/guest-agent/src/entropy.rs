//! Randomness for a kernel that was restored, and would otherwise hand out the same numbers as every other guest of its
//! snapshot.
//!
//! What is written to `/dev/urandom` is mixed in, but used only when the kernel reseeds by itself, minutes later. To
//! have it do so at once takes two requests (`random(4)`) that no crate offers as a safe function: hence the `unsafe`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use rustix::ioctl::{self, NoArg, Opcode, Setter};

/// `RNDADDENTROPY`: take in bytes and believe that they are random (`linux/random.h`).
const ADD_ENTROPY: Opcode = ioctl::opcode::write::<[i32; 2]>(b'R', 0x03);
/// `RNDRESEEDCRNG`: use from now on what was taken in.
const RESEED: Opcode = ioctl::opcode::none(b'R', 0x07);

/// Bytes that are handed over.
const BYTES: usize = 64;

/// `struct rand_pool_info`.
#[repr(C)]
struct Pool {
    bits: i32,
    bytes: i32,
    contents: [u8; BYTES],
}

/// Takes in random bytes and has the kernel use them at once; of more than 64 bytes only those.
///
/// # Errors
/// What the kernel says.
pub fn renew(randomness: &[u8]) -> io::Result<()> {
    let random = File::options().write(true).open("/dev/urandom")?;
    let mut contents = [0; BYTES];
    let length = randomness.len().min(BYTES);
    contents[..length].copy_from_slice(&randomness[..length]);
    let pool = Pool { bits: 8 * length as i32, bytes: length as i32, contents };
    // SAFETY: the opcode takes a pointer to `struct rand_pool_info`, which `Pool` is laid out as; the kernel reads
    // `bytes` bytes of its contents, which are there.
    unsafe { ioctl::ioctl(&random, Setter::<ADD_ENTROPY, Pool>::new(pool))? };
    // SAFETY: the opcode takes no argument.
    unsafe { ioctl::ioctl(&random, NoArg::<RESEED>::new())? };
    Ok(())
}
