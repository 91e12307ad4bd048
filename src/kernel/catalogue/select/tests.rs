//! Expressions on a made-up list of kernels.

use super::*;

/// (release, Debian version); one without packages is marked by `-` at its end.
fn known() -> Vec<Candidate> {
    let table = [
        ("5.10.0-46-cloud-amd64", "5.10.262-1"),
        ("6.1.0-0.deb11.52-cloud-amd64", "6.1.180-1~deb11u1"),
        ("6.1.0-52-cloud-amd64", "6.1.180-1"),
        ("6.12.57+deb12-cloud-amd64", "6.12.57-1~bpo12+1"),
        ("6.12.90+deb13-cloud-amd64", "6.12.90-1"),
        ("6.12.90+deb13.1-cloud-amd64", "6.12.90-2"),
        ("6.12.117+deb12-cloud-amd64", "6.12.117-1~deb12u1"),
        ("6.12.117+deb13-cloud-amd64", "6.12.117-1"),
        ("6.12.117+deb13-amd64", "6.12.117-1"),
        ("6.16.3+deb13-amd64", "6.16.3-1~bpo13+1"),
        ("6.19.6+deb13-cloud-amd64-", "6.19.6-2~bpo13+1"),
        ("7.3-cloud-amd64", "7.3~rc7-1~exp1"),
        ("7.3.4+deb13-cloud-amd64-", "7.3.4-1~bpo13+1"),
        ("7.3.4+deb13-amd64", "7.3.4-1~bpo13+1"),
    ];
    let candidate = |(release, package_version): &(&str, &str)| {
        let gone = release.ends_with('-');
        let release = release.trim_end_matches('-').to_string();
        let upstream = KernelVersion::from_debian(package_version).expect("a version");
        let tag = release.split_once('+').and_then(|(_, tag)| tag.split('-').next());
        let tag = tag.or_else(|| release.strip_suffix("-cloud-amd64")?.split_once("-").map(|(_, abi)| abi));
        let version = upstream.with_local(tag.map_or(String::new(), |tag| format!("+{tag}")));
        let flavour = if release.contains("-cloud") { Flavour::Cloud } else { Flavour::Plain };
        let build = PackagedKernel {
            arch: crate::arch::GUEST,
            distribution: "debian".to_string(),
            version: version.clone(),
            release: release.clone(),
            flavour,
            package_version: (*package_version).to_string(),
            packages: Vec::new(),
            missing: gone.then(|| "its modules are gone".to_string()),
        };
        let package_version = Some((*package_version).to_string());
        Candidate {
            arch: crate::arch::GUEST,
            version,
            release,
            flavour: Some(flavour),
            package_version,
            stored: None,
            build: Some(build),
        }
    };
    table.iter().map(candidate).collect()
}

fn resolve(specs: &str) -> String {
    let specs: Vec<KernelSpec> =
        specs.split(' ').map(|spec| spec.parse().unwrap_or_else(|error| panic!("{error}"))).collect();
    match select(&known(), &BTreeMap::new(), &specs) {
        Ok(resolution) => {
            let wanted: Vec<String> =
                resolution.wanted.iter().map(|w| format!("{} ({})", w.name(), w.release())).collect();
            let left_out: Vec<&str> = resolution.left_out.iter().map(|out| out.name.as_str()).collect();
            let without =
                if left_out.is_empty() { String::new() } else { format!(" without {}", left_out.join(" ")) };
            format!("{}{without}", wanted.join(", "))
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn selects_what_is_meant() {
    let table = [
        "6.12.117",
        "6.12.117+deb12",
        "6.12.117-plain",
        "6.12.117/plain",
        "6.12.90",
        "6.12.90+deb13",
        "6.1.180",
        "6.1.180+0.deb11.52",
        "6.12.117+deb13-amd64",
        "7.3-rc7",
        "7.3.4",
        "6.16.3",
        "latest:6.12",
        "oldest:6.12",
        "latest:7.3",
        "each-line",
        "6.12..6.19",
        "6.12.y/plain",
        "6.12.1*",
        "6.1.180 6.1.180 latest:6.1",
        "all !6.12.y !5.10*",
        "!6.1..",
        "each-line !latest:7.3",
    ];
    let shown: String = table.iter().map(|specs| format!("{specs}: {}\n", resolve(specs))).collect();
    insta::assert_snapshot!(shown, @"
    6.12.117: 6.12.117 (6.12.117+deb13-cloud-amd64)
    6.12.117+deb12: 6.12.117+deb12 (6.12.117+deb12-cloud-amd64)
    6.12.117-plain: 6.12.117-plain (6.12.117+deb13-amd64)
    6.12.117/plain: 6.12.117-plain (6.12.117+deb13-amd64)
    6.12.90: 6.12.90 (6.12.90+deb13.1-cloud-amd64)
    6.12.90+deb13: 6.12.90+deb13 (6.12.90+deb13-cloud-amd64)
    6.1.180: 6.1.180 (6.1.0-52-cloud-amd64)
    6.1.180+0.deb11.52: 6.1.180+0.deb11.52 (6.1.0-0.deb11.52-cloud-amd64)
    6.12.117+deb13-amd64: 6.12.117-plain (6.12.117+deb13-amd64)
    7.3-rc7: 7.3-rc7 (7.3-cloud-amd64)
    7.3.4: 7.3.4 (7.3.4+deb13-amd64)
    6.16.3: 6.16.3 (6.16.3+deb13-amd64)
    latest:6.12: 6.12.117 (6.12.117+deb13-cloud-amd64)
    oldest:6.12: 6.12.57 (6.12.57+deb12-cloud-amd64)
    latest:7.3: 7.3.4 (7.3.4+deb13-amd64)
    each-line: 5.10.262 (5.10.0-46-cloud-amd64), 6.1.180 (6.1.0-52-cloud-amd64), 6.12.117 (6.12.117+deb13-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64), 7.3.4 (7.3.4+deb13-amd64)
    6.12..6.19: 6.12.57 (6.12.57+deb12-cloud-amd64), 6.12.90 (6.12.90+deb13.1-cloud-amd64), 6.12.117 (6.12.117+deb13-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64) without 6.19.6
    6.12.y/plain: 6.12.117-plain (6.12.117+deb13-amd64)
    6.12.1*: 6.12.117 (6.12.117+deb13-cloud-amd64)
    6.1.180 6.1.180 latest:6.1: 6.1.180 (6.1.0-52-cloud-amd64)
    all !6.12.y !5.10*: 6.1.180 (6.1.0-52-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64), 7.3-rc7 (7.3-cloud-amd64), 7.3.4 (7.3.4+deb13-amd64) without 6.19.6
    !6.1..: 5.10.262 (5.10.0-46-cloud-amd64)
    each-line !latest:7.3: 5.10.262 (5.10.0-46-cloud-amd64), 6.1.180 (6.1.0-52-cloud-amd64), 6.12.117 (6.12.117+deb13-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64)
    ");
}

#[test]
fn says_what_there_is_instead() {
    let table =
        ["6.12", "6.12.58", "6.13.1", "latest:6.13", "6.13..6.14", "9*", "6.19.6", "5.10.262/plain", "smal"];
    let shown: String = table.iter().map(|specs| format!("{}\n", resolve(specs))).collect();
    insta::assert_snapshot!(shown, @"
    error: no known kernel is `6.12`; 6.12 is a line of 3 kernels: write latest:6.12, oldest:6.12 or 6.12.y
    error: no known kernel is `6.12.58`; of 6.12 there are 6.12.57, 6.12.90, 6.12.117
    error: no known kernel is `6.13.1`; did you mean `6.16.3`?
    error: `latest:6.13`: no known kernel is of the line 6.13; there are kernels of the lines 5.10, 6.1, 6.12, 6.16, 6.19, 7.3
    error: `6.13..6.14` selects no known kernel; there are kernels of the lines 5.10, 6.1, 6.12, 6.16, 6.19, 7.3
    error: `9*` selects no known kernel; there are kernels of the lines 5.10, 6.1, 6.12, 6.16, 6.19, 7.3
    error: 6.19.6 cannot be fetched: its modules are gone; choose another version (kregress kernels list --available)
    error: no known kernel is `5.10.262/plain`; it exists, but as cloud image only, not as plain
    error: no catalogue has a kernel named `smal`, and no file is called so; there are no named kernels at all, versions are written like 6.17.13 or latest:6.12
    ");
    let nothing = select(&[], &BTreeMap::new(), &["6.12.57".parse().expect("a version")])
        .expect_err("nothing is known");
    insta::assert_snapshot!(nothing, @"no known kernel is `6.12.57`; there are none at all (kregress kernels list --available --update fetches the package lists)");
}

#[test]
fn every_name_selects_its_kernel_again() {
    let known = known();
    for candidate in known.iter().filter(|candidate| candidate.missing().is_none()) {
        let name = name_of(&known, candidate);
        let spec = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let resolution =
            select(&known, &BTreeMap::new(), &[spec]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(resolution.wanted[0].release(), candidate.release, "{name}");
        assert_eq!(resolution.wanted[0].name(), name);
    }
}
