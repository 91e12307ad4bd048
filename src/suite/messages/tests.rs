use super::*;
use crate::suite::load_messages;

fn load(text: &str) -> Result<KnownMessages, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("known.yaml");
    std::fs::write(&path, text).unwrap();
    load_messages(&path)
        .map_err(|error| error.render(false, 100).replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn entries_hold_on_their_days_and_kernels() {
    let text = "allow:\n- {match: x, reason: y, versions: 6.12.., expires: 2026-01-31}\n";
    let list = load(text).unwrap();
    let entry = &list.allow[0];
    let (old, new): (KernelVersion, KernelVersion) = ("6.1.3".parse().unwrap(), "6.12.57".parse().unwrap());
    let (last, after) = (jiff::civil::date(2026, 1, 31), jiff::civil::date(2026, 2, 1));
    let holds = |today, version| entry.holds(MatchContext { today, version, lines_from: 0 });
    assert!(holds(last, Some(&new)));
    assert!(!holds(last, Some(&old)) && !holds(last, None) && !holds(after, Some(&new)));
    assert_eq!(list.expired(last).count(), 0);
    let notice = list.expired(after).next().unwrap().expiry_notice();
    let notice = notice.rsplit_once('/').map_or(notice.as_str(), |(_, rest)| rest);
    insta::assert_snapshot!(notice, @"known.yaml:2:11: the known message `x` (y) expired on 2026-01-31 and has no effect; remove it, or renew it where it is still true");
}

#[test]
fn faulty_lists_are_shown_where_they_are_wrong() {
    let text = "allow:\n\
        - {match: '(', reason: y}\n\
        - {match: x}\n\
        - {match: x, reason: y, expires: 2026-02-30, link: here}\n\
        - {match: x, reason: y, expire: 2026-01-31}\n\
        - {match: '.*', reason: ' ', versions: six}\n\
        deny:\n\
        - {match: x, reason: y, trace: [z]}\n\
        forbid: []\n";
    insta::assert_snapshot!(load(text).unwrap_err());
    insta::assert_snapshot!("empty", load("{}\n").unwrap_err());
}
