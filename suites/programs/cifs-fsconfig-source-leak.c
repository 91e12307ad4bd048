/*
 * The source of a cifs mount is set twice in one fsconfig context.
 *
 * Bug: smb3_fs_context_parse_param() stored fresh copies of the source in ctx->source and
 * fc->source without freeing the copies that an earlier FSCONFIG_SET_STRING had left there.
 * Both older copies are lost when the context is closed. No mount, server or network takes part.
 *
 * Trigger: a round is fsopen("cifs"), the same "source" set twice, close. Setting it once
 * leaks nothing. KREGRESS_ROUNDS rounds (20000).
 *
 * Detector: the agent counts the objects of the kmalloc caches of 192 bytes before and after, and
 * a bad kernel leaves two behind a round. So the source is chosen long enough that both copies
 * fall into that size (129 to 192 bytes with the final zero), and rounds enough that the growth
 * stands far above what others allocate and what per-cpu lists round.
 *
 * Exit: 0 every round was done; 77 no fsopen system call or no cifs; 1 it could not judge.
 * Kernels before 5.11 parse cifs options by the legacy context, which refuses a second source with
 * EINVAL: such a kernel is judged by its slabs like any other.
 *
 * Usage: cifs-fsconfig-source-leak [setting the source N times a round, default 2]
 */
#define _GNU_SOURCE
#include <linux/mount.h>
#include <sys/syscall.h>

#include "kregress.h"

/* 12 + 138 characters: a copy takes 151 bytes. */
#define SERVER_AND_SHARE "//10.0.0.1/s"

enum { SOURCE_LENGTH = 150, ROUNDS = 20000 };

static int fsopen_cifs(void)
{
	int fd = syscall(SYS_fsopen, "cifs", FSOPEN_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOSYS)
		skip("this kernel has no fsopen system call");
	if (errno == ENODEV)
		skip("this kernel has no cifs file system");
	blind("fsopen(\"cifs\"): %s", strerror(errno));
}

static int set_source(int fd, const char *source)
{
	return syscall(SYS_fsconfig, fd, FSCONFIG_SET_STRING, "source", source, 0) ? errno : 0;
}

int main(int argc, char **argv)
{
	uint64_t rounds = env_number("KREGRESS_ROUNDS", ROUNDS);
	int times = argc > 1 ? atoi(argv[1]) : 2;
	char source[SOURCE_LENGTH + 1];
	uint64_t refused = 0;

	memset(source, 'd', SOURCE_LENGTH);
	memcpy(source, SERVER_AND_SHARE "/", sizeof(SERVER_AND_SHARE "/") - 1);
	source[SOURCE_LENGTH] = '\0';

	for (uint64_t round = 0; round < rounds; round++) {
		int fd = fsopen_cifs();

		for (int time = 0; time < times; time++) {
			int error = set_source(fd, source);

			if (error == EINVAL && time > 0)
				refused++;
			else if (error)
				blind("round %llu: setting the source, time %d: %s",
				      (unsigned long long)round, time + 1, strerror(error));
		}
		close(fd);
	}
	if (refused)
		note("a second source was refused with EINVAL %llu times",
		     (unsigned long long)refused);
	iterations(rounds);
	return KREGRESS_DONE;
}
