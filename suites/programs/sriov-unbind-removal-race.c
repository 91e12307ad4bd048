/*
 * The driver of a physical function is unbound while the port above it is removed.
 *
 * Bug: unbinding (or rmmod) reaches pci_disable_sriov() without pci_rescan_remove_lock. sriov_del_vfs() then takes the
 * virtual functions off the bus while a removal, which does hold the lock, walks the same list in
 * pci_stop_bus_device(): it goes on from a device that was freed. a5338e365c45 took the lock in sriov_numvfs_store() only;
 * to take it in sriov_del_vfs() as well it would have to be reentrant, which was proposed but not merged.
 *
 * Trigger: seven virtual functions. One task unbinds the physical function, which removes them from the first on; the
 * other waits until the first is going, then writes 1 to the port's `remove`, which stops them from the last on. (A
 * virtual function has no `remove`.) Only the last one has a driver: to stop it takes long, and by the time the
 * removal turns to the one before, that one has been freed.
 * With the argument "apart" (the control) the port is removed after the unbinding has ended.
 * A round needs a card of its own; KREGRESS_ROUNDS says how many, without it all cards are used.
 *
 * Detector: the kernel's crash below pci_stop_bus_device(). With slab_debug=FZPU on the kernel command line freed
 * devices are poisoned, and using one is seen at once.
 *
 * Exit: 0 both ended in every round, and did run at once (or, apart, did not); 77 no card with SR-IOV; 1 it could not judge.
 *
 * Usage: sriov-unbind-removal-race [apart]
 */
#define _GNU_SOURCE
#include "sriov.h"

enum { FUNCTIONS = 7 };

/* The two tasks. */
enum { UNBIND, REMOVE, TASKS };

#define POISON_FOLDER "/sys/kernel/slab/kmalloc-4k"

static void remove_port(const struct function *function, const struct attempt *unbinding,
			struct attempt *removal, int apart)
{
	double end = now() + PATIENCE;

	while (apart ? !unbinding->ended : path_exists(function->path, "virtfn0"))
		if (now() > end)
			blind("virtual functions did not go away within %d s of unbinding", PATIENCE);
	attempt_write(removal, function->port, "remove", "1");
}

/* Makes the virtual functions, of which only the last gets its driver. */
static void enable_last_bound(const struct function *function)
{
	char link[PATH_MAX + 16], target[PATH_MAX];
	ssize_t length;
	int error;

	error = write_attribute(function->path, "sriov_drivers_autoprobe", "0");
	if (error)
		blind("keeping drivers from virtual functions: %s", strerror(error));
	enable_functions(function, FUNCTIONS);
	/* What keeps drivers from being bound by themselves keeps `bind` from it as well. */
	error = write_attribute(function->path, "sriov_drivers_autoprobe", "1");
	if (error)
		blind("letting drivers have virtual functions: %s", strerror(error));
	snprintf(link, sizeof(link), "%s/virtfn%d", function->path, FUNCTIONS - 1);
	length = readlink(link, target, sizeof(target) - 1);
	if (length < 0)
		blind("%s: %s", link, strerror(errno));
	target[length] = '\0';
	error = write_attribute("/sys/bus/pci/drivers/igbvf", "bind", strrchr(target, '/') + 1);
	if (error)
		blind("binding igbvf to the last virtual function: %s", strerror(error));
}

static void race(const struct function *function, int apart)
{
	static const char *const names[] = { "the task that unbinds", "the task that removes" };
	struct attempt *attempts = new_attempts(TASKS);
	struct attempt *unbinding = &attempts[UNBIND], *removal = &attempts[REMOVE];
	pid_t pids[TASKS];

	enable_last_bound(function);
	switch (start_tasks(pids, TASKS)) {
	case UNBIND:
		attempt_write(unbinding, function->path, "driver/unbind", function->name);
		_exit(0);
	case REMOVE:
		remove_port(function, unbinding, removal, apart);
		_exit(0);
	}
	join_tasks(pids, names, TASKS, NULL);

	if (unbinding->error)
		blind("unbinding %s: %s", function->name, strerror(unbinding->error));
	if (removal->error)
		blind("removing the port: %s", strerror(removal->error));
	if (!access(function->port, F_OK))
		blind("the port is still there after its removal");
	note("unbinding took %.3f s, the removal began %.3f s after its start and took %.3f s",
	     unbinding->ended - unbinding->began, removal->began - unbinding->began,
	     removal->ended - removal->began);
	if (!apart && removal->began >= unbinding->ended)
		blind("the removal began only after the unbinding had ended");
}

int main(int argc, char **argv)
{
	int apart = argc > 1 && !strcmp(argv[1], "apart");
	struct function functions[CARDS_MAX];
	int rounds = find_functions(functions);

	if (!path_exists(POISON_FOLDER, "poison") || !read_number(POISON_FOLDER, "poison"))
		blind("freed memory is not poisoned: boot with slab_debug=FZPU");
	for (int round = 0; round < rounds; round++)
		race(&functions[round], apart);
	iterations(rounds);
	return KREGRESS_DONE;
}
