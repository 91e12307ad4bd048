#!/bin/sh
# addr2line of binutils names the wrong file for a function that a header defines: the file that includes the header, with
# the line of the header. Such a line may not even exist there.
#
# Package: binutils-x86-64-linux-gnu 2.40-2 (Debian 12), with files that gcc 12.2 makes (DWARF 5, -g -O2).
# Input: h.h, whose line 6 defines a function through a macro, and m.c of two lines, which includes it.
# Seen: `addr2line -e p ADDRESS` says m.c:6, with -i and -f as well. `readelf --debug-dump=decodedline` of the same package
# says h.h 6 for that address, and so do elfutils 0.188 and llvm-symbolizer 14.0.6. Of kernels it concerns every
# __traceiter_* function: fs/fs-writeback.c:401 in the place of include/trace/events/writeback.h:401.
#
# Exit code: 0 as described, 1 if it changed, 2 if it cannot be set up.
set -u
unset CDPATH
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
for package in binutils-x86-64-linux-gnu=2.40-2 libbinutils=2.40-2; do
    apt-get download -qq "$package" >/dev/null 2>&1 || { echo "cannot download $package"; exit 2; }
done
for file in *.deb; do
    dpkg-deb -x "$file" root || exit 2
done
bin=$work/root/usr/bin
LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu
printf 'int g(int);\n\n\n\n#define TRACED(n) int n(int x) { return g(x) + 1; }\nTRACED(traced)\n' >h.h
printf '#include "h.h"\nint main(void) { return traced(3); }\n' >m.c
printf 'int g(int x) { return x * 3; }\n' >g.c
gcc -g -O2 -o p m.c g.c || { echo "gcc makes no program"; exit 2; }
export LD_LIBRARY_PATH
address=$("$bin/x86_64-linux-gnu-nm" p | awk '$3 == "traced" { print $1 }')
found=$("$bin/x86_64-linux-gnu-addr2line" -e p "$address") || exit 2
table=$("$bin/x86_64-linux-gnu-readelf" --debug-dump=decodedline p |
    awk -v at="0x$(echo "$address" | sed 's/^0*//')" '$3 == at { print $1 ":" $2; exit }')
echo "addr2line: ${found##*/}, line table: $table"
[ "$table" = h.h:6 ] || exit 2
[ "${found##*/}" = m.c:6 ]
