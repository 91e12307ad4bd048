//! What expressions mean, and what is said of texts that are none.

use cell_filter::{Facts, Filter, Known};
use proptest::prelude::*;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// `block::elevator-switch-race` on 6.17.13, bad after 1.5 seconds.
fn evaluate(text: &str) -> Known {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let version = "6.17.13".parse().unwrap();
    let needs = strings(&["null_blk", "CONFIG_KASAN"]);
    let files = strings(&["block/elevator.c", "block/blk-mq-debugfs.c"]);
    let fixes = strings(&["9b25f381de6b8942645f43735cb0a4fb0ab3a6d1"]);
    filter.evaluate(&Facts {
        suite: "block",
        test: "block::elevator-switch-race",
        needs: &needs,
        files: &files,
        fixes: &fixes,
        kernel: Some("6.17.13"),
        version: Some(&version),
        verdict: Some("bad"),
        seconds: Some(1.5),
    })
}

#[test]
fn what_expressions_mean() {
    let table = [
        ("all()", true),
        ("none()", false),
        ("suite(block)", true),
        ("suite(bloc)", false),
        ("suite(b*)", true),
        ("suite(=b*)", false),
        ("suite(~loc)", true),
        ("test(race)", true),
        ("test(=race)", false),
        ("test(=block::elevator-switch-race)", true),
        ("test(/race$/)", true),
        ("test(/^race/)", false),
        (r"test(/(switch|\/)-race$/)", true),
        ("test(#block::*)", true),
        ("test(#elevator*)", false),
        ("kernel(6.17)", true),
        ("kernel(6.17.13)", true),
        ("kernel(=6.17.13)", true),
        ("kernel(6.17.1)", false),
        ("kernel(>=6.12, <7.2)", true),
        ("kernel(>=6.12, <6.17)", false),
        ("kernel(>6.17)", false),
        ("kernel(>6.17.12)", true),
        ("kernel(<=6.17)", true),
        ("kernel(<6.17)", false),
        ("kernel(6.12..7.1)", true),
        ("kernel(..6.12)", false),
        ("kernel(6.17.*)", true),
        ("kernel(kasan-*)", false),
        ("needs(null_blk)", true),
        ("needs(KASAN)", true),
        ("needs(CONFIG_KASAN)", true),
        ("needs(null)", false),
        ("touches(block)", true),
        ("touches(block/elevator.c)", true),
        ("touches(block/elev)", false),
        ("touches(block/elevator.c/)", true),
        ("touches(fs/ext4)", false),
        ("fixes(9b25f381de6b)", true),
        ("fixes(9B25F38)", true),
        ("fixes(0123456)", false),
        ("verdict(bad)", true),
        ("verdict(good)", false),
        ("verdict(/bad|other/)", true),
        ("duration(>1s)", true),
        ("duration(> 1500ms)", false),
        ("duration(<=1.5s)", true),
        ("duration(>1m)", false),
        // operators
        ("!suite(cifs)", true),
        ("not suite(block)", false),
        ("not(suite(block))", false),
        ("suite(block)&test(race)", true),
        ("suite(block) and test(leak)", false),
        ("suite(cifs) | test(race)", true),
        ("suite(cifs) or suite(ext4)", false),
        ("suite(cifs)+suite(block)", true),
        ("suite(block) - test(race)", false),
        ("suite(block) - kernel(7.2)", true),
        // `&` and `-` bind closer than `|`, and `-` is read from the left
        ("all() | all() & none()", true),
        ("(all() | all()) & none()", false),
        ("all() - none() - all()", false),
        ("all() - (none() - all())", true),
        ("  ( ( suite( block ) ) )\n & kernel( 6.17 , > 6.16 ) ", true),
        ("suite(block) & kernel(>=6.12, <7.2) - test(/leak$/)", true),
    ];
    for (text, wanted) in table {
        assert_eq!(evaluate(text), if wanted { Known::Yes } else { Known::No }, "{text}");
    }
}

#[test]
fn what_is_not_known_is_left_open_and_only_that() {
    let test = Facts { suite: "block", test: "block::elevator-switch-race", ..Facts::default() };
    let table = [
        ("kernel(6.12)", Known::Open),
        ("!kernel(6.12)", Known::Open),
        ("suite(cifs) & kernel(6.12)", Known::No),
        ("suite(block) | kernel(6.12)", Known::Yes),
        ("suite(block) & kernel(6.12)", Known::Open),
        ("suite(cifs) | verdict(bad)", Known::Open),
        ("duration(>1s) & none()", Known::No),
        // what the test does not say it does not need
        ("needs(igb)", Known::No),
    ];
    for (text, wanted) in table {
        assert_eq!(Filter::parse(text).unwrap().evaluate(&test), wanted, "{text}");
    }
    // an earlier run that did not have the cell has no verdict of it, which is known
    let new = Facts { verdict: Some(""), seconds: Some(f64::INFINITY), ..test };
    for text in ["verdict(bad)", "verdict(good)", "duration(>1s)", "duration(<1s)"] {
        assert_eq!(Filter::parse(text).unwrap().evaluate(&new), Known::No, "{text}");
    }
    // a kernel that has a name only, as a file that is named
    let named = Facts { kernel: Some("bzImage"), ..test };
    for (text, wanted) in
        [("kernel(6.12)", Known::No), ("kernel(=bzImage)", Known::Yes), ("kernel(>6.1)", Known::No)]
    {
        assert_eq!(Filter::parse(text).unwrap().evaluate(&named), wanted, "{text}");
    }
}

#[test]
fn it_is_known_what_needs_an_earlier_run() {
    for (text, needs) in [("suite(a) | !verdict(bad)", true), ("duration(>1s)", true), ("kernel(6.1)", false)]
    {
        assert_eq!(Filter::parse(text).unwrap().needs_earlier_run(), needs, "{text}");
    }
}

#[test]
fn errors_point_at_the_place() {
    let said = |text: &str| Filter::parse(text).unwrap_err().to_string();
    let all = [
        "",
        "suite(block) &",
        "suite(block) test(race)",
        "(suite(block)",
        "suite(block))",
        "suite(block",
        "race",
        "tset(race)",
        "frobnicate(1)",
        "test()",
        "test(/a(/)",
        "test(/a)",
        "kernel(6.12-6.17)",
        "kernel(>=6.12, <seven)",
        "kernel(7.2..6.1)",
        "fixes(xyz)",
        "verdict(badd)",
        "duration(30s)",
        "duration(>30)",
        "duration(>30d)",
        "all(x)",
        "suite(block) & & test(a)",
    ];
    insta::assert_snapshot!(all.map(said).join("\n"), @r#"
    in the filter, at column 1: the expression ends here, expected a predicate such as `suite(block)`, `!` or `(`
        
        ^
    in the filter, at column 15: the expression ends here, expected a predicate such as `suite(block)`, `!` or `(`
        suite(block) &
                      ^
    in the filter, at column 14: expected `&`, `|`, `-` or the end of the expression
        suite(block) test(race)
                     ^
    in the filter, at column 14: expected `)` for the `(` at column 1
        (suite(block)
                     ^
    in the filter, at column 13: this `)` closes nothing
        suite(block))
                    ^
    in the filter, at column 12: expected `)` behind the argument of `suite`
        suite(block
                   ^
    in the filter, at column 1: `race` alone is no predicate: a part of a test's name is written `test(race)`
        race
        ^
    in the filter, at column 1: there is no predicate `tset`; did you mean `test`, as in `test(race)`?
        tset(race)
        ^
    in the filter, at column 1: there is no predicate `frobnicate`: suite, test, kernel, needs, touches, fixes, verdict, duration, all and none are
        frobnicate(1)
        ^
    in the filter, at column 6: nothing stands between the parentheses
        test()
             ^
    in the filter, at column 7: no regular expression: unclosed group
        test(/a(/)
              ^
    in the filter, at column 9: expected `)` behind the argument of `test`
        test(/a)
                ^
    in the filter, at column 12: a range is written with `..`: `6.12..6.17`
        kernel(6.12-6.17)
                   ^
    in the filter, at column 17: `seven` is no kernel version: expected one such as `6.12` or `6.12.57`
        kernel(>=6.12, <seven)
                        ^
    in the filter, at column 8: the range `7.2..6.1` can hold nothing: 7.2 is newer than 6.1; write it as `6.1..7.2`
        kernel(7.2..6.1)
               ^
    in the filter, at column 7: expected a commit: 7 to 40 hexadecimal digits
        fixes(xyz)
              ^
    in the filter, at column 9: `badd` is no verdict: bad, good, other, skip, blind, lost are
        verdict(badd)
                ^
    in the filter, at column 10: expected a comparison such as `>30s`, `<=2m` or `>500ms`
        duration(30s)
                 ^
    in the filter, at column 13: a duration has a unit: `30s`, `m` or `h`
        duration(>30)
                    ^
    in the filter, at column 13: `d` is no unit: ms, s, m and h are
        duration(>30d)
                    ^
    in the filter, at column 5: `all()` takes no argument
        all(x)
            ^
    in the filter, at column 16: `&` found, expected a predicate such as `suite(block)`, `!` or `(`
        suite(block) & & test(a)
                       ^
    "#);
}

proptest! {
    #[test]
    fn no_text_panics(text in r#"[a-z&|!()\-+ =~/#.,<>0-9é*\[\{]{0,60}"#) {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.at <= text.len(), "{text:?} {error:?}");
            let _ = error.to_string();
        }
    }

    #[test]
    fn predicates_combine_as_values_do(parts in prop::collection::vec((any::<bool>(), any::<bool>(), 0..3_u8), 1..12)) {
        // all() and none() with operators, beside the same by Rust's own
        let (mut text, mut or, mut and) = (String::new(), false, true);
        for (at, (value, not, operator)) in parts.iter().enumerate() {
            let value_here = *value != *not;
            let operand = format!("{}{}", if *not { "!" } else { "" }, if *value { "all()" } else { "none()" });
            match (at, operator) {
                (0, _) => and = value_here,
                (_, 0) => {
                    text.push_str(" | ");
                    or |= and;
                    and = value_here;
                }
                (_, 1) => {
                    text.push_str(" & ");
                    and &= value_here;
                }
                _ => {
                    text.push_str(" - ");
                    and &= !value_here;
                }
            }
            text.push_str(&operand);
        }
        let wanted = Known::from(or | and);
        prop_assert_eq!(Filter::parse(&text).unwrap().evaluate(&Facts::default()), wanted, "{}", text);
    }

    #[test]
    fn nesting_is_bounded(depth in 0..200_usize) {
        let text = format!("{}all(){}", "(".repeat(depth), ")".repeat(depth));
        prop_assert_eq!(Filter::parse(&text).is_ok(), depth <= 64);
    }
}
