#!/bin/sh
# git apply takes an insertion without context and puts it at the end of the file.
#
# Packages: Debian 12, git 1:2.39.5-0+deb12u3 and patch 2.7.6-7 (git 2.47.3 does the same).
# Input: a file of ten lines and a diff as `diff -U0` writes it, with one hunk, `@@ -3,0 +4 @@`, that adds a line below the third.
# The manual says that git apply expects at least one line of context and that --unidiff-zero bypasses this check, so one
# expects it to refuse the diff without that option, as it does where such a hunk removes a line.
# Seen: without the option it exits with 0, prints nothing and adds the line below the tenth. With the option, and with
# patch, the line is the fourth.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
apt-get download -qq git=1:2.39.5-0+deb12u3 patch=2.7.6-7 >/dev/null 2>&1 || { echo "the packages are unavailable"; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
git=$folder/root/usr/bin/git
patch=$folder/root/usr/bin/patch
"$git" --version && "$patch" --version | head -n 1 || exit 2

seq 1 10 >before
printf -- '--- a/list\n+++ b/list\n@@ -3,0 +4 @@\n+new\n' >insert
printf -- '--- a/list\n+++ b/list\n@@ -4 +3,0 @@\n-4\n' >remove
export GIT_CEILING_DIRECTORIES="${folder%/*}" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null

# Where the line is afterwards: its number, or `refused`.
place() {
    cp before list
    if "$@" >/dev/null 2>&1; then grep -n new list | cut -d: -f1; else echo refused; fi
}
plain=$(place "$git" apply insert)
zero=$(place "$git" apply --unidiff-zero insert)
gnu=$(place "$patch" -s -p1 -i insert)
removal=$(place "$git" apply remove)
echo "git apply: line $plain; git apply --unidiff-zero: line $zero; patch: line $gnu; git apply of a removal: $removal"
[ "$plain $zero $gnu $removal" = "11 4 4 refused" ]
