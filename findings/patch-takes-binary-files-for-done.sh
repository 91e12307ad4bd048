#!/bin/sh
# patch says that it patches a binary file of which the diff has nothing but that it differs, changes nothing and succeeds.
#
# Package: Debian 12, patch 2.7.6-7.
# Input: what `git diff` writes without --binary of a changed binary file: the line `Binary files a/b.bin and b/b.bin differ`.
# One expects a refusal, as of a diff with the binary data itself, for which patch says that it is not supported.
# Seen: `patching file b.bin`, exit code 0, the file as it was.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
apt-get download -qq patch=2.7.6-7 >/dev/null 2>&1 || { echo "the package is unavailable"; exit 2; }
dpkg-deb -x ./patch_*.deb root || exit 2
printf 'a\0b' >b.bin
cp b.bin before
cat >diff <<'DIFF'
diff --git a/b.bin b/b.bin
index 1111111..2222222 100644
Binary files a/b.bin and b/b.bin differ
DIFF
root/usr/bin/patch --version | head -n 1
said=$(root/usr/bin/patch -p1 -i diff 2>&1)
code=$?
same=no
cmp -s b.bin before && same=yes
echo "patch: $said; exit code $code; unchanged: $same"
[ "$said $code $same" = "patching file b.bin 0 yes" ]
