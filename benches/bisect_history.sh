#!/bin/sh
# Makes a git repository in which a fix of the ext4 test, and later its revert, are hidden among real changes.
#
#   benches/bisect_history.sh OLD NEW REPOSITORY
#
# OLD and NEW are the sources of two versions of one line, of packages of Debian's. A version that has left apt's index
# is still in the pool of the mirror, MIRROR here. For example:
#
#   /usr/lib/apt/apt-helper download-file MIRROR/pool/main/l/linux/linux-source-6.12_6.12.57-1~bpo12+1_all.deb \
#     linux-source-6.12_6.12.57.deb SHA256:ec1ab5c64f24237b01839815b40b24702a7ad20eab2b14665aa16410fc787c81
#   apt-get download linux-source-6.12=6.12.117-1~deb12u1
#   for deb in linux-source-6.12_*.deb; do dpkg -x $deb ${deb%.deb}; tar -C ${deb%.deb} -xf ${deb%.deb}/usr/src/*.tar.xz; done
#
# It takes some minutes, most of them for git to look at all files of a source 132 times, and 2 GB.
#
# The history starts with OLD (tag `start`). What differs in NEW is divided into one commit a folder, for folders in which
# only .c files differ, so that most states compile. Two folders do not without the headers of NEW: their changes are taken
# back after three more, so that two ranges of four commits are to be passed over. The changes to fs/ext4 are left out.
# After 64 changes comes the tag `fixed`, after 64 more the tag `end`. Among the first, on a branch that is merged,
# is 9b25f381de6b ("ext4: unmap invalidated folios from page tables in mpage_release_unused_pages()"), reduced to its call;
# among the second is its revert. Both are tagged, `planted-fix` and `planted-cause`. So
#
#   kregress bisect mmap-writeback --tree REPOSITORY --find fix --bad start --good fixed
#   kregress bisect mmap-writeback --tree REPOSITORY --good fixed --bad end
#
# have to find those two.
set -eu

[ $# = 3 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
old=$(cd "$1" && pwd) new=$(cd "$2" && pwd) repository=$3
half=64
fix_at=23 revert_at=41
unfit="drivers/char/hw_random net/sched"

[ -f "$old/fs/ext4/inode.c" ] || { echo "$old is no kernel's source" >&2; exit 2; }
[ -f "$new/fs/ext4/inode.c" ] || { echo "$new is no kernel's source" >&2; exit 2; }
[ ! -e "$repository" ] || { echo "$repository is there already" >&2; exit 2; }

# The same hashes wherever and whenever it is made.
export GIT_AUTHOR_NAME='A Maker' GIT_AUTHOR_EMAIL='maker@example.org'
export GIT_COMMITTER_NAME='A Maker' GIT_COMMITTER_EMAIL='maker@example.org'
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
clock=1700000000
tick() {
    clock=$((clock + 60))
    export GIT_AUTHOR_DATE="$clock +0000" GIT_COMMITTER_DATE="$clock +0000"
}
commit() {
    tick
    git commit --quiet -m "$1"
}

mkdir -p "$repository"
cp -a "$old/." "$repository"
cd "$repository"
git init --quiet --initial-branch=main .
git config gc.auto 0
git config core.hooksPath /dev/null
git add --all --force
commit "linux: the source as packaged"
git tag start

# One folder a line: those in which nothing but .c files differ.
changed=$(diff -rq "$old" "$new" 2> /dev/null | sed -n "s|^Files $old/\(.*\) and .* differ\$|\1|p")
folders=$(printf '%s\n' "$changed" | awk '
    { folder = $0; sub("/[^/]*$", "", folder); if ($0 ~ /\.c$/) good[folder] = 1; else bad[folder] = 1 }
    END { for (folder in good) if (!(folder in bad)) print folder }' |
    grep -E '^(block|crypto|drivers|fs|io_uring|ipc|kernel|lib|mm|net|security|sound)/' | grep -v '^fs/ext4$' | LC_ALL=C sort)
count=$(printf '%s\n' "$folders" | wc -l)
[ "$count" -ge $((2 * half)) ] || { echo "only $count folders differ, $((2 * half)) are needed" >&2; exit 1; }
# Spread over the whole list, so that compiled and never compiled ones alternate.
folders=$(printf '%s\n' "$folders" | awk -v all="$count" -v want=$((2 * half)) '
    int(NR * want / all) > int((NR - 1) * want / all)')

plant_fix() {
    # before the folios are invalidated, nobody may have them in a page table any more
    awk '{
        if (!done && $0 ~ /^\t\t\tif \(invalidate\) \{/) {
            print
            print "\t\t\t\tunmap_mapping_pages(folio->mapping, folio->index, folio_nr_pages(folio), false);"
            done = 1
        } else print
    }' fs/ext4/inode.c > fs/ext4/inode.c.new
    mv fs/ext4/inode.c.new fs/ext4/inode.c
    git add --force fs/ext4/inode.c
    git diff --cached --quiet && { echo "fs/ext4/inode.c has no place for the fix" >&2; exit 1; }
    commit "ext4: unmap invalidated folios from page tables"
    git tag planted-fix
}

n=0 back='' back_at=0
for folder in $folders; do
    n=$((n + 1))
    # a branch that leaves before the fix and is merged behind it
    [ $n != $((fix_at - 5)) ] || git checkout --quiet -b topic
    [ $n != $((fix_at + 5)) ] || git checkout --quiet main
    [ $n != $((fix_at + 10)) ] || { tick; git merge --quiet --no-ff -m "Merge branch 'topic'" topic; }
    [ $n != $fix_at ] || plant_fix
    if [ $n = $((half + revert_at)) ]; then
        tick
        git revert --no-edit planted-fix > /dev/null
        git tag planted-cause
    fi
    printf '%s\n' "$changed" | awk -v folder="$folder" '{ of = $0; sub("/[^/]*$", "", of); if (of == folder) print }' |
        while read -r file; do
            cp "$new/$file" "$file"
            git add --force "$file"
        done
    commit "$folder: the changes of the newer package"
    for name in $unfit; do
        [ "$folder" != "$name" ] || { back=$name back_at=$((n + 3)); }
    done
    if [ $n = $back_at ]; then
        git checkout --quiet start -- "$back"
        commit "$back: take the changes back, they do not compile"
    fi
    [ $n != $half ] || git tag fixed
done
git tag end
git log --oneline start..fixed | wc -l
git log --oneline fixed..end | wc -l
