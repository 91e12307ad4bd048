use proptest::prelude::*;

use super::*;

fn version(text: &str) -> KernelVersion {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn reads_every_spelling() {
    let table = [
        ("6.12", "6.12", ""),
        ("v6.12", "6.12", ""),
        ("6.12.0", "6.12", ""),
        ("6.12.90", "6.12.90", ""),
        ("6.12.90+deb13.1", "6.12.90", "+deb13.1"),
        ("7.3~rc7", "7.3-rc7", ""),
        ("v6.17-rc3", "6.17-rc3", ""),
        ("6.18.0-rc1+", "6.18-rc1", "+"),
        ("next-20260306", "next-20260306", ""),
        ("6.17.13+deb13-cloud-amd64", "6.17.13", "+deb13-cloud-amd64"),
        ("6.1.0-0.deb11.52-cloud-amd64", "6.1", "-0.deb11.52-cloud-amd64"),
        ("5.10.0-46-amd64", "5.10", "-46-amd64"),
    ];
    for (text, upstream, local) in table {
        let version = version(text);
        assert_eq!((version.upstream().to_string().as_str(), version.local()), (upstream, local), "{text}");
    }
}

#[test]
fn refuses_what_is_no_version() {
    let table = ["", "6", "6.", "six.twelve", "6.12.90.1", "6.12rc3", "6.12-rc", "next-2026", "6.12 .1"];
    let mut said = String::new();
    for text in table {
        let error = text.parse::<KernelVersion>().expect_err(text);
        said += &format!("{error}\n");
    }
    insta::assert_snapshot!(said, @"
    `` is no kernel version: it does not start with a number; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `6` is no kernel version: a second number is missing; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `6.` is no kernel version: a second number is missing; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `six.twelve` is no kernel version: it does not start with a number; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `6.12.90.1` is no kernel version: it has more than three numbers; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `6.12rc3` is no kernel version: the upstream version is not followed by `+`, `-`, `~` or `_`; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `6.12-rc` is no kernel version: there is no number after `rc`; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `next-2026` is no kernel version: the date after `next-` has not eight digits; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    `6.12 .1` is no kernel version: it is too long or has blanks in it; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    ");
}

#[test]
fn orders_upstream_before_local() {
    let ascending = [
        "5.10.262",
        "6.1.180+deb11",
        "6.12-rc7",
        "6.12",
        "6.12.9",
        "6.12.90",
        "6.12.90+deb12",
        "6.12.90+deb12.1",
        "6.12.90+deb13",
        "6.12.117~test",
        "6.12.117",
        "6.16.3",
        "7.3-rc7",
        "7.3",
        "7.3.4",
        "next-20260306",
    ];
    for pair in ascending.windows(2) {
        assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
    }
}

#[test]
fn orders_package_versions_as_debian_does() {
    let ascending = [
        "6.12.90-1~bpo12+1",
        "6.12.90-1",
        "6.12.90-2~bpo12+1",
        "6.12.90-2",
        "6.12.117-1~deb12u1",
        "6.12.117-1",
    ];
    for pair in ascending.windows(2) {
        assert_eq!(compare_debian(pair[0], pair[1]), std::cmp::Ordering::Less, "{} < {}", pair[0], pair[1]);
    }
    assert_eq!(compare_debian("6.012", "6.12"), std::cmp::Ordering::Equal);
}

#[test]
fn takes_the_upstream_version_out_of_a_package_version() {
    for (package, upstream) in [
        ("7.3~rc7-1~exp1", "7.3-rc7"),
        ("6.12.90-2~bpo12+1", "6.12.90"),
        ("5.10.262-1", "5.10.262"),
        ("6.12.117", "6.12.117"),
    ] {
        assert_eq!(KernelVersion::from_debian(package), Ok(version(upstream)), "{package}");
    }
}

#[test]
fn ranges_include_both_ends() {
    let table = [
        ("6.12..7.2", "6.11.11", false),
        ("6.12..7.2", "6.12-rc1", true),
        ("6.12..7.2", "6.12.117+deb13", true),
        ("6.12..7.2", "7.2.13", true),
        ("6.12..7.2", "7.3-rc7", false),
        ("6.12..7.2", "next-20260306", false),
        ("6.12.57..6.12.90", "6.12.56", false),
        ("6.12.57..6.12.90", "6.12.90+deb13.1", true),
        ("6.12.57..=6.12.90", "6.12.94", false),
        ("6.12.90+deb13..", "6.12.90+deb12", false),
        ("6.12.90+deb13..", "6.12.90+deb13.1", true),
        ("6.18..", "next-20260306", true),
        ("..6.1", "6.1.192", true),
        ("..6.1", "6.12", false),
    ];
    for (range, text, inside) in table {
        let range: VersionRange = range.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(range.contains(&version(text)), inside, "{text} in {range}");
    }
}

#[test]
fn says_what_is_wrong_with_a_range() {
    let mut said = String::new();
    for text in ["6.12", "6.12..x", "7.2..6.12", "6.12.90..6.12.57", "6.12.90..6.11", "7..8.1"] {
        let error = text.parse::<VersionRange>().expect_err(text);
        said += &format!("{error}\n");
    }
    insta::assert_snapshot!(said, @"
    `6.12` is no range: expected two versions or lines with `..` between them, like `6.12..7.2`
    in the range `6.12..x`: `x` is no kernel version: it does not start with a number; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    the range `7.2..6.12` can hold nothing: 7.2 is newer than 6.12; write it as `6.12..7.2`
    the range `6.12.90..6.12.57` can hold nothing: 6.12.90 is newer than 6.12.57; write it as `6.12.57..6.12.90`
    the range `6.12.90..6.11` can hold nothing: 6.12.90 is newer than 6.11; write it as `6.11..6.12.90`
    in the range `7..8.1`: `7` is no kernel version: a second number is missing; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
    ");
}

#[test]
fn reads_lines() {
    for text in ["6.12", "v6.12", "6.12.y"] {
        assert_eq!(text.parse(), Ok(Line { major: 6, minor: 12 }), "{text}");
    }
    for text in ["6", "6.12.3", "6.x", "", "6.12-rc1"] {
        assert!(text.parse::<Line>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics_and_what_is_shown_reads_back(text in "(v|next-)?[0-9.]{0,12}[-~+rc0-9a-z.]{0,12}") {
        if let Ok(version) = text.parse::<KernelVersion>() {
            prop_assert_eq!(version.to_string().parse::<KernelVersion>(), Ok(version));
        }
        if let Ok(range) = text.parse::<VersionRange>() {
            prop_assert_eq!(range.to_string().parse::<VersionRange>(), Ok(range));
        }
    }

    #[test]
    fn the_order_is_total(a in "[0-9]\\.[0-9]{1,2}(\\.[0-9]{1,3})?(-rc[0-9])?([+~][a-z0-9.~]{0,6})?",
                          b in "[0-9]\\.[0-9]{1,2}(\\.[0-9]{1,3})?(-rc[0-9])?([+~][a-z0-9.~]{0,6})?") {
        let (a, b): (KernelVersion, KernelVersion) = (version(&a), version(&b));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
    }
}
