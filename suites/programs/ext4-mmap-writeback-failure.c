/*
 * A mapped page of ext4 whose writeback fails stays in the page tables although it was invalidated.
 *
 * Bug: when delayed allocation fails, mpage_release_unused_pages() throws the dirty pages away and
 * clears their uptodate flag, but leaves them mapped. The process goes on with a page that the
 * page cache has given up. 9b25f381de6b unmaps such pages first (unmap_mapping_pages()).
 *
 * The disk: /victim is 1 KiB of data and 3 KiB of hole, over and over, on a file system with blocks
 * of 1 KiB, so that its extents fill two leaves; the magic of the second leaf is zeroed. /page holds
 * the index of the last page that the first leaf describes, found when the image was made.
 *
 * Trigger: write to that page through a mapping: its holes want delayed blocks. To allocate them
 * ext4_ext_search_right() reads the damaged leaf, and writeback fails with EUCLEAN (117).
 *
 * Detectors:
 *  1. /proc/self/pagemap and /proc/kpageflags: after the failure the page must not be mapped
 *     any more; on a bad kernel it is, with UPTODATE clear. Reported as the symptom.
 *  2. The kernel's own WARNING in __folio_mark_dirty (__set_page_dirty before 5.16), read from the
 *     console. It needs a write fault on the stale page that dirties it without reading it anew:
 *     with hardly a block free ext4_page_mkwrite() leaves delayed allocation alone, and returns early
 *     when all blocks below the end of the file are mapped, which truncating the file to within the
 *     page's first block makes true.
 *
 * Exit: 0 writeback failed as it has to, and detector 1 looked at the page; 77 no ext4; 1 it could
 * not judge. What goes wrong on the way to detector 2 is only noted: detector 1 has judged by then.
 *
 * Usage: ext4-mmap-writeback-failure [DISK]
 */
#define _GNU_SOURCE
#include <linux/kernel-page-flags.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kregress.h"

/* Below the limit under which ext4 stops delaying allocation: 128 blocks a cpu and more. */
enum { FILL_STEPS = 4, BLOCK = 1024, INTO_FIRST_BLOCK = 512 };

#define MOUNT_POINT "/tmp/ext4-mmap-writeback-failure"
#define MOUNT_OPTIONS "errors=continue,delalloc"

/* Bit of /proc/PID/pagemap: the page is in memory; its lower 55 bits are the frame's number. */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_FRAME ((1ULL << 55) - 1)

/* What the page tables and the page cache say about one page of this process. */
struct page_state {
	int mapped, uptodate;
	uint64_t frame, flags;
};

static sigjmp_buf bus_error;

static void on_bus_error(int signal)
{
	(void)signal;
	siglongjmp(bus_error, 1);
}

static uint64_t read_entry(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	if (fd < 0)
		blind("%s: %s", path, strerror(errno));
	if (pread(fd, &entry, sizeof(entry), index * sizeof(entry)) != sizeof(entry))
		blind("%s: entry %llu: %s", path, (unsigned long long)index, strerror(errno));
	close(fd);
	return entry;
}

static struct page_state look_at(const void *address)
{
	uint64_t entry = read_entry("/proc/self/pagemap", (uintptr_t)address / getpagesize());
	struct page_state state = { 0 };

	if (!(entry & PAGEMAP_PRESENT))
		return state;
	state.mapped = 1;
	state.frame = entry & PAGEMAP_FRAME;
	if (!state.frame)
		blind("/proc/self/pagemap hides frame numbers from this process");
	state.flags = read_entry("/proc/kpageflags", state.frame);
	state.uptodate = !!(state.flags & (1ULL << KPF_UPTODATE));
	return state;
}

static void mount_disk(const char *disk)
{
	if (mkdir(MOUNT_POINT, 0700) && errno != EEXIST)
		blind("mkdir " MOUNT_POINT ": %s", strerror(errno));
	if (!mount(disk, MOUNT_POINT, "ext4", 0, MOUNT_OPTIONS))
		return;
	if (errno == ENODEV)
		skip("this kernel has no ext4");
	blind("mounting %s: %s", disk, strerror(errno));
}

/* The page index that was stored in the image. */
static off_t find_page(void)
{
	int fd = open(MOUNT_POINT "/page", O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || atoi(text) <= 0)
		blind("the image does not say which page to write");
	close(fd);
	return atoi(text);
}

static int sync_page(int fd, off_t offset)
{
	int error = sync_file_range(fd, offset, getpagesize(),
				    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					    SYNC_FILE_RANGE_WAIT_AFTER);

	return error ? errno : 0;
}

/*
 * Writes the page's first block anew, and keeps the kernel from reading around the page. Then every
 * look at the extents is for one block: v6.16 answers a longer one from the next leaf too, the
 * damaged one, and the page could not even be read.
 */
static void prepare_page(int fd, off_t offset, char *page)
{
	char block[BLOCK];

	memset(block, 'x', sizeof(block));
	if (pwrite(fd, block, sizeof(block), offset) != sizeof(block))
		blind("writing the page's first block: %s", strerror(errno));
	if (madvise(page, getpagesize(), MADV_RANDOM))
		blind("madvise: %s", strerror(errno));
}

/* Writes a byte through the mapping; returns 0 when the kernel answers with SIGBUS. */
static int write_byte(volatile char *address, char byte)
{
	if (sigsetjmp(bus_error, 1))
		return 0;
	*address = byte;
	return 1;
}

/* Takes blocks until none is left, in ever smaller steps. */
static void fill_disk(void)
{
	int fd = open(MOUNT_POINT "/filler", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	off_t end = 0;

	if (fd < 0) {
		note("cannot make the filler: %s", strerror(errno));
		return;
	}
	for (off_t step = 1024 * BLOCK; step >= BLOCK; step /= FILL_STEPS)
		while (!fallocate(fd, 0, end, step))
			end += step;
	if (errno != ENOSPC)
		note("filling the disk ended with: %s", strerror(errno));
	close(fd);
}

/* The way to the kernel's own warning, once the stale page is (or would be) there. */
static void dirty_stale_page(int fd, off_t offset, char *page)
{
	int error;

	fill_disk();
	error = ftruncate(fd, offset + INTO_FIRST_BLOCK) ? errno : 0;
	if (error != EUCLEAN)
		note("truncating ended with %d (%s), expected %d", error, strerror(error), EUCLEAN);
	error = sync_page(fd, offset);
	if (error)
		note("the second writeback ended with %d (%s)", error, strerror(error));
	if (!write_byte(page, 'z'))
		note("the write after the truncation met SIGBUS");
}

int main(int argc, char **argv)
{
	const char *disk = argc > 1 ? argv[1] : getenv("KREGRESS_DISK_DAMAGED");
	struct page_state before, after;
	off_t offset;
	char *page;
	int fd, error;

	if (!disk)
		blind("no disk given: KREGRESS_DISK_DAMAGED is not set");
	signal(SIGBUS, on_bus_error);
	mount_disk(disk);
	offset = find_page() * getpagesize();
	fd = open(MOUNT_POINT "/victim", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		blind("/victim of the image: %s", strerror(errno));
	page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (page == MAP_FAILED)
		blind("mmap: %s", strerror(errno));

	prepare_page(fd, offset, page);
	if (!write_byte(page, 'y'))
		blind("the first write to the page met SIGBUS");
	before = look_at(page);
	if (!before.mapped || !before.uptodate)
		blind("a page just written is %s, %s: the page flags cannot be trusted",
		      before.mapped ? "mapped" : "not mapped",
		      before.uptodate ? "up to date" : "not up to date");

	error = sync_page(fd, offset);
	if (error != EUCLEAN)
		blind("writeback ended with %d (%s), expected it to fail with %d", error,
		      error ? strerror(error) : "success", EUCLEAN);

	after = look_at(page);
	if (after.mapped && after.uptodate)
		blind("writeback failed but the page was not invalidated (flags %#llx)",
		      (unsigned long long)after.flags);
	if (after.mapped)
		symptom("page at %lld still mapped after its writeback failed, not up to date (flags %#llx)",
			(long long)offset, (unsigned long long)after.flags);
	else
		note("page at %lld unmapped when its writeback failed", (long long)offset);

	dirty_stale_page(fd, offset, page);
	iterations(1);
	return KREGRESS_DONE;
}
