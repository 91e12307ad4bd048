#!/bin/sh
# git apply looks for a hunk that says line 1 nowhere but at the first line.
#
# Packages: Debian 12, git 1:2.39.5-0+deb12u3 and patch 2.7.6-7.
# Input: a diff with full context whose header says `@@ -1,7 +1,7 @@` and whose lines stand 19 lines below in the file, and the same with line 5.
# A hunk is looked for around its line, and both tools apply one that is some lines off.
# Seen: git apply applies the one that says 5 and refuses the one that says 1; patch applies both.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
apt-get download -qq git=1:2.39.5-0+deb12u3 patch=2.7.6-7 >/dev/null 2>&1 || { echo "the packages are unavailable"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
export GIT_CEILING_DIRECTORIES="${folder%/*}" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
seq 1 60 >before
diff_at() {
    printf -- '--- a/list\n+++ b/list\n@@ -%s,7 +%s,7 @@\n 20\n 21\n 22\n-23\n+new\n 24\n 25\n 26\n' "$1" "$1"
}
diff_at 1 >one
diff_at 5 >five
place() {
    cp before list
    if "$@" >/dev/null 2>&1; then grep -n new list | cut -d: -f1; else echo refused; fi
}
seen="$(place root/usr/bin/git apply one) $(place root/usr/bin/git apply five) $(place root/usr/bin/patch -s -p1 -i one) $(place root/usr/bin/patch -s -p1 -i five)"
echo "git apply of line 1, of line 5, patch of line 1, of line 5: $seen"
[ "$seen" = "refused 23 23 23" ]
