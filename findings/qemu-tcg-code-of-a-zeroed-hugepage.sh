#!/bin/sh
# QEMU's translator runs code that was in a hugepage although the kernel has zeroed it and the program reads zeroes there
# afterwards.
#
# Packages: Debian 12, qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 with its data and seabios, linux-image-6.1.0-56-cloud-amd64
# 6.1.192-2. The same came of QEMU 10.0.2 and of kernels 5.10.262 and 6.12.117.
# Input: a program that is started thirty times and, fifty times each, writes a function into a page of a shared file on
# hugetlbfs, calls it, gives the page back (ftruncate), maps the file anew in the same place, calls it where the function was,
# and reads what is there. So the call is what brings the new page in.
# One expects 50 signals, as on a processor: zeroes are `add %al,(%rax)`, which runs to the end of the mapping. With pages of
# 4 KiB it is so.
# Seen: in three to sixteen of the processes, by chance, all calls return what the function returned that is gone, and zeroes
# are read where it was; in the others none. None does where the page is read before the call.
# LTP's hugemmap15 fails for this reason on every kernel ("icache unclean"), which says nothing about the kernel.
# Exits with 0 if so, 1 if it has changed, 2 if it cannot be set up.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
qemu=1:7.2+dfsg-7+deb12u18
for package in "qemu-system-x86=$qemu+b3" "qemu-system-common=$qemu+b3" "qemu-system-data=$qemu" seabios=1.16.2-1 \
    linux-image-6.1.0-56-cloud-amd64=6.1.192-2; do
    apt-get download -qq "$package" >/dev/null 2>&1 || { echo "$package is unavailable"; exit 2; }
done
for file in ./*.deb; do dpkg-deb -x "$file" root || exit 2; done
cat >init.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static void caught(int signal) { siglongjmp(back, signal); }
static const unsigned char seven[] = {0xb8, 7, 0, 0, 0, 0xc3}; /* mov $7,%eax; ret */

static void pages(const char *name, const char *file, size_t size)
{
	int fd = open(file, O_RDWR | O_CREAT, 0600), gone = 0, died = 0, zeroes = 0;

	for (int round = 0; round < 50; round++) {
		if (ftruncate(fd, size))
			return;
		unsigned char *page = mmap(0, size, 7, MAP_SHARED, fd, 0), *code = page + size - 64;
		if (page == MAP_FAILED)
			return;
		memcpy(code, seven, sizeof seven);
		((int (*)(void))code)();
		if (ftruncate(fd, 0) || ftruncate(fd, size) || mmap(page, size, 7, MAP_SHARED | MAP_FIXED, fd, 0) != page)
			return;
		if (sigsetjmp(back, 1)) {
			died++;
		} else {
			int result = 0;
			asm volatile("call *%1" : "=a"(result) : "r"(code), "0"(page)
				     : "memory", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
			gone += result == 7;
		}
		zeroes += !code[0] && !code[1] && !code[5];
		munmap(page, size);
		if (ftruncate(fd, 0))
			return;
	}
	printf("%s: %d times zeroes; %d calls ran what was gone, %d died\n", name, zeroes, gone, died);
}

int main(int count, char **words)
{
	if (count > 1) {
		signal(SIGSEGV, caught);
		signal(SIGBUS, caught);
		pages("small", "/page", 4096);
		pages("huge", "/huge/page", 2 << 20);
		return 0;
	}
	mkdir("/proc", 0700);
	mkdir("/dev", 0700);
	mkdir("/huge", 0700);
	mount("none", "/proc", "proc", 0, 0);
	mount("none", "/dev", "devtmpfs", 0, 0);
	int number = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	(void)!write(number, "3", 1);
	mount("none", "/huge", "hugetlbfs", 0, 0);
	dup2(open("/dev/ttyS0", O_RDWR), 1);
	for (int process = 0; process < 30; process++) {
		if (!fork()) {
			execl(words[0], words[0], "child", NULL);
			_exit(1);
		}
		wait(NULL);
	}
	sync();
	reboot(RB_AUTOBOOT);
}
C
cc -O1 -static -o init init.c || exit 2
python3 - <<'PY' || exit 2
def entry(name, mode, data):
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = ("070701" + "".join("%08x" % field for field in fields)).encode() + name.encode() + b"\0"
    pad = lambda part: part + b"\0" * (-len(part) % 4)
    return pad(head) + pad(data)

with open("init", "rb") as program, open("initramfs", "wb") as out:
    out.write(entry("init", 0o100755, program.read()) + entry("TRAILER!!!", 0, b""))
PY
export QEMU_MODULE_DIR="$folder/root/usr/lib/x86_64-linux-gnu/qemu"
qemu="$folder/root/usr/bin/qemu-system-x86_64"
"$qemu" --version | head -n 1 || exit 2
timeout 300 "$qemu" -L root/usr/share/qemu -L root/usr/share/seabios -machine q35 -accel tcg -cpu max -smp 2 -m 512 \
    -nodefaults -display none -no-reboot -serial file:console -kernel root/boot/vmlinuz-6.1.0-56-cloud-amd64 -initrd initramfs \
    -append 'console=ttyS0 quiet no_timer_check' || exit 2
said=$(tr -d '\r' <console | grep -E '^(small|huge): ') || { echo "the guest said nothing"; exit 2; }
echo "$said" | sort | uniq -c
echo "$said" | grep '^small: ' | grep -qv ' 0 calls ran what was gone, 50 died' && exit 1
echo "$said" | grep -qE '^huge: 50 times zeroes; [1-9][0-9]* calls ran what was gone'
