//! The package lists that apt has fetched.

use std::ffi::OsStr;
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::sources::{self, Archive};
use crate::arch::Arch;
use crate::kernel::packages::source::{Package, SourceError};

/// The lists that are there: (suite, archive, file). apt names a list after its address with `_` for `/`.
pub(super) fn find(folder: &Path, arch: &Arch) -> Result<Vec<(String, Archive, PathBuf)>, SourceError> {
    let io = |source| SourceError::Io { what: "read", path: folder.to_path_buf(), source };
    let mut lists = Vec::new();
    let name = format!("_main_binary-{}_Packages", arch.debian);
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some((repository, list)) =
            path.file_name().and_then(OsStr::to_str).and_then(|n| n.split_once("_dists_"))
        else {
            continue;
        };
        let Some((suite, _extension)) = list.split_once(&name) else { continue };
        // another project's archive can have suites of the same name
        let release = folder.join(format!("{repository}_dists_{suite}_InRelease"));
        let release = fs::read_to_string(&release).or_else(|_| {
            fs::read_to_string(release.with_file_name(format!("{repository}_dists_{suite}_Release")))
        });
        let of_debian = |text: String| text.lines().any(|line| line.starts_with("Origin: Debian"));
        if let (Some(archive), Ok(true)) = (sources::archive_of(suite), release.map(of_debian)) {
            lists.push((suite.to_string(), archive, path));
        }
    }
    lists.sort();
    Ok(lists)
}

/// Reads a package list and keeps the packages whose names are wanted.
pub(super) fn read_packages(
    mut list: impl BufRead,
    suite: &str,
    archive: Archive,
    wanted: &dyn Fn(&str) -> bool,
    packages: &mut Vec<Package>,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    let mut current: Option<Package> = None;
    loop {
        line.clear();
        let end = list.read_until(b'\n', &mut line)? == 0;
        let text = line.trim_ascii_end();
        if end || text.is_empty() {
            packages.extend(current.take().filter(|package| {
                package.sha256.len() == 64 && !package.path.is_empty() && !package.version.is_empty()
            }));
            if end {
                return Ok(());
            }
        } else if let Some(name) = text.strip_prefix(b"Package: ") {
            let name = String::from_utf8_lossy(name);
            current = wanted(&name).then(|| Package {
                name: name.into_owned(),
                version: String::new(),
                archive,
                path: String::new(),
                size: 0,
                sha256: String::new(),
                suites: vec![suite.to_string()],
            });
        } else if let Some(package) = &mut current {
            let text = String::from_utf8_lossy(text);
            match text.split_once(": ") {
                Some(("Version", value)) => package.version = value.to_string(),
                Some(("Filename", value)) => package.path = value.to_string(),
                Some(("Size", value)) => package.size = value.parse().unwrap_or(0),
                Some(("SHA256", value)) => package.sha256 = value.to_string(),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::GUEST;
    use crate::kernel::packages::debian::group::is_kernel_package;

    #[test]
    fn reads_kernel_packages_out_of_a_list() {
        let list = format!(
            "Package: bash\nVersion: 5\nFilename: pool/b.deb\nSize: 1\nSHA256: {0}\n\n\
             Package: linux-image-6.17.13+deb13-cloud-amd64\nDepends: x\n y\nVersion: 6.17.13-1~bpo13+1\n\
             Filename: pool/main/l/i.deb\nSize: 50208396\nSHA256: {0}\n\n\
             Package: linux-image-6.17.14+deb13-cloud-amd64\nVersion: 6.17.14-1\n",
            "ab".repeat(32)
        );
        let mut packages = Vec::new();
        read_packages(
            list.as_bytes(),
            "trixie-backports",
            Archive::Main,
            &|name| is_kernel_package(GUEST, name),
            &mut packages,
        )
        .expect("memory is readable");
        assert_eq!(packages.len(), 1, "others and half entries are passed over: {packages:?}");
        assert_eq!((packages[0].size, packages[0].path.as_str()), (50_208_396, "pool/main/l/i.deb"));
    }
}
