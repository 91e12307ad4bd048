//! The keys that are for this program and not for the guest, QEMU's own: Ctrl-A and a letter.

const CTRL_A: u8 = 1;

/// What is shown on Ctrl-A h.
pub const HELP: &str = "Ctrl-A x ends the guest, Ctrl-A Ctrl-A sends Ctrl-A to it, Ctrl-A h shows this\r\n";

/// Finds them in what is typed.
#[derive(Debug, Default)]
pub struct Escape {
    /// Whether Ctrl-A was typed, and its letter was not yet.
    pending: bool,
}

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyInput {
    /// For the guest.
    pub bytes: Vec<u8>,
    /// The guest is to be ended, before anything that was typed after it.
    pub leave: bool,
    /// Help is asked for.
    pub help: bool,
}

impl Escape {
    /// Takes in what was typed.
    pub fn take(&mut self, keys: &[u8]) -> KeyInput {
        let mut typed = KeyInput::default();
        for &key in keys {
            if !std::mem::take(&mut self.pending) {
                match key {
                    CTRL_A => self.pending = true,
                    key => typed.bytes.push(key),
                }
                continue;
            }
            match key {
                b'x' | b'X' => {
                    typed.leave = true;
                    return typed;
                }
                b'h' | b'H' | b'?' => typed.help = true,
                // `a` as in screen
                CTRL_A | b'a' => typed.bytes.push(CTRL_A),
                key => typed.bytes.extend([CTRL_A, key]),
            }
        }
        typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(parts: &[&[u8]]) -> KeyInput {
        let mut escape = Escape::default();
        let mut all = KeyInput::default();
        for part in parts {
            let typed = escape.take(part);
            all.bytes.extend(typed.bytes);
            all.leave |= typed.leave;
            all.help |= typed.help;
        }
        all
    }

    #[test]
    fn keys_are_told_apart() {
        let typed = |bytes: &[u8], leave, help| KeyInput { bytes: bytes.to_vec(), leave, help };
        let table: &[(&[&[u8]], KeyInput)] = &[
            (&[b"uname -r\n"], typed(b"uname -r\n", false, false)),
            (&[b"ab\x01xcd"], typed(b"ab", true, false)),
            // one key a read, as people type
            (&[b"\x01", b"x"], typed(b"", true, false)),
            (&[b"\x01\x01", b"e"], typed(b"\x01e", false, false)),
            (&[b"\x01a"], typed(b"\x01", false, false)),
            (&[b"\x01h!"], typed(b"!", false, true)),
            (&[b"\x01\x05x"], typed(b"\x01\x05x", false, false)),
            (&[b"x\x01"], typed(b"x", false, false)),
            (&[&[0, 255, 2]], typed(&[0, 255, 2], false, false)),
        ];
        for (parts, expected) in table {
            assert_eq!(take(parts), *expected, "{parts:?}");
        }
    }
}
