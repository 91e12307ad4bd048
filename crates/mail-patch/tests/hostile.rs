//! What a reader of mails must stand: mutations of everything that the fixtures hold. None makes it panic, and none of up to
//! a megabyte takes more than a second of one processor to be read and tried on a source, however many patches are in it.
//!
//! The short form, of a fixed number of inputs, runs with all tests and takes no time. The long one is
//! A build without optimisations may take ten times as long.
//! `KREGRESS_HOSTILE_SECONDS=3600 cargo test --release -p mail-patch --test hostile -- --ignored --nocapture`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use mail_patch::{Input, Options, PLAIN, PatchMail, Pick, Queue, Source, apply, queue, show};

/// A file that patches are about, a long one, and one that repeats itself.
struct Tree {
    pump: Vec<u8>,
    long: Vec<u8>,
    alike: Vec<u8>,
}

impl Source for Tree {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        match path {
            "drivers/net/pump.c" => Some(self.pump.clone()),
            "long.c" => Some(self.long.clone()),
            "alike.c" => Some(self.alike.clone()),
            _ => None,
        }
    }

    fn has(&self, path: &str) -> bool {
        ["drivers/net/pump.c", "long.c", "alike.c"].contains(&path)
    }

    fn mode(&self, _: &str) -> &'static str {
        PLAIN
    }

    fn named(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn touched(&self, _: &str, _: usize, _: usize) -> Vec<String> {
        Vec::new()
    }
}

/// A generator whose numbers follow from its seed (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn of<'s, T>(&mut self, all: &'s [T]) -> &'s T {
        &all[self.below(all.len())]
    }
}

/// What means something to a reader.
const WORDS: [&str; 46] = [
    "diff --git a/drivers/net/pump.c b/drivers/net/pump.c\n",
    "diff --git a/long.c b/long.c\n",
    "diff --git a/alike.c b/alike.c\n",
    "diff --cc a.c\n",
    "--- a/drivers/net/pump.c\n+++ b/drivers/net/pump.c\n",
    "--- a/alike.c\n+++ b/alike.c\n",
    "--- a/long.c\n+++ b/long.c\n",
    "--- /dev/null\n+++ b/new.c\n",
    "--- a\n",
    "+++ b\n",
    "@@ -1,9 +1,9 @@\n",
    "@@ -20,6 +20,7 @@ static void pump_stop(struct pump *pump)\n",
    "@@ -0,0 +1,2 @@\n",
    "@@ -99999999999999999999,1 +1 @@\n",
    "@@ -18446744073709551615,18446744073709551615 +1,4 @@\n",
    "@@ -1,400 +1,401 @@ x \n",
    "@ -1 +1 @@\n",
    "@@@ -1 -1 +1 @@@\n",
    "rename from a\nrename to b\n",
    "new file mode 120000\n",
    "deleted file mode 100644\n",
    "index 1111111..2222222 100644\n",
    "GIT binary patch\n",
    "\\ No newline at end of file\n",
    "-- \n2.39\n",
    "From: A <a@example.org>\nSubject: [PATCH v2 1/2] x\n",
    "Content-Type: text/plain; charset=iso-8859-1; format=flowed; delsp=yes\n",
    "Content-Transfer-Encoding: quoted-printable\n",
    "Content-Transfer-Encoding: base64\n",
    "From 0123456789abcdef Mon Sep 17 00:00:00 2001\n",
    " a.c | 3 +-\n 1 file changed, 2 insertions(+), 1 deletion(-)\n",
    "> ",
    "\r\n",
    "\n\n",
    "=20\n",
    "=3D",
    "&lt;",
    "\u{a0}",
    " \t",
    "\"a/\\303\\251\\",
    "Content-Type: multipart/mixed; boundary=B\n",
    "--B\n",
    "Content-Type: message/rfc822\n",
    "-----BEGIN PGP SIGNED MESSAGE-----\n",
    "-----BEGIN PGP SIGNATURE-----\n",
    "*** a/x\n--- b/x\n***************\n",
];

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut all = lines(random.of::<Vec<u8>>(seeds));
    for _ in 0..=random.below(12) {
        let (at, other) = (random.below(all.len()), random.below(all.len()));
        match random.below(16) {
            0 if all.len() > 1 => drop(all.remove(at)),
            1 => all.insert(at, all.get(other).cloned().unwrap_or_default()),
            2 if all.len() > 1 => all.swap(at, other),
            3 => all.truncate(at.max(1)),
            4 => all.insert(at, random.of(&WORDS).as_bytes().to_vec()),
            5 => all.iter_mut().skip(at).step_by(1 + other % 5).for_each(|line| {
                if line.len() > 1 {
                    line.remove(0);
                }
            }),
            6 => all.iter_mut().for_each(|line| line.splice(0..0, *b"> ").for_each(drop)),
            7 => all = all.iter().flat_map(|line| [line.clone(), b"\n".to_vec()]).collect(),
            8 => all.iter_mut().skip(at).take(other).for_each(|line| {
                line.retain(|byte| *byte != b'\n');
            }),
            9 => all.iter_mut().for_each(|line| {
                if let Some(tab) = line.iter().position(|byte| *byte == b'\t') {
                    line.splice(tab..=tab, *b"        ").for_each(drop);
                }
            }),
            10 => {
                if let Some(line) = all.get_mut(at)
                    && !line.is_empty()
                {
                    let place = random.below(line.len());
                    line[place] = u8::try_from(random.below(255)).unwrap().max(1);
                }
            }
            11 => all.iter_mut().filter(|line| line.len() > 40).for_each(|line| line.insert(36, b'\n')),
            12 => all.extend(lines(random.of::<Vec<u8>>(seeds))),
            // few lines become many: what takes more than a line's worth of time shows
            13 if random.below(20) == 0 => {
                let some: Vec<Vec<u8>> = all[at.min(other)..=at.max(other).min(all.len() - 1)].to_vec();
                let length: usize = some.iter().map(Vec::len).sum::<usize>().max(1);
                let times = (1 << random.below(20)) / length;
                let more: Vec<Vec<u8>> = (0..times).flat_map(|_| some.clone()).collect();
                all.splice(at..at, more).for_each(drop);
            }
            14 => {
                if let Some(line) = all.get_mut(at) {
                    let place = random.below(line.len());
                    line.splice(place..place, random.of(&WORDS).bytes()).for_each(drop);
                }
            }
            _ => all.retain(|line| line.len() > 1),
        }
        if all.is_empty() {
            all.push(b"\n".to_vec());
        }
    }
    let mut bytes = all.concat();
    bytes.truncate(1 << 20);
    bytes
}

const OPTIONS: Options = Options { repair: true, fuzz: 2 };

/// Reads an input as a queue and applies it, as the command does.
fn read(bytes: &[u8], tree: &Tree) {
    let Ok(input) = Input::read("hostile", bytes) else { return };
    if let Ok(found) = Queue::of(&input, &Pick::default()) {
        drop(queue::queue(&found));
        drop(queue::application("tree", &queue::apply(&found.patches, tree, OPTIONS)));
    }
}

/// Reads the patches of an input and applies them at once, those of an mbox that belong together or not.
fn read_at_once(bytes: &[u8], tree: &Tree) {
    let Ok(input) = Input::read("hostile", bytes) else { return };
    let patches = PatchMail::all(&input);
    drop(show::patches(&input, &patches));
    let chosen: Vec<&PatchMail> = patches.iter().collect();
    drop(show::application("tree", &apply(&chosen, tree, OPTIONS)));
}

fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/patches");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.iter().filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap()).collect()
}

fn tree() -> Tree {
    let pump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/patches/tree/drivers/net/pump.c");
    let long: String = (0..20_000).map(|number| format!("\tline({});\n", number % 977)).collect();
    Tree { pump: std::fs::read(pump).unwrap(), long: long.into_bytes(), alike: b"\n\t}\n".repeat(5_000) }
}

/// What a processor worked for this thread, from the kernel's own count.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0))
}

/// Reads one input in both ways, each within the limit; an error says how it failed.
fn stood(bytes: &[u8], tree: &Tree, limit: Option<Duration>) -> Result<Duration, String> {
    let mut longest = Duration::ZERO;
    for way in [read, read_at_once] {
        let before = worked();
        catch_unwind(AssertUnwindSafe(|| way(bytes, tree))).map_err(|_| "a panic".to_owned())?;
        longest = longest.max(worked().saturating_sub(before));
    }
    match limit {
        Some(limit) if longest > limit => {
            Err(format!("{longest:?} of a processor for {} bytes", bytes.len()))
        }
        _ => Ok(longest),
    }
}

/// What an input may take: a second, and ten where nothing is optimised.
fn limit() -> Duration {
    Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 })
}

/// Inputs of a megabyte in which something is there so often that work for each pair of them would show.
fn large() -> Vec<(&'static str, Vec<u8>)> {
    const SIZE: usize = 1 << 20;
    let id = "0123456789abcdef0123456789abcdef01234567";
    let hunk = "@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n";
    let separator = "From 0123456789abcdef Mon Sep 17 00:00:00 2001\n";
    let mail = |subject: &str, body: &str| {
        format!("{separator}From: A <a@example.org>\nSubject: {subject}\n\n{body}\n")
    };
    let names = |path: &str| format!("--- a/{path}\n+++ b/{path}\n");
    let one = |text: &dyn Fn(usize) -> String| -> Vec<u8> {
        let mut out = String::new();
        for number in 0.. {
            let next = text(number);
            if out.len() + next.len() > SIZE {
                break;
            }
            out += &next;
        }
        out.into_bytes()
    };
    let behind = |head: &str, text: &dyn Fn(usize) -> String, tail: &str| -> Vec<u8> {
        let mut bytes = one(text);
        bytes.truncate(SIZE - head.len() - tail.len());
        [head.as_bytes(), &bytes, b"\n", tail.as_bytes()].concat()
    };
    let lines = |number: usize| {
        format!("@@ -{n},3 +{n},3 @@\n \tline(1);\n-\tline(5);\n+\tx;\n \tline(6);\n", n = number % 9000)
    };
    let bare = "x = y;\n".repeat(20);
    let multipart = "From: A <a@example.org>\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nwhy\n";
    vec![
        ("patches without numbers", one(&|n| mail(&format!("[PATCH] {n}"), &(names("alike.c") + hunk)))),
        (
            "patches of one name",
            one(&|n| mail("[PATCH 1/2] x", &format!("{}@@ -{n} +1 @@\n-b\n+c\n", names("alike.c")))),
        ),
        (
            "versions of one patch",
            one(&|n| {
                mail(&format!("[PATCH v{n} 1/2] x"), &format!("{}@@ -{n} +1 @@\n-b\n+c\n", names("alike.c")))
            }),
        ),
        (
            "patches sent again",
            one(&|n| {
                mail(
                    &format!("[PATCH RESEND v1.{n} 1/2] x"),
                    &format!("{}@@ -{n} +1 @@\n-b\n+c\n", names("alike.c")),
                )
            }),
        ),
        (
            "patches of a long file",
            one(&|n| mail(&format!("[PATCH {n}/9999] x"), &(names("long.c") + &lines(n)))),
        ),
        (
            "attachments",
            behind(
                multipart,
                &|n| {
                    format!(
                        "--B\nContent-Disposition: attachment; filename=\"{n}.patch\"\n\n{}{hunk}",
                        names("alike.c")
                    )
                },
                "--B--\n",
            ),
        ),
        (
            "attachments to a long text",
            behind(
                &format!("{multipart}{}", "Fixes: 0123456789ab (\"x: y\")\n".repeat(9_000)),
                &|n| {
                    format!(
                        "--B\nContent-Disposition: attachment; filename=\"{n}.patch\"\n\n{}{hunk}",
                        names("alike.c")
                    )
                },
                "--B--\n",
            ),
        ),
        (
            "renames",
            one(&|n| {
                format!("diff --git a/{n} b/x{n}\nsimilarity index 100%\nrename from {n}\nrename to x{n}\n")
            }),
        ),
        (
            "renames to a long file",
            one(&|n| {
                format!(
                    "diff --git a/{n} b/long.c\nsimilarity index 100%\nrename from {n}\nrename to long.c\n"
                )
            }),
        ),
        ("new files that are there", one(&|_| "--- /dev/null\n+++ long.c\n@@ -0,0 +1 @@\n+a\n".into())),
        ("new files without a prefix", one(&|n| format!("--- /dev/null\n+++ hw/{n}.c\n@@ -0,0 +1 @@\n+a\n"))),
        (
            "new files, and others without a prefix",
            behind(
                &format!("--- long.c\n+++ long.c\n{hunk}").repeat(32),
                &|n| format!("--- /dev/null\n+++ hw/{n}.c\n@@ -0,0 +1 @@\n+a\n"),
                "",
            ),
        ),
        ("files that are not there", one(&|n| format!("{}{hunk}", names(&format!("hw/{n}.c"))))),
        ("hunks elsewhere", behind(&names("long.c"), &lines, "")),
        (
            "hunks everywhere",
            behind(&names("alike.c"), &|n| format!("@@ -{n},3 +{n},4 @@\n \n+x\n \t}}\n \n"), ""),
        ),
        (
            "hunks without marks",
            behind(&names("long.c"), &|n| format!("@@ -{n},25 +{n},26 @@\n a\n{bare}+b\n c\n"), ""),
        ),
        (
            "patches without marks",
            one(&|n| {
                mail(
                    &format!("[PATCH {n}/9999] x"),
                    &format!("{}@@ -{n},12 +{n},13 @@\n a\n{bare}+b\n c\n", names("long.c")),
                )
            }),
        ),
        (
            "one hunk without marks",
            behind(&format!("{}@@ -1,40000 +1,40001 @@\n a\n", names("long.c")), &|_| bare.clone(), "+b\n"),
        ),
        (
            "sentences about commits",
            behind(
                "From: A <a@example.org>\nSubject: x\n\n",
                &|_| format!("backport of {id} "),
                &(names("alike.c") + hunk),
            ),
        ),
        (
            "fixes",
            behind(
                "From: A <a@example.org>\nSubject: x\n\nFixes ",
                &|_| "0123456789ab (\"x), ".into(),
                &(names("alike.c") + hunk),
            ),
        ),
        (
            "statistics",
            behind(
                "",
                &|n| format!(" .../{n}.c | 1 +\n"),
                &(0..9_000)
                    .map(|n| format!("{}@@ -0,0 +1 @@\n+a\n", names(&n.to_string())))
                    .collect::<String>(),
            ),
        ),
        (
            "mails in a mail",
            behind(
                multipart,
                &|n| {
                    format!(
                        "--B\nContent-Type: message/rfc822\n\nFrom: A <a@example.org>\nSubject: [PATCH] {n}\n\n{}{hunk}\n",
                        names("alike.c")
                    )
                },
                "--B--\n",
            ),
        ),
        (
            "mails in mails",
            one(&|n| {
                format!(
                    "From: A <a@example.org>\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B{n}\n\n--B{n}\nContent-Type: message/rfc822\n\n"
                )
            }),
        ),
        (
            "an answer",
            one(&|n| format!("> {}> @@ -{n} +{n} @@\n> -a\n> +b\n", names("long.c").replace("\n+", "\n> +"))),
        ),
    ]
}

fn keep(bytes: &[u8], what: &str, seed: u64) -> String {
    let path = std::env::temp_dir().join(format!("mail-patch-hostile-{seed:x}"));
    std::fs::write(&path, bytes).unwrap();
    format!("{what}: {}", path.display())
}

#[test]
fn no_mutation_makes_it_panic() {
    let (seeds, tree) = (seeds(), tree());
    for seed in 1..=1_500_u64 {
        let bytes = mutated(&mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), &seeds);
        if bytes.len() < 1 << 14 {
            stood(&bytes, &tree, None).map_err(|what| keep(&bytes, &what, seed)).unwrap();
        }
    }
}

#[test]
#[ignore = "as long as KREGRESS_HOSTILE_SECONDS says"]
fn no_mutation_takes_a_second() {
    let seconds = std::env::var("KREGRESS_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok());
    let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() << 32;
    let (seeds, tree) = (seeds(), tree());
    let (mut count, mut bytes_read, mut slowest, mut failed) = (0_u64, 0, (Duration::ZERO, 0), Vec::new());
    for (name, bytes) in large() {
        match stood(&bytes, &tree, Some(limit())) {
            Ok(took) => println!("{name}: {} bytes in {took:?}", bytes.len()),
            Err(what) => {
                println!("{name}: {what}");
                failed.push(format!("{name}: {what}"));
            }
        }
    }
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(60));
    while Instant::now() < end && failed.len() < 20 {
        let seed = start + count;
        let bytes = mutated(&mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), &seeds);
        match stood(&bytes, &tree, Some(limit())) {
            Ok(took) if took > slowest.0 => slowest = (took, bytes.len()),
            Ok(_) => {}
            Err(what) => {
                failed.push(keep(&bytes, &what, seed));
                println!("{}", failed.last().unwrap());
            }
        }
        count += 1;
        bytes_read += bytes.len();
    }
    println!("{count} inputs of {bytes_read} bytes, the slowest {:?} for {} bytes", slowest.0, slowest.1);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
