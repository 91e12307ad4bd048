//! How to get a newer QEMU on Debian, for machines that the installed one cannot build.

use crate::arch::{self, Arch, GUEST};

/// The advice for this host.
pub fn advice() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    text(codename(&release).unwrap_or("CODENAME"))
}

/// The release's name, as `os-release(5)` has it.
fn codename(release: &str) -> Option<&str> {
    let value = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim().trim_matches('"')).filter(|name| !name.is_empty())
}

fn text(codename: &str) -> String {
    let suite = format!("{codename}-backports");
    let arch::Qemu { program, package, with, firmware, .. } = &GUEST.qemu;
    let packages = [package].into_iter().chain(*with);
    let named: Vec<String> = packages.map(|package| format!("{package}/{suite}")).collect();
    let firmware: Vec<String> = firmware.iter().map(|folder| format!("-L $PWD/usr/share/{folder}")).collect();
    // QEMU's modules are the host's, whatever the guests are
    let host = Arch::named(std::env::consts::ARCH).map_or("TRIPLET", |arch| arch.triplet);
    format!(
        "A newer QEMU comes from Debian's {suite} (it must be among apt's sources). Installed:
  sudo apt-get install -t {suite} {package}
or beside the one that is installed, without root, in a folder of its own:
  apt-get download {}
  for package in *.deb; do dpkg-deb -x \"$package\" .; done
  export QEMU_MODULE_DIR=\"$PWD/usr/lib/{host}/qemu\"
  export KREGRESS_QEMU=\"$PWD/usr/bin/{program} {}\"",
        named.join(" "),
        firmware.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_releases_name_is_read() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(codename(debian), Some("bookworm"));
        assert_eq!(codename("VERSION_CODENAME=\"trixie\"\n"), Some("trixie"));
        assert_eq!(codename("ID=debian\n"), None);
    }

    #[test]
    fn both_ways_are_told() {
        insta::assert_snapshot!(text("bookworm"), @r#"
        A newer QEMU comes from Debian's bookworm-backports (it must be among apt's sources). Installed:
          sudo apt-get install -t bookworm-backports qemu-system-x86
        or beside the one that is installed, without root, in a folder of its own:
          apt-get download qemu-system-x86/bookworm-backports qemu-system-common/bookworm-backports qemu-system-data/bookworm-backports seabios/bookworm-backports
          for package in *.deb; do dpkg-deb -x "$package" .; done
          export QEMU_MODULE_DIR="$PWD/usr/lib/x86_64-linux-gnu/qemu"
          export KREGRESS_QEMU="$PWD/usr/bin/qemu-system-x86_64 -L $PWD/usr/share/qemu -L $PWD/usr/share/seabios"
        "#);
    }
}
