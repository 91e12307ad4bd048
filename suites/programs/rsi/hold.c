/*
 * Holding a cpu: a SCHED_FIFO thread spins on it, so that nothing ordinary runs there.
 *
 * How a poll is made to be in flight when the driver stops the interface:
 *
 * - ieee80211_do_open -> rsi_mac80211_start queues the rfkill poll without delay, on the cpu that
 *   sets the interface up. That cpu is held from then on: the poll is due, and cannot run.
 * - The interface is stopped from another cpu. ieee80211_stop takes the wiphy lock, and
 *   ieee80211_do_stop begins with synchronize_rcu(). The kernel thread that drives RCU's grace
 *   periods is bound to the held cpu too, so this one cannot end. (Under the rtnl lock before,
 *   synchronize_net() is expedited and does not need that thread.)
 * - The cpu is let go. The poll starts and waits for the wiphy lock; the grace period ends some
 *   milliseconds later, and the driver's stop, which holds that lock, waits for the poll.
 *
 * Not every kernel waits for a grace period there (5.10 does not), and a stop that does not is too
 * short to be met by a long hold. So every other round holds for a short time.
 *
 * Nothing here is beyond what a loaded real-time machine does by itself; it only makes a
 * window of some milliseconds every five seconds as wide as wanted. What is changed here
 * is never changed back: every attempt has a machine of its own.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

/* The one who holds is of lower priority than the one who asks for it from the same cpu. */
enum { PRIORITY_OF_HOLDER = 10, PRIORITY_OF_STARTER = 20, PRIORITY_OF_SOFTIRQS = 30 };

struct holder {
	int cpu;
	sem_t start;
	_Atomic double until;	/* now() at which the cpu is let go; 0: not yet known */
	pthread_t thread;
};

/* Binds a task of this machine, 0 for the calling thread, to one cpu. Returns 0 or an errno. */
static int bind_task(pid_t task, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(task, sizeof(cpus), &cpus) < 0 ? errno : 0;
}

/* SCHED_FIFO with that priority, or SCHED_OTHER for 0. Returns 0 or an errno. */
static int set_priority(pid_t task, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return sched_setscheduler(task, priority ? SCHED_FIFO : SCHED_OTHER, &param) < 0 ? errno : 0;
}

static void *hold(void *argument)
{
	struct holder *holder = argument;

	bind_task(0, holder->cpu);
	if (set_priority(0, PRIORITY_OF_HOLDER))
		blind("cpu %d cannot be held, no SCHED_FIFO: %s", holder->cpu, strerror(errno));
	for (;;) {
		while (sem_wait(&holder->start) && errno == EINTR)
			;
		/* now() does not enter the kernel here, or only for a moment. */
		for (double until = 0; !until || now() < until; until = holder->until)
			;
	}
}

/* Returns 0 or an errno. */
static int make_holder(struct holder *holder, int cpu)
{
	holder->cpu = cpu;
	holder->until = 0;
	sem_init(&holder->start, 0, 0);
	return pthread_create(&holder->thread, NULL, hold, holder);
}

/* From now on, or from when the caller gives up that cpu, until let_go_at(). */
static void hold_cpu(struct holder *holder)
{
	holder->until = 0;
	sem_post(&holder->start);
}

static void let_go_at(struct holder *holder, double when)
{
	holder->until = when;
}

/* The process or kernel thread of that name, or 0. */
static pid_t task_named(const char *name)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (all && !found && (entry = readdir(all))) {
		char path[sizeof("/proc//comm") + sizeof(entry->d_name)], comm[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || !(file = fopen(path, "r")))
			continue;
		if (fgets(comm, sizeof(comm), file))
			comm[strcspn(comm, "\n")] = 0;
		fclose(file);
		if (!strcmp(comm, name))
			found = atoi(entry->d_name);
	}
	if (all)
		closedir(all);
	return found;
}

/*
 * The kernel thread that drives grace periods; its name depends on the preemption model. Returns
 * it bound to the cpu, or 0: then a stop is met only if it lasts long enough by itself.
 */
static pid_t bind_grace_periods(int cpu)
{
	pid_t task = task_named("rcu_preempt");

	if (!task)
		task = task_named("rcu_sched");
	if (!task || bind_task(task, cpu)) {
		note("no thread of RCU's grace periods could be bound to cpu %d", cpu);
		return 0;
	}
	return task;
}

/*
 * While a cpu's ksoftirqd wants to run, its soft interrupts wait for that, and with them the report
 * that ends a grace period: a holder must not keep it out.
 */
static void let_softirqs_pass(int cpu)
{
	char name[32];
	pid_t task;

	snprintf(name, sizeof(name), "ksoftirqd/%d", cpu);
	task = task_named(name);
	if (!task || set_priority(task, PRIORITY_OF_SOFTIRQS))
		note("%s keeps its priority", name);
}

/* How long round n holds, in seconds: a long time, then a short one, each drawn anew. */
static double draw_hold(uint64_t *seed, uint64_t round, double longest_short, double shortest_long)
{
	double part = next_random(seed) % 1000 / 1e3;

	return round % 2 ? part * longest_short : shortest_long + part * 0.1;
}
