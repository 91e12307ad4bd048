//! Reproducers in C that syzkaller wrote: files of one program each, as its dashboard gives them and as archives keep them.
//!
//! What is known of the bug stands in comments before the code: the title of the crash, a link to the dashboard, its status
//! there, the architecture. Each of them may be missing. What is in a manager's folder of crashes has the title in a file of
//! its own beside the program.

mod needs;
mod title;

use std::collections::BTreeMap;

use crate::draft::{Import, ProgramValue, SuiteDraft, TestDraft};
use crate::text::{kebab, shortened};

use title::Sign;

/// Memory of a guest, MiB: some map much of it.
const MEMORY_MIB: u32 = 1024;

/// Least seconds of a dose for what the kernel reports by its clock only: tasks that hang are after twice
/// `hang.seconds`, processors that are stuck sooner.
const HANG_SECONDS: u32 = 45;

/// What an attempt may take besides its dose, seconds.
const BESIDES: u32 = 60;

/// More tests than these make a file longer than a suite may be.
const MOST_OF_A_SUITE: usize = 500;

/// Digits of the dashboard's id in a test's name.
const ID_DIGITS: usize = 8;

/// The longest title in a test's name, bytes.
const TITLE_IN_NAME: usize = 52;

/// A file of a reproducer.
#[derive(Clone, Debug)]
pub struct Reproducer {
    /// Its path as the suites name it.
    pub path: String,
    /// What it is called: its file's name without an ending, or its folder's where all files are called alike.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The crash's title where a file beside it says that.
    pub described: Option<String>,
}

/// What the caller chooses.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seconds of a dose.
    pub seconds: u32,
}

/// Makes suites of reproducers, one for each family of crashes, or several where it has many: by what their names begin
/// with.
pub fn read(reproducers: impl IntoIterator<Item = Reproducer>, options: Options) -> Import {
    let mut import = Import::default();
    let (mut drafts, mut sizes) = (Vec::new(), BTreeMap::new());
    for reproducer in reproducers {
        let head = Head::of(&reproducer.text);
        if let Some(reason) = needs::refusal(&reproducer.text, head.arch) {
            import.leave_out(&reproducer.name, reason);
            continue;
        }
        let (family, test) = draft(&reproducer, &head, options);
        let first = reproducer.name.chars().find(char::is_ascii_alphanumeric).unwrap_or('x');
        *sizes.entry(family.name).or_insert(0) += 1;
        drafts.push((family, first.to_ascii_lowercase(), test));
    }
    for (family, first, test) in drafts {
        let start = || SuiteDraft {
            summary: format!("reproducers that syzkaller wrote: {}", family.summary),
            memory_mib: MEMORY_MIB,
            ..SuiteDraft::default()
        };
        let suite = match sizes.get(family.name) {
            Some(&size) if size > MOST_OF_A_SUITE => format!("syz-{}-{first}", family.name),
            _ => format!("syz-{}", family.name),
        };
        import.add(&suite, start, test);
    }
    import
}

fn draft(reproducer: &Reproducer, head: &Head<'_>, options: Options) -> (title::Family, TestDraft) {
    let title = head.title.or(reproducer.described.as_deref()).map(title::plain);
    let Sign { symptom, waits, note } = title.map_or_else(Sign::any, title::sign);
    let needs = needs::of(&reproducer.text);
    let seconds = if waits { options.seconds.max(HANG_SECONDS) } else { options.seconds };
    let test = TestDraft {
        name: name(&reproducer.name, title),
        summary: title.map_or_else(|| format!("reproducer {}", reproducer.name), shortened),
        notes: note.map(str::to_owned).into_iter().chain(needs.notes).collect(),
        links: head.links.iter().map(|&link| link.to_owned()).collect(),
        modules: needs.modules,
        program: vec![
            ("c", ProgramValue::Text(reproducer.path.clone())),
            ("ends", ProgramValue::Text("never".to_owned())),
        ],
        seconds: Some(seconds),
        terminate: Some(seconds.saturating_add(BESIDES)),
        symptom,
        ..TestDraft::default()
    };
    (title.map_or(title::Family::UNTITLED, title::family), test)
}

/// A file that is called by the dashboard's id says little: then the title stands before its first digits. It depends on
/// nothing else, so that it stays the same when files come and go.
fn name(file: &str, title: Option<&str>) -> String {
    let is_id = file.len() >= 12 && file.bytes().all(|byte| byte.is_ascii_hexdigit());
    match title {
        Some(title) if is_id => {
            let mut words = kebab(title);
            words.truncate(TITLE_IN_NAME);
            kebab(&format!("{words}-{}", &file[..ID_DIGITS]))
        }
        _ if is_id => format!("repro-{}", file[..12].to_ascii_lowercase()),
        _ => match kebab(file) {
            name if name.is_empty() => "repro".to_owned(),
            name => name,
        },
    }
}

/// The comments before the code.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head<'t> {
    title: Option<&'t str>,
    links: Vec<&'t str>,
    arch: Option<&'t str>,
}

impl<'t> Head<'t> {
    fn of(text: &'t str) -> Head<'t> {
        let mut head = Head::default();
        let lines = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("//"));
        for line in lines.map(|line| line.trim_start_matches('/').trim()) {
            if line.is_empty() || line.starts_with("autogenerated by syzkaller") || line.starts_with("SPDX-")
            {
                continue;
            }
            if line.starts_with("https://") || line.starts_with("http://") {
                head.links.extend(line.split_whitespace().next());
            } else if line.starts_with("status:") {
                head.arch = line.split_whitespace().find_map(|word| word.strip_prefix("arch:"));
            } else if head.title.is_none() && head.links.is_empty() {
                // behind a link there are only remarks
                head.title = Some(line);
            }
        }
        head
    }
}

#[cfg(test)]
mod tests;
