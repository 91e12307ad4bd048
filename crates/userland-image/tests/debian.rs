//! A userland of Debian's own packages, by this host's apt as it is configured.

use std::process::Command;

use userland_image::{Settings, Source, Spec, UserlandError, Userlands, Watch};

#[test]
fn debians_shell_becomes_a_userland() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let userlands = Userlands::open(Settings::new(cache.path())).expect("it is writable");
    let spec = Spec::new(Source::Packages(vec!["bash".into()]));
    let made = userlands
        .resolve(&spec, &Watch::default())
        .and_then(|resolved| Ok((userlands.build(&resolved, &Watch::default())?, resolved)));
    let (image, resolved) = match made {
        Ok(made) => made,
        Err(
            error @ (UserlandError::NoTool { .. }
            | UserlandError::Update { .. }
            | UserlandError::Download { .. }),
        ) => {
            return loud_skip::skip(error);
        }
        Err(error) => panic!("{error}"),
    };
    let has = |name: &str| resolved.packages().iter().any(|package| package.name == name);
    assert!(has("libc6") && has("base-files") && has("dash"), "{:?}", resolved.packages());
    assert!(!has("perl"), "apt chose what moves the files of old systems");
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let asked = |question: &str| {
        let output =
            Command::new("debugfs").args(["-R", question]).arg(&image.path).env("PATH", &path).output();
        String::from_utf8_lossy(&output.expect("it has made the image").stdout).into_owned()
    };
    // what packages have in `bin` is in `usr/bin`, and what no package has is there
    let size = |text: &str| text.split_once("Size: ").is_some_and(|(_, rest)| !rest.starts_with("0\n"));
    assert!(size(&asked("stat /usr/bin/bash")));
    assert!(asked("stat /bin").contains("Fast link dest: \"usr/bin\""));
    assert!(asked("stat /usr/bin/sh").contains("Fast link dest: \"dash\""));
    assert!(asked("stat /etc/alternatives/awk").contains("Fast link dest: \"/usr/bin/mawk\""));
    assert!(asked("cat /etc/passwd").starts_with("root:x:0:0:root:/root:/bin/"));
    assert!(asked("cat /etc/nsswitch.conf").contains("passwd:"));
    assert!(asked("cat /var/lib/dpkg/status").contains("Package: bash\nStatus: install ok installed\n"));
    assert!(!asked("ls /usr/lib/x86_64-linux-gnu").is_empty());
}
