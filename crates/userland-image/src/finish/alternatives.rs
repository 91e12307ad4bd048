//! Alternatives: names such as `awk` that several programs can have, which maintainer scripts register with
//! update-alternatives(1).
//!
//! The scripts' lines are read where they are plain; what scripts do with variables and loops is in a table.

use std::collections::BTreeMap;
use std::io;

use crate::tree::Tree;

/// Lines `link name program priority`; those of `#` are comments.
const TABLE: &str = include_str!("../data/alternatives.tsv");

/// A program that can have a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    priority: i32,
    /// The file.
    program: String,
    /// Where the name is.
    link: String,
    /// Links that go with it: where, name, file.
    others: Vec<[String; 3]>,
}

/// Makes the links, as automatic mode does: the highest priority of those that are there.
pub(super) fn apply<'a>(tree: &mut Tree, scripts: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut names: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    let of_scripts = scripts.flat_map(of_script);
    for (name, candidate) in of_scripts.chain(TABLE.lines().filter_map(of_line)) {
        if tree.find(&candidate.program).is_some() {
            names.entry(name).or_default().push(candidate);
        }
    }
    for (name, candidates) in names {
        let Some(chosen) = candidates.into_iter().max() else { continue };
        let main = [chosen.link, name, chosen.program];
        for [link, name, program] in [main].into_iter().chain(chosen.others) {
            let is_file = tree.find(&program).is_some();
            // pages of manuals are left out with what they are in
            if is_file && !tree.has_name(&link) {
                let named = format!("/etc/alternatives/{name}");
                tree.put_link_if_missing(&named, &program)?;
                tree.put_link_if_missing(&link, &named)?;
            }
        }
    }
    Ok(())
}

fn of_line(line: &str) -> Option<(String, Candidate)> {
    let mut words = line.split('#').next()?.split_whitespace();
    let (link, name, program) = (words.next()?, words.next()?, words.next()?);
    let priority = words.next()?.parse().ok()?;
    let candidate = Candidate { priority, program: program.into(), link: link.into(), others: Vec::new() };
    Some((name.into(), candidate))
}

/// What a script registers in plain words. Lines with variables are passed over.
fn of_script(script: &str) -> Vec<(String, Candidate)> {
    let joined = script.replace("\\\n", " ");
    joined.lines().filter_map(of_command).collect()
}

fn of_command(line: &str) -> Option<(String, Candidate)> {
    let (_, command) = line.split_once("update-alternatives ")?;
    let command = command.split(['|', ';', '&']).next()?;
    let words: Vec<String> =
        command.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_string()).collect();
    let begin = words.iter().position(|word| word == "--install")? + 1;
    let [link, name, program, priority, rest @ ..] = words.get(begin..)? else { return None };
    let mut others = Vec::new();
    let mut rest = rest;
    while let [option, link, name, program, more @ ..] = rest {
        if option != "--slave" && option != "--follower" {
            break;
        }
        others.push([link.clone(), name.clone(), program.clone()]);
        rest = more;
    }
    let candidate =
        Candidate { priority: priority.parse().ok()?, program: program.clone(), link: link.clone(), others };
    let is_plain = |[link, name, program]: [&String; 3]| {
        let is_path = |path: &str| path.starts_with('/') && !path.contains(['$', '`', '*']);
        is_path(link) && is_path(program) && !name.contains(['/', '$', '`'])
    };
    let plain = is_plain([link, name, program])
        && candidate.others.iter().all(|[link, name, program]| is_plain([link, name, program]));
    plain.then(|| (name.clone(), candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read_where_they_are_plain() {
        let script = "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n\
            \tupdate-alternatives --quiet --install /usr/bin/awk awk /usr/bin/gawk 10 \\\n\
            \t  --slave /usr/bin/nawk nawk /usr/bin/gawk || true\n\
            \tupdate-alternatives --install \"$BIN\"/w w \"$BIN\"/w.procps 50\n\
            \tupdate-alternatives --install /usr/bin/x x /usr/bin/y $PRIORITY\n\
            \tupdate-alternatives --remove awk /usr/bin/old\nfi\n";
        insta::assert_debug_snapshot!(of_script(script), @r#"
        [
            (
                "awk",
                Candidate {
                    priority: 10,
                    program: "/usr/bin/gawk",
                    link: "/usr/bin/awk",
                    others: [
                        [
                            "/usr/bin/nawk",
                            "nawk",
                            "/usr/bin/gawk",
                        ],
                    ],
                },
            ),
        ]
        "#);
    }

    #[test]
    fn every_line_of_the_table_is_one() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, candidate) = of_line(line).expect(line);
            assert!(candidate.link.starts_with('/') && candidate.program.starts_with('/'), "{line}");
            assert!(!name.contains('/') && candidate.link != candidate.program, "{line}");
        }
    }
}
