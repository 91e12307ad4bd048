//! The whole command up to where a kernel would boot, with a stand-in for a kernel's source. Starts no virtual machine.

use std::process::Command;

use super::place::Place;

/// Knows the targets of a kernel's Makefile, and makes files of the same names.
const MAKEFILE: &str = "VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 9
EXTRAVERSION =

allnoconfig alldefconfig:
\t@cat $(KCONFIG_ALLCONFIG) > $(O)/.config

vmlinux: $(O)/fast.o $(O)/slow.o
\t@echo '  LD      vmlinux'
\t@mkdir -p $(O)/include/config
\t@echo 6.12.9$(LOCALVERSION) > $(O)/include/config/kernel.release
\t@$(CC) -nostdlib -static -Wl,-e,fast -o $(O)/vmlinux $(O)/fast.o $(O)/slow.o
\t@touch $(O)/System.map $(O)/modules.order $(O)/modules.builtin

$(O)/%.o: %.c
\t@echo '  CC      $*.o'
\t@$(CC) -c -o $@ $<
";

/// `None`, with a loud remark, where the tools are missing.
fn place() -> Option<Place> {
    for tool in ["make", "gcc", "patch", "qemu-system-x86_64"] {
        if Command::new(tool).arg("--version").output().is_err() {
            loud_skip::skip(format_args!("there is no {tool} on this host"));
            return None;
        }
    }
    let place = Place::new();
    place.write("linux/Makefile", MAKEFILE);
    place.write("linux/fast.c", "int fast(void) { return 1; }\n");
    place.write("linux/slow.c", "int slow(void) { return 1; }\n");
    place.write("kernels/configs/small.config", "# base: allnoconfig\nCONFIG_PVH=y\n");
    place.git(&["add", "."]);
    place.git(&["commit", "-q", "-m", "Linux 6.12.9, really"]);
    place.git(&["tag", "base"]);
    Some(place)
}

#[test]
fn what_does_not_build_is_named_with_the_compilers_line_also_when_it_is_gone_on_with() {
    let Some(place) = place() else { return };
    place.commit("fast.c", "return 1;", "return 2", "fast: forget what ends a statement");
    place.commit("slow.c", "return 1;", "return a;", "slow: return what is not there");
    let said = place.said(&["linux@base..main", "--onto", "linux@base", "--tests", "control"]);
    let shown = |said: &str| {
        let table: Vec<&str> = said.lines().filter(|line| line.contains("does not build")).collect();
        table.join("\n")
    };
    insta::assert_snapshot!(shown(&said), @r"
    1: fast: forget what ends a statement: does not build: fast.c:1:26: error: expected ';' before '}' token
    2: slow: return what is not there: does not build: slow.c:1:25: error: 'a' undeclared (first use in this function)
    ");
    assert!(said.ends_with("exit code 100\n"), "{said}");
    let folder = std::fs::read_dir(place.path().join("reports")).unwrap().next().unwrap().unwrap().path();
    for name in ["queue.html", "queue.json", "queue-junit.xml", "b4.json", "reply.txt", "junit.xml"] {
        assert!(folder.join(name).is_file() || folder.is_symlink(), "{name}");
    }
    let again = place.said(&["--resume", "latest"]);
    assert_eq!(shown(&again), shown(&said));
    // made again from the journal, with the formats that only a queue has
    let reported = place.said_by("report", &[]);
    assert_eq!(shown(&reported), shown(&said));
    assert!(shown(&place.said_by("replay", &[])).ends_with(&shown(&said)));
    let here = place.path().display().to_string();
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap().replace(&here, "PLACE");
    for (format, name) in [("reply", "reply.txt"), ("b4", "b4.json")] {
        let reported = place.said_by("report", &["latest", "--format", format]);
        assert_eq!(reported, format!("{}exit code 0\n", file(name)), "{format}");
    }
    let page = file("queue.html");
    std::fs::remove_file(folder.join("queue.html")).unwrap();
    assert!(place.said_by("report", &["--write"]).contains("queue.html"));
    assert_eq!(file("queue.html"), page);
    let refused = place.said_by("report", &["--format", "kcidb"]);
    assert!(refused.contains("there is no format kcidb of the run "), "{refused}");
    // nothing was written to the user's repository
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    assert_eq!(place.git(&["rev-parse", "main"]), place.git(&["rev-parse", "HEAD"]));
}

#[test]
fn a_tree_that_does_not_build_and_runs_that_cannot_be_gone_on_with_are_said() {
    let Some(place) = place() else { return };
    place.commit("fast.c", "return 1;", "return b;", "fast: break the tree");
    place.git(&["tag", "broken"]);
    place.commit("slow.c", "return 1;", "return 2;", "slow: return more");
    let said = place.said(&["linux@broken..main", "--onto", "linux@broken", "--tests", "control"]);
    let last: Vec<&str> =
        said.lines().filter(|line| line.starts_with("error") || line.starts_with("exit")).collect();
    insta::assert_snapshot!(last.join("\n"), @r"
    error: PLACE/linux@broken does not build without the queue either, so nothing can be said of it: fast.c:1:25: error: 'b' undeclared (first use in this function)
    exit code 96
    ");
    let refused = |arguments: &[&str]| {
        let said = place.said(arguments);
        said.lines().filter(|line| line.starts_with("error")).collect::<Vec<_>>().join("\n")
    };
    let mut said = refused(&["--resume", "nothing"]);
    // the queue is no longer what it was
    place.git(&["tag", "-f", "main-before", "main"]);
    place.commit("slow.c", "return 2;", "return 3;", "slow: return even more");
    said += &format!("\n{}", refused(&["--resume", "latest"]));
    let run =
        said.split("since run ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a run").to_owned();
    let said = said.replace(&run, "RUN");
    insta::assert_snapshot!(said, @r"
    error: no run `nothing` in reports: the newest are RUN
    error: PLACE/linux@broken..main, or its tree PLACE/linux@broken, was changed since run RUN began, so that its attempts no longer say the same; begin a new run
    ");
}
