//! Tiny packages for tests, with nothing in them but what is read here.

pub(crate) use kernel_modules::fixtures::{bzimage, module, vmlinux, xz, zstd};

/// A tar archive with these files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("./{path}"), *contents).expect("memory is writable");
    }
    tar.into_inner().expect("memory is writable")
}

/// An rpm package with these files and nothing in its headers.
pub(crate) fn rpm(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut package = vec![0xed, 0xab, 0xee, 0xdb, 3, 0];
    package.resize(96, 0);
    // one entry and some value, so that the first header has to be filled up
    for value in [&b"four"[..], b""] {
        package.extend_from_slice(&[0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
        package.extend_from_slice(&(u32::from(!value.is_empty())).to_be_bytes());
        package.extend_from_slice(&(value.len() as u32).to_be_bytes());
        package.extend_from_slice(&vec![0; 16 * usize::from(!value.is_empty())]);
        package.extend_from_slice(value);
        package.resize(package.len().next_multiple_of(8), 0);
    }
    let mut archive = Vec::new();
    for (path, contents) in files {
        let builder = cpio::newc::Builder::new(&format!("./{path}")).mode(0o100_644);
        let mut writer = builder.write(archive, contents.len() as u32);
        std::io::Write::write_all(&mut writer, contents).expect("memory is writable");
        archive = writer.finish().expect("memory is writable");
    }
    let archive = cpio::newc::trailer(archive).expect("memory is writable");
    package.extend_from_slice(&zstd(&archive));
    package
}

/// A Debian package with these files.
pub(crate) fn deb(files: &[(&str, &[u8])]) -> Vec<u8> {
    let data = xz(&tar(files));
    let mut package = b"!<arch>\n".to_vec();
    for (name, contents) in
        [("debian-binary", &b"2.0\n"[..]), ("control.tar.xz", b"odd"), ("data.tar.xz", &data)]
    {
        package.extend_from_slice(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", contents.len()).as_bytes(),
        );
        package.extend_from_slice(contents);
        if contents.len() % 2 == 1 {
            package.push(b'\n');
        }
    }
    package
}

/// The files of a small but complete kernel.
pub(crate) fn kernel_files(release: &str) -> Vec<(String, Vec<u8>)> {
    let vermagic = format!("{release} SMP mod_unload");
    let elf = vmlinux(true);
    let base = module(&[("name", "base_mod"), ("vermagic", &vermagic), ("alias", "base-alias")]);
    let user = module(&[
        ("name", "user_mod"),
        ("depends", "base-mod,built_in"),
        ("softdep", "pre: soft none"),
        ("vermagic", &vermagic),
    ]);
    let soft = module(&[("name", "soft"), ("vermagic", &vermagic)]);
    let modules = format!("lib/modules/{release}");
    vec![
        (format!("boot/vmlinuz-{release}"), bzimage(release, &zstd(&elf), elf.len() as u32)),
        (format!("boot/config-{release}"), b"CONFIG_PVH=y\nCONFIG_BASE_MOD=m\n".to_vec()),
        (format!("boot/System.map-{release}"), b"a stub\n".to_vec()),
        (format!("{modules}/modules.builtin"), b"kernel/lib/built-in.ko\n".to_vec()),
        (format!("{modules}/modules.builtin.modinfo"), b"built_in.alias=built-alias\0".to_vec()),
        (format!("{modules}/kernel/base-mod.ko"), base),
        (format!("{modules}/kernel/user-mod.ko.xz"), xz(&user)),
        (format!("{modules}/kernel/soft.ko.zst"), zstd(&soft)),
        ("usr/share/doc/copyright".to_string(), b"text".to_vec()),
    ]
}

/// Files as the functions above take them.
pub(crate) fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(path, contents)| (path.as_str(), contents.as_slice())).collect()
}

/// The packages of a small but complete kernel, as up to 6.18: one package.
pub(crate) fn kernel_deb(release: &str) -> Vec<u8> {
    deb(&borrowed(&kernel_files(release)))
}
