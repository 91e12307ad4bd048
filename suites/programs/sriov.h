/*
 * What the SR-IOV reproducers share: finding the physical function and its port in sysfs, and writing
 * attributes from tasks of their own, so that a write that never returns does not take the program along.
 *
 * The machine has one or more network cards with SR-IOV (driver igb), each behind a PCIe root port of its
 * own. A round uses up one card: to bring a removed card back takes the kernel longer than to boot.
 */
#ifndef SRIOV_H
#define SRIOV_H

#include <dirent.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kregress.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

enum {
	CARDS_MAX = 8,
	/* Seconds in which tasks that wait for each other are seen to do so before that is called a deadlock. */
	STANDSTILL = 5,
	/* Seconds until a write that has not returned is given up: longer than the kernel takes to call it hung. */
	PATIENCE = 60,
};

/* A physical function and the port above it; paths below /sys. */
struct function {
	char name[NAME_MAX + 1]; /* 0000:01:00.0 */
	char path[PATH_MAX];     /* of the function */
	char port[PATH_MAX];     /* of the root port */
};

/* Where a task of a deadlock sleeps. */
struct wait {
	const char *in[4];  /* function in want of the lock: one of these, ended by NULL */
	const char *below;  /* function further down the stack */
};

/* A deadlock: all its tasks sleep where they do when each waits for another. */
struct deadlock {
	const char *text;         /* for the report */
	const struct wait *waits; /* one a task */
};

/* When a write to an attribute began, when it ended, and how. Shared between tasks. */
struct attempt {
	volatile double began, ended; /* seconds, 0 is not yet */
	volatile int error;
};

static int path_exists(const char *folder, const char *name)
{
	char path[PATH_MAX + NAME_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return !access(path, F_OK);
}

/* Writes one string to an attribute in one write; returns 0 or the errno. */
static int write_attribute(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX + NAME_MAX];
	int error = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

static long read_number(const char *folder, const char *name)
{
	char path[PATH_MAX + NAME_MAX];
	char text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		blind("cannot read %s: %s", path, strerror(errno));
	close(fd);
	return atol(text);
}

/* Takes down one device if it is a physical function that can do SR-IOV. */
static int is_function(const char *name, struct function *function)
{
	char link[sizeof(PCI_DEVICES) + NAME_MAX + 1];

	snprintf(link, sizeof(link), PCI_DEVICES "/%s", name);
	if (name[0] == '.' || !path_exists(link, "sriov_numvfs"))
		return 0;
	if (!path_exists(link, "driver"))
		blind("no driver is bound to %s, a card with SR-IOV", name);
	snprintf(function->name, sizeof(function->name), "%s", name);
	if (!realpath(link, function->path))
		blind("%s: %s", link, strerror(errno));
	strcpy(function->port, function->path);
	*strrchr(function->port, '/') = '\0';
	if (!path_exists(function->port, "remove"))
		blind("%s is not behind a port that can be removed", name);
	return 1;
}

/* All cards with SR-IOV, at most KREGRESS_ROUNDS where that is set; returns how many, at least one. */
static int find_functions(struct function *functions)
{
	int most = env_number("KREGRESS_ROUNDS", CARDS_MAX);
	DIR *devices = opendir(PCI_DEVICES);
	struct dirent *entry;
	int count = 0;

	if (!devices)
		blind(PCI_DEVICES ": %s", strerror(errno));
	while (count < CARDS_MAX && (entry = readdir(devices)))
		count += is_function(entry->d_name, &functions[count]);
	closedir(devices);
	if (!count)
		skip("this machine has no card with SR-IOV, or this kernel no CONFIG_PCI_IOV");
	if (getenv("KREGRESS_ROUNDS") && count < most)
		blind("%d rounds were asked for, the machine has only %d cards with SR-IOV", most, count);
	return count < most ? count : most;
}

/* Makes virtual functions and sees that they are there. */
static void enable_functions(const struct function *function, int count)
{
	char text[16];
	int error;

	snprintf(text, sizeof(text), "%d", count);
	error = write_attribute(function->path, "sriov_numvfs", text);
	if (error)
		blind("enabling %d virtual functions: %s", count, strerror(error));
	snprintf(text, sizeof(text), "virtfn%d", count - 1);
	if (read_number(function->path, "sriov_numvfs") != count || !path_exists(function->path, text))
		blind("%d virtual functions were asked for and are not there", count);
}

static struct attempt *new_attempts(int count)
{
	struct attempt *attempts = mmap(NULL, count * sizeof(*attempts), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (attempts == MAP_FAILED)
		blind("mmap: %s", strerror(errno));
	return attempts;
}

/* Writes the attribute and keeps the times. */
static void attempt_write(struct attempt *attempt, const char *folder, const char *name,
			  const char *text)
{
	attempt->began = now();
	attempt->error = write_attribute(folder, name, text);
	attempt->ended = now();
}

/* Reads where a task sleeps, innermost function first; empty where the kernel does not tell. */
static void read_stack(pid_t pid, char *text, size_t size)
{
	char path[64];
	ssize_t length = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, text, size - 1);
		close(fd);
	}
	text[length < 0 ? 0 : length] = '\0';
}

static void note_stack(const char *what, pid_t pid)
{
	char text[900];

	read_stack(pid, text, sizeof(text));
	note("%s sleeps in %s", what, *text ? text : "a place that the kernel does not tell");
}

/* The function of one line of a stack; returns whether there is one. */
static int function_of(const char *line, char name[128])
{
	return sscanf(line, "[<%*[0-9a-fx]>] %127[^+ .\n]", name) == 1;
}

/*
 * Whether a task sleeps where it would in the deadlock. The kernel leaves the functions of locks and of the
 * scheduler out of the stack, so the first line is the function that wants the lock. pci_lock_rescan_remove()
 * does nothing but take one: a kernel with frame pointers shows it above the function that called it, while in
 * others it has become a jump and is not on the stack.
 */
static int is_waiting(pid_t pid, const struct wait *wait)
{
	char text[4096], top[128];
	const char *line = text;

	read_stack(pid, text, sizeof(text));
	if (!function_of(line, top) || !strstr(text, wait->below))
		return 0;
	if (!strcmp(top, "pci_lock_rescan_remove")) {
		line = strchr(line, '\n');
		if (!line || !function_of(line + 1, top))
			return 0;
	}
	for (int i = 0; wait->in[i]; i++)
		if (!strcmp(top, wait->in[i]))
			return 1;
	return 0;
}

/* Reports the deadlock once all tasks have slept in it for STANDSTILL; `since` is kept between calls. */
static void watch_deadlock(const struct deadlock *deadlock, const pid_t *pids, int count, double *since)
{
	const double told = -1;

	if (*since == told)
		return;
	for (int i = 0; i < count; i++)
		if (!is_waiting(pids[i], &deadlock->waits[i])) {
			*since = 0;
			return;
		}
	if (!*since)
		*since = now();
	if (now() < *since + STANDSTILL)
		return;
	symptom("deadlock: %s", deadlock->text);
	*since = told;
}

/* Starts tasks; returns a task's number in the task, and -1 in the program that started them. */
static int start_tasks(pid_t *pids, int count)
{
	for (int task = 0; task < count; task++) {
		pids[task] = fork();
		if (pids[task] < 0)
			blind("fork: %s", strerror(errno));
		if (!pids[task])
			return task;
	}
	return -1;
}

/*
 * Waits for the tasks. One that does not come back within PATIENCE hangs in the kernel, which the kernel
 * itself reports on the console meanwhile; one that is killed has met an oops. The deadlock, if one is
 * given, is looked for all along.
 */
static void join_tasks(const pid_t *pids, const char *const *names, int count,
		       const struct deadlock *deadlock)
{
	double end = now() + PATIENCE, since = 0;

	for (int i = 0; i < count; i++) {
		int status = 0;
		pid_t pid;

		while (!(pid = waitpid(pids[i], &status, WNOHANG))) {
			if (deadlock)
				watch_deadlock(deadlock, pids, count, &since);
			if (now() > end) {
				for (int k = i; k < count; k++)
					note_stack(names[k], pids[k]);
				blind("%s did not come back from the kernel within %d s", names[i],
				      PATIENCE);
			}
			usleep(100000);
		}
		if (pid < 0)
			blind("waiting for %s: %s", names[i], strerror(errno));
		if (WIFSIGNALED(status))
			blind("%s was killed by signal %d", names[i], WTERMSIG(status));
		if (WEXITSTATUS(status))
			exit(WEXITSTATUS(status));
	}
}

#endif
