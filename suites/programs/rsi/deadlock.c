/*
 * The deadlock as the stacks of the machine's tasks show it:
 *
 *	one task   rsi_mac80211_stop -> cancel_delayed_work_sync, with the wiphy lock
 *	a kworker  rfkill_poll -> cfg80211_rfkill_poll, waiting for the wiphy lock (before 6.1.74: for
 *	           the driver's common->mutex, which the first task has as well)
 *
 * Seen twice, some seconds apart, in the same two tasks: neither can ever go on.
 */
#include <fcntl.h>

struct deadlock {
	pid_t stopping, polling;
};

static bool read_stack(pid_t task, char *stack, size_t room)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stack", task);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	got = read(fd, stack, room - 1);
	close(fd);
	stack[got > 0 ? got : 0] = 0;
	return got > 0;
}

static void look_at(pid_t task, struct deadlock *found)
{
	char stack[4096];

	if (!read_stack(task, stack, sizeof(stack)))
		return;
	if (strstr(stack, "rsi_mac80211_stop") && strstr(stack, "flush_work"))
		found->stopping = task;
	if (strstr(stack, "rfkill_poll"))
		found->polling = task;
}

/* Every thread of every process. */
static struct deadlock look_for_deadlock(void)
{
	struct deadlock found = { 0 };
	DIR *all = opendir("/proc");
	struct dirent *process, *thread;

	while (all && (process = readdir(all))) {
		char path[sizeof("/proc//task") + sizeof(process->d_name)];
		DIR *threads;

		snprintf(path, sizeof(path), "/proc/%s/task", process->d_name);
		if (process->d_name[0] < '0' || process->d_name[0] > '9' || !(threads = opendir(path)))
			continue;
		while ((thread = readdir(threads)))
			if (thread->d_name[0] != '.')
				look_at(atoi(thread->d_name), &found);
		closedir(threads);
	}
	if (all)
		closedir(all);
	return found;
}

/* Functions of a stack on one line: "a <- b <- c". */
static void note_stack(const char *role, pid_t task)
{
	char stack[4096], line[700] = "", comm[32] = "?", path[64];
	size_t used = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", task);
	file = fopen(path, "r");
	if (file) {
		if (fgets(comm, sizeof(comm), file))
			comm[strcspn(comm, "\n")] = 0;
		fclose(file);
	}
	if (!read_stack(task, stack, sizeof(stack)))
		return;
	for (char *frame = strtok(stack, "\n"); frame; frame = strtok(NULL, "\n")) {
		char *name = strchr(frame, ' ');

		if (!name || used + strlen(name) + 5 >= sizeof(line))
			continue;
		name[1 + strcspn(name + 1, "+ ")] = 0;
		used += snprintf(line + used, sizeof(line) - used, "%s%s", used ? " <-" : "", name);
	}
	note("%s, task %d (%s):%s", role, task, comm, line);
}

/*
 * Something did not come to its end in time. Says what the stacks show, and stays for the kernel's
 * own hung-task messages, which take up to twice their timeout.
 */
static _Noreturn void report_block(const char *what, double since)
{
	struct deadlock first = look_for_deadlock();

	sleep(3);
	struct deadlock second = look_for_deadlock();
	bool same = first.stopping == second.stopping && first.polling == second.polling;

	note("%s has not ended for %.0f s", what, now() - since);
	if (second.stopping)
		note_stack("stopping", second.stopping);
	if (second.polling)
		note_stack("polling", second.polling);
	if (same && second.stopping && second.polling)
		symptom("rfkill deadlock: rsi_mac80211_stop waits for the poll, which waits for a lock that the stop holds");
	sleep(30);
	blind("%s was blocked", what);
}
