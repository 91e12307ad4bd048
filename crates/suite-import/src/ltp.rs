//! The Linux Test Project: `metadata/ltp.json`, which its own build extracts from the sources.
//!
//! Each test is there with the fields of its `struct tst_test` as data: strings, lists, and for what a macro hid the
//! macro's name.

mod known;
mod needs;
mod surroundings;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::draft::{Import, ProgramValue, SuiteDraft, TestDraft, USUAL_HANG};
use crate::text::{kebab, summary};

pub use needs::Refusal;

/// Memory of a guest, MiB: tests that map or fill files want more than the usual.
const MEMORY_MIB: u32 = 1024;

/// Time that LTP's library gives every test, seconds (`DEFAULT_TIMEOUT` of `lib/tst_test.c`).
const LIBRARY_TIMEOUT: u32 = 30;

/// How much longer an attempt may take than LTP allows with KVM: without it, LTP is told to wait eight times as long.
const TRANSLATED: u32 = 8;

/// Variants of a test that are waited for; more of them are short.
const MOST_VARIANTS: u32 = 4;

/// What the caller chooses.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of LTP's sources as the suites name it: absolute, or relative to them.
    pub tree: String,
    /// Tests without a tag as well; a tag names a commit or a CVE.
    pub all: bool,
    /// Tests that would run longer by themselves get a dose of so many seconds.
    pub seconds: u32,
    /// Commands that a guest has.
    pub commands: BTreeSet<String>,
}

/// Metadata that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON of another kind.
    #[error("it has no `tests`; metadata/ltp.json is made by `make -C metadata` in a configured tree of LTP")]
    NoTests,
}

/// Reads the metadata of a tree; `source` gives the text of a file of it, by its path in there.
///
/// # Errors
/// The text is not what LTP's build makes. A test whose fields are unusual is left out, and no error.
pub fn read(
    metadata: &str,
    source: &dyn Fn(&str) -> Option<String>,
    options: &Options,
) -> Result<Import, MetadataError> {
    let metadata: Value = serde_json::from_str(metadata)?;
    let tests = metadata.get("tests").and_then(Value::as_object).ok_or(MetadataError::NoTests)?;
    let mut import = Import::default();
    for (name, test) in tests {
        let Some(fields) = test.as_object() else { continue };
        let fields = Fields { fields };
        if !options.all && !fields.has("tags") {
            continue;
        }
        match draft(name, &fields, source, options) {
            Ok((area, test)) => {
                let suite = format!("ltp-{area}");
                import.add(&suite, || start(&area), test);
            }
            Err(Refusal(reason)) => import.leave_out(name, reason),
        }
    }
    Ok(import)
}

fn start(area: &str) -> SuiteDraft {
    let summary = format!("tests of the Linux Test Project, {area}");
    // LTP looks for the configuration, and for each driver in the lists of modules
    let kernel_files = ["config", "modules"].map(str::to_owned).to_vec();
    SuiteDraft {
        summary,
        memory_mib: MEMORY_MIB,
        kernel_files,
        hang: Some(USUAL_HANG),
        ..SuiteDraft::default()
    }
}

fn draft(
    name: &str,
    fields: &Fields<'_>,
    source: &dyn Fn(&str) -> Option<String>,
    options: &Options,
) -> Result<(String, TestDraft), Refusal> {
    let file = fields.text("fname").ok_or_else(|| Refusal("its source file is not known".to_owned()))?;
    let program = file
        .strip_suffix(".c")
        .ok_or_else(|| Refusal("a script, which needs LTP's shell library".to_owned()))?;
    let area = area(program).ok_or_else(|| Refusal(format!("{file} is not below testcases/")))?;
    let needs = needs::of(fields, program, source, options)?;
    let mut notes = needs.notes;
    let Tags { fixes, cves, links } = tags(fields, &mut notes);
    let doc = fields.texts("doc").unwrap_or_default();
    let runtime = fields.seconds("runtime");
    let least = fields.seconds("min_runtime").unwrap_or(0);
    let seconds = runtime.filter(|&runtime| runtime > options.seconds).map(|_| options.seconds.max(least));
    let runs = seconds.or(runtime).unwrap_or(0).max(least);
    let variants = fields.number("test_variants").unwrap_or(1).clamp(1, MOST_VARIANTS);
    let timeout = LIBRARY_TIMEOUT + fields.seconds("timeout").unwrap_or(0);
    let mut program_keys = vec![
        ("ltp", ProgramValue::Text(program.to_owned())),
        ("tree", ProgramValue::Text(options.tree.clone())),
    ];
    if !needs.beside.is_empty() {
        program_keys.push(("beside", ProgramValue::List(needs.beside)));
    }
    program_keys.extend(runtime.map(|runtime| ("runtime", ProgramValue::Text(format!("{runtime}s")))));
    let test = TestDraft {
        name: kebab(name),
        summary: summary(doc.iter().map(String::as_str)).unwrap_or_else(|| format!("LTP's {name}")),
        notes,
        links,
        fixed: fixes,
        cves,
        modules: needs.modules,
        config: needs.config,
        kernel: needs.kernel,
        uptime: needs.known.uptime,
        kvm: needs.known.kvm,
        sysctl: needs.known.sysctl,
        cmdline: needs.cmdline,
        cpus: needs.cpus,
        memory_mib: needs.memory_mib,
        disks: needs.around.disks,
        packages: needs.around.packages,
        program: program_keys,
        seconds,
        // LTP's own timeout comes first, and says more
        terminate: Some((timeout * TRANSLATED + runs) * variants * needs.around.times + 30),
        symptom: symptom(fields, needs.known.failure.unwrap_or("TFAIL")),
    };
    Ok((area, test))
}

/// What shows the bug. LTP itself fails a test that checks the kernel's taint behind a warning or a crash.
fn symptom(fields: &Fields<'_>, failure: &str) -> String {
    let failed = format!("{{reported: {{matching: '{failure}'}}}}");
    match fields.has("taint_check") {
        true => format!("{{any: [{failed}, {{crash: any}}]}}"),
        false => failed,
    }
}

/// The part of LTP that a program belongs to: `syscalls`, `cve`, `network` …
fn area(program: &str) -> Option<String> {
    let mut folders = program.strip_prefix("testcases/")?.split('/');
    let first = folders.next()?;
    let area = if first == "kernel" { folders.next()? } else { first };
    Some(kebab(area)).filter(|area| !area.is_empty())
}

/// What a test says of its bug.
#[derive(Default)]
struct Tags {
    /// The commits that fixed it.
    fixes: Vec<String>,
    /// Its numbers as a vulnerability.
    cves: Vec<String>,
    /// Links to both.
    links: Vec<String>,
}

fn tags(fields: &Fields<'_>, notes: &mut Vec<String>) -> Tags {
    let Tags { mut fixes, mut cves, mut links } = Tags::default();
    for tag in fields.lists("tags") {
        let [kind, value] = &tag[..] else { continue };
        match kind.as_str() {
            "linux-git" if is_commit(value) => {
                links.push(format!("https://git.kernel.org/linus/{value}"));
                fixes.push(value.to_ascii_lowercase());
            }
            "linux-stable-git" if is_commit(value) => {
                links.push(format!("https://git.kernel.org/stable/c/{value}"));
            }
            "CVE" => {
                links.push(format!("https://nvd.nist.gov/vuln/detail/CVE-{value}"));
                cves.extend(is_cve(value).then(|| format!("CVE-{value}")));
            }
            _ => notes.push(format!("tag {kind}: {value}")),
        }
    }
    Tags { fixes, cves, links }
}

/// Whether this is the number of a vulnerability, without `CVE-`.
fn is_cve(text: &str) -> bool {
    let digits = |part: &str| part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(year, number)| year.len() == 4 && digits(year) && digits(number))
}

fn is_commit(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The fields of one `struct tst_test`.
struct Fields<'m> {
    fields: &'m Map<String, Value>,
}

impl Fields<'_> {
    /// Whether the field is set; a flag that is false is not.
    fn has(&self, key: &str) -> bool {
        match self.fields.get(key) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Array(values)) => !values.is_empty(),
            Some(_) => true,
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key)?.as_str()
    }

    fn number(&self, key: &str) -> Option<u32> {
        match self.fields.get(key)? {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A time in seconds; -1 stands for no limit, and macros for what is not known.
    fn seconds(&self, key: &str) -> Option<u32> {
        self.number(key).filter(|&seconds| seconds > 0)
    }

    /// A list of texts; `None` where a macro's name is all that is known.
    fn texts(&self, key: &str) -> Option<Vec<String>> {
        let values = self.fields.get(key)?.as_array()?;
        values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// The objects of a list.
    fn objects(&self, key: &str) -> impl Iterator<Item = &Map<String, Value>> {
        self.fields.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
    }

    /// A list of lists of texts; what is none is passed over.
    fn lists(&self, key: &str) -> Vec<Vec<String>> {
        let values = self.fields.get(key).and_then(Value::as_array);
        let inner = values.into_iter().flatten().filter_map(Value::as_array);
        inner.map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect()).collect()
    }
}

#[cfg(test)]
mod tests;
