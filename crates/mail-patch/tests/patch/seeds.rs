//! The mails that this was made for, as a reader of web pages left them. They lie beside the repository; where they are
//! not, the fixtures stand for each of their kinds of damage.

use std::path::{Path, PathBuf};

use mail_patch::{Input, PatchMail};

fn seeds() -> Option<PathBuf> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = crate_folder.ancestors().map(|up| up.join("shared/seeds")).find(|folder| folder.is_dir());
    if found.is_none() {
        loud_skip::optional("there is no ../shared/seeds");
    }
    found
}

#[test]
fn the_seeds_are_read() {
    let Some(folder) = seeds() else { return };
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut rows = Vec::new();
    for path in names {
        let name: String = path.file_name().unwrap().to_string_lossy().chars().take(3).collect();
        let input = Input::read(&name, &std::fs::read(&path).unwrap()).unwrap();
        rows.push(format!("{name}: {} messages", input.messages.len()));
        for patch in PatchMail::all(&input) {
            let subject = patch.subject.as_ref().unwrap();
            let target = subject.target.as_ref().map(ToString::to_string).unwrap_or_default();
            rows.push(format!(
                "  line {}: {} | v{} {:?} {target} | by {} | {} trailers, fixes {:?}, upstream {:?}, syzbot {:?}",
                patch.line,
                subject.title.chars().take(40).collect::<String>(),
                subject.version.unwrap_or(1),
                subject.part,
                patch.author.as_deref().unwrap_or("?"),
                patch.tags.trailers.len(),
                patch.tags.fixes.iter().map(|fixes| &fixes.commit).collect::<Vec<_>>(),
                patch.tags.upstream,
                patch.tags.syzbot,
            ));
            for file in &patch.decoded.files {
                let whole = file.hunks.iter().filter(|hunk| hunk.lines().is_some()).count();
                rows.push(format!("    {}: {} of {} hunks whole", file.path(), whole, file.hunks.len()));
            }
            let mut kinds: Vec<&str> = patch.damages.iter().map(|damage| damage.kind.words()).collect();
            kinds.dedup();
            rows.push(format!("    damage: {}", kinds.join(", ")));
        }
    }
    insta::assert_snapshot!(rows.join("\n"));
}
