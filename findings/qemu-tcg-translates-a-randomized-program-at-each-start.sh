#!/bin/sh
# QEMU's translator makes the code of a program anew each time that the guest's kernel starts it at another address; where
# the addresses are always the same, it makes it once.
#
# Packages: Debian 12, qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 with its data and seabios, linux-image-6.1.0-56-cloud-amd64
# 6.1.192-2. With QEMU 10.0.2 there is no such difference.
# Input: a position-independent program that starts itself two hundred times, first with kernel.randomize_va_space=0, then with 2.
# How much code the translator has made is asked of QEMU's monitor (`info jit`) before, between and after. The generated
# code of all of it fits: nothing is thrown away for want of room.
# One expects about the same in both: the code that runs is the same, in the same pages of the kernel's cache.
# Seen: 1.5 KB of generated code for each start without randomization, 556 KB with.
# So a guest in which scripts call programs takes several times as long for what programs do themselves.
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
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int port;

static void starts(const char *self, const char *random)
{
	int setting = open("/proc/sys/kernel/randomize_va_space", O_WRONLY);

	(void)!write(setting, random, 1);
	close(setting);
	for (int n = 0; n < 200; n++) {
		if (!fork()) {
			execl(self, self, "child", NULL);
			_exit(1);
		}
		wait(NULL);
	}
}

/* the host asks the monitor, and answers with a line's end */
static void look(const char *what)
{
	char answer;

	dprintf(port, "%s\n", what);
	(void)!read(port, &answer, 1);
}

int main(int count, char **words)
{
	if (count > 1)
		return 0;
	mkdir("/proc", 0700);
	mkdir("/dev", 0700);
	mount("none", "/proc", "proc", 0, 0);
	mount("none", "/dev", "devtmpfs", 0, 0);
	port = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	starts(words[0], "0"); /* what is translated once */
	look("begin");
	starts(words[0], "0");
	look("fixed");
	starts(words[0], "2");
	look("random");
	reboot(RB_AUTOBOOT);
}
C
cc -O1 -static-pie -fPIE -o init init.c || exit 2
cat >measure.py <<'PY'
import re, socket, subprocess, sys

def entry(name, mode, data):
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = ("070701" + "".join("%08x" % field for field in fields)).encode() + name.encode() + b"\0"
    pad = lambda part: part + b"\0" * (-len(part) % 4)
    return pad(head) + pad(data)

with open("init", "rb") as program, open("initramfs", "wb") as out:
    out.write(entry("init", 0o100755, program.read()) + entry("TRAILER!!!", 0, b""))
monitor, its_monitor = socket.socketpair()
line, its_line = socket.socketpair()
fds = (its_monitor.fileno(), its_line.fileno())
command = sys.argv[1:] + [
    "-chardev", f"socket,id=monitor,fd={fds[0]}", "-mon", "chardev=monitor,mode=readline",
    "-chardev", f"socket,id=line,fd={fds[1]}", "-serial", "file:console", "-serial", "chardev:line"]
guest = subprocess.Popen(command, pass_fds=fds)
its_monitor.close(), its_line.close()
monitor.settimeout(120), line.settimeout(120)

def until(end):
    text = b""
    while not text.endswith(end):
        piece = monitor.recv(4096)
        if not piece:
            raise EOFError("the monitor is gone")
        text += piece
    return text.decode(errors="replace")

try:
    until(b"(qemu) ")
    seen = {}
    for word in line.makefile("r"):
        if not word.strip():  # the answer's echo
            continue
        monitor.sendall(b"info jit\n")
        text = until(b"(qemu) ")
        seen[word.strip()] = int(re.search(r"gen code size\s+(\d+)/", text)[1])
        flushes = int(re.search(r"TB flush count\s+(\d+)", text)[1])
        line.sendall(b"\n")
        if word.strip() == "random":
            break
    fixed, random = seen["fixed"] - seen["begin"], seen["random"] - seen["fixed"]
finally:
    guest.kill()
print(f"generated code for a start: {fixed // 200} bytes at fixed addresses, {random // 200} at random ones; {flushes} flushes")
sys.exit(0 if random > 10 * max(fixed, 1) else 1)
PY
export QEMU_MODULE_DIR="$folder/root/usr/lib/x86_64-linux-gnu/qemu"
qemu="$folder/root/usr/bin/qemu-system-x86_64"
"$qemu" --version | head -n 1 || exit 2
timeout 300 python3 measure.py "$qemu" -L root/usr/share/qemu -L root/usr/share/seabios -machine q35 \
    -accel tcg,tb-size=512 -cpu max -smp 1 -m 512 -nodefaults -display none -no-reboot \
    -kernel root/boot/vmlinuz-6.1.0-56-cloud-amd64 -initrd initramfs -append 'console=ttyS0 quiet no_timer_check' >said 2>error
result=$?
cat said
[ -s said ] || { head -n 5 error; exit 2; }
exit "$result"
