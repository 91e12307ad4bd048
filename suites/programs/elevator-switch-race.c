/*
 * Several tasks switch the I/O scheduler of one queue at once.
 *
 * Bug: since 559dc11143eb (v6.16-rc1) elevator_change() calls elevator_change_done() after it has
 * let go of q->elevator_lock and of the frozen queue. Two writers of queue/scheduler then register
 * and unregister the scheduler's sysfs and debugfs entries at the same time: the entries of an
 * elevator that the other writer is freeing. 370ac285f23a (v6.17-rc3) made the window easy to meet.
 *
 * Trigger: one process per writer opens the attribute, writes a scheduler's name chosen at random,
 * closes it, and starts again, until all together have written KREGRESS_ROUNDS times (250), and for
 * KREGRESS_SECONDS if that is longer. There are KREGRESS_CPUS writers, and at least two. A switch
 * waits for RCU grace periods, which hides the race (1 of 3 runs of 30 s); with expedited grace
 * periods a bad kernel crashes within a hundred writes.
 *
 * Detector: the kernel's own crash below elevator_change_done, read from the console. A write that fails
 * with EEXIST is reported as the symptom too: sysfs refused to register a second scheduler
 * beside the first.
 *
 * Exit: 0 all writers wrote often enough; 77 no null_blk disk; 1 it could not judge. A writer that meets another one's switch may get EBUSY (since 4ff58d6bc9dd, v7.2-rc4): that is
 * how a kernel may keep switches apart, and no error. Two writers there get it for nineteen in
 * twenty writes. Each of those is a meeting that a bad kernel would not have survived, so what
 * the dose is measured by is writes; one in ten of them must have switched, or too little was there
 * to meet: the writers go on until that is so as well, for up to a minute.
 *
 * Usage: elevator-switch-race [QUEUE/SCHEDULER]
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kregress.h"

#define ATTRIBUTE "/sys/block/nullb0/queue/scheduler"
#define EXPEDITED "/sys/kernel/rcu_expedited"

enum {
	WRITERS_MAX = 64,
	WRITES_A_SWITCH = 10,
	MOST_SECONDS = 60,
	PATIENCE = 60,
};

static const char *const schedulers[] = { "none", "mq-deadline", "kyber", "bfq" };

enum { SCHEDULERS = sizeof(schedulers) / sizeof(schedulers[0]) };

/* Shared with the writers, each of which owns one element. */
struct tally {
	volatile uint64_t switched, busy, twice;
};

/* Writes one string to an attribute in one write; returns 0 or the errno. */
static int write_attribute(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

/* Every scheduler must be there before the writers start: a missing one would only shrink the race. */
static void try_schedulers(const char *attribute)
{
	for (int i = 0; i < SCHEDULERS; i++) {
		int error = write_attribute(attribute, schedulers[i]);

		if (error)
			blind("cannot select scheduler %s: %s", schedulers[i], strerror(error));
	}
}

static void expedite_grace_periods(void)
{
	int error = write_attribute(EXPEDITED, "1");

	if (error)
		blind("cannot expedite RCU grace periods through " EXPEDITED ": %s", strerror(error));
}

/* What all writers did together, and what the dose takes. */
struct dose {
	double end, latest;
	uint64_t writes, switches;
};

static void add_up(const struct tally *tallies, uint64_t *switched, uint64_t *busy)
{
	*switched = *busy = 0;
	for (int i = 0; i < WRITERS_MAX; i++) {
		*switched += tallies[i].switched;
		*busy += tallies[i].busy;
	}
}

static int is_over(const struct dose *dose, const struct tally *tallies)
{
	uint64_t switched, busy;

	if (now() < dose->end)
		return 0;
	add_up(tallies, &switched, &busy);
	return now() >= dose->latest || (switched + busy >= dose->writes && switched >= dose->switches);
}

static void write_schedulers(const char *attribute, const struct dose *dose, uint64_t random,
			     struct tally *tallies, uint64_t own)
{
	struct tally *tally = &tallies[own];

	while (!is_over(dose, tallies)) {
		const char *scheduler = schedulers[next_random(&random) % SCHEDULERS];
		int error = write_attribute(attribute, scheduler);

		if (!error)
			tally->switched++;
		else if (error == EBUSY)
			tally->busy++;
		else if (error == EEXIST && !tally->twice++)
			symptom("selecting %s found another scheduler's sysfs entry in its place (EEXIST)",
				scheduler);
		else if (error != EEXIST)
			blind("writing %s failed: %s", scheduler, strerror(error));
	}
}

/* Waits for the writers until `end`; a writer that stays away hangs in the kernel. */
static void join_writers(const pid_t *writers, unsigned int count, double end)
{
	for (unsigned int i = 0; i < count; i++) {
		int status;
		pid_t pid;

		while (!(pid = waitpid(writers[i], &status, WNOHANG))) {
			if (now() > end)
				blind("writer %u did not come back from the kernel within %d s", i,
				      PATIENCE);
			usleep(10000);
		}
		if (pid < 0)
			blind("waiting for writer %u: %s", i, strerror(errno));
		if (WIFSIGNALED(status))
			blind("writer %u was killed by signal %d", i, WTERMSIG(status));
		if (WEXITSTATUS(status))
			exit(WEXITSTATUS(status));
	}
}

int main(int argc, char **argv)
{
	const char *attribute = argc > 1 ? argv[1] : ATTRIBUTE;
	double seconds = env_number("KREGRESS_SECONDS", 0);
	uint64_t rounds = env_number("KREGRESS_ROUNDS", 250);
	uint64_t seed = env_number("KREGRESS_SEED", 1);
	uint64_t count = env_number("KREGRESS_CPUS", 2);
	uint64_t switched, busy, written;
	pid_t writers[WRITERS_MAX];
	struct tally *tallies;
	struct dose dose;
	double start;

	count = count < 2 ? 2 : count > WRITERS_MAX ? WRITERS_MAX : count;
	if (access(attribute, F_OK))
		skip("no %s: null_blk has made no disk", attribute);
	try_schedulers(attribute);
	expedite_grace_periods();

	tallies = mmap(NULL, WRITERS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		blind("mmap: %s", strerror(errno));
	start = now();
	dose.end = start + seconds;
	dose.latest = dose.end + MOST_SECONDS;
	dose.writes = rounds;
	dose.switches = (rounds + WRITES_A_SWITCH - 1) / WRITES_A_SWITCH;
	for (uint64_t i = 0; i < count; i++) {
		writers[i] = fork();
		if (writers[i] < 0)
			blind("fork: %s", strerror(errno));
		if (!writers[i]) {
			write_schedulers(attribute, &dose, (seed + 1) * 0x9e3779b97f4a7c15ULL + i + 1,
					 tallies, i);
			_exit(0);
		}
	}
	join_writers(writers, count, dose.latest + PATIENCE);
	seconds = now() - start;

	add_up(tallies, &switched, &busy);
	written = switched + busy;
	note("%llu writers, %llu writes in %.1f s: %llu switches, %llu times EBUSY",
	     (unsigned long long)count, (unsigned long long)written, seconds,
	     (unsigned long long)switched, (unsigned long long)busy);
	if (written < dose.writes)
		blind("only %llu writes in %.0f s, expected at least %llu: the host is too slow or too busy",
		      (unsigned long long)written, seconds, (unsigned long long)dose.writes);
	if (switched < dose.switches)
		blind("of %llu writes in %.0f s only %llu switched the scheduler, expected at least %llu: "
		      "the others got EBUSY, or the host is too slow or too busy",
		      (unsigned long long)written, seconds, (unsigned long long)switched,
		      (unsigned long long)dose.switches);
	iterations(written);
	return KREGRESS_DONE;
}
