//! Paths of archives, which are taken apart once, and checked.

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Bad {
    #[error("leads out of the file system by `..`")]
    Outside,
    #[error("has a name of more than 255 bytes")]
    LongName,
    #[error("has a path of more than 4095 bytes")]
    LongPath,
    #[error("has a zero byte or the end of a line in its name")]
    Unwritable,
}

/// A path within a root file system: names from the root on, none of them empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Path(Vec<Vec<u8>>);

impl Path {
    /// Takes a path apart, whether it begins with `/`, `./` or neither.
    pub(crate) fn parse(path: &[u8]) -> Result<Path, Bad> {
        if path.len() > 4095 {
            return Err(Bad::LongPath);
        }
        let mut parts = Vec::new();
        for part in path.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return Err(Bad::Outside),
                _ if part.len() > 255 => return Err(Bad::LongName),
                _ if !is_writable(part) => return Err(Bad::Unwritable),
                _ => parts.push(part.to_vec()),
            }
        }
        Ok(Path(parts))
    }

    pub(crate) fn parts(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The last name; none of the root's.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.0.last().map(Vec::as_slice)
    }

    /// The folder that it is in; the root's is the root.
    pub(crate) fn above(&self) -> Path {
        Path(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// The path with a further name.
    pub(crate) fn with(&self, name: &[u8]) -> Path {
        let mut parts = self.0.clone();
        parts.push(name.to_vec());
        Path(parts)
    }
}

/// Whether a name or the target of a link can stand in a line of debugfs's.
pub(crate) fn is_writable(name: &[u8]) -> bool {
    !name.iter().any(|byte| matches!(byte, 0 | b'\n' | b'\r'))
}

/// What people read of a path that may be of any bytes and of any length.
pub(crate) fn shown(path: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(path).chars().take(120).collect();
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_or_refused() {
        let long = format!("a/{}", "x".repeat(256));
        let longer = "x/".repeat(2100);
        let table: [(&str, Result<&str, Bad>); 9] = [
            ("./usr/bin/x", Ok("usr|bin|x")),
            ("/usr//bin/./x/", Ok("usr|bin|x")),
            ("./", Ok("")),
            ("...", Ok("...")),
            ("a/../b", Err(Bad::Outside)),
            ("..", Err(Bad::Outside)),
            ("a\nb", Err(Bad::Unwritable)),
            (&long, Err(Bad::LongName)),
            (&longer, Err(Bad::LongPath)),
        ];
        for (path, expected) in table {
            let parts = Path::parse(path.as_bytes());
            let parts = parts.map(|path| path.0.iter().map(|part| shown(part)).collect::<Vec<_>>().join("|"));
            assert_eq!(parts, expected.map(String::from), "{path}");
        }
    }
}
