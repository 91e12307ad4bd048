/*
 * Virtual functions are disabled while the port above the card is being removed.
 *
 * Bug: two locks in opposite order. sriov_numvfs_store() holds the physical function's device lock and then
 * wants pci_rescan_remove_lock: in sriov_del_vfs() with 05703271c3cd, itself with a5338e365c45. A removal
 * holds pci_rescan_remove_lock and then wants the device lock, in order to unbind the driver.
 * Each waits for the other. Kernels with neither commit walk the same list at once instead, and
 * use freed devices (see sriov-unbind-removal-race).
 *
 * Trigger: two virtual functions with their driver bound. One task writes 1 to the port's `remove`, which stops the
 * virtual functions first, the last one at the beginning. When that one loses its driver the lock is held and the
 * physical function is still to come: now the other task writes 0 to sriov_numvfs.
 * With the argument "apart" (the control) the virtual functions are disabled first, and the port removed after.
 *
 * Detector: /proc/PID/stack of both tasks, which for STANDSTILL seconds sleep in the functions that want the two
 * locks. The kernel's hung-task reports follow.
 *
 * Exit: 0 both ended, and did run at once (or, apart, did not); 77 no card with SR-IOV; 1 it could not judge.
 *
 * Usage: sriov-numvfs-removal-deadlock [apart]
 */
#define _GNU_SOURCE
#include "sriov.h"

enum { FUNCTIONS = 2 };

/* The two tasks. */
enum { REMOVE, DISABLE, TASKS };

/* The driver's link of the virtual function that a removal stops first. */
#define LAST_DRIVER "virtfn1/driver"

/* In the order of the tasks. */
static const struct wait waits[] = {
	{ { "device_release_driver_internal", "device_release_driver" }, "remove_store" },
	{ { "sriov_numvfs_store", "sriov_disable", "sriov_del_vfs" }, "sriov_numvfs_store" },
};

static const struct deadlock lock_order = {
	"sriov_numvfs_store holds the device lock and waits for pci_rescan_remove_lock, "
	"remove_store holds that and waits for the device lock",
	waits
};

static void disable_functions(const struct function *function, struct attempt *disabling, int apart)
{
	double end = now() + PATIENCE;

	while (!apart && path_exists(function->path, LAST_DRIVER))
		if (now() > end)
			blind("the removal did not stop the last virtual function within %d s",
			      PATIENCE);
	attempt_write(disabling, function->path, "sriov_numvfs", "0");
}

static void remove_port(const struct function *function, const struct attempt *disabling,
			struct attempt *removal, int apart)
{
	while (apart && !disabling->ended)
		usleep(1000);
	attempt_write(removal, function->port, "remove", "1");
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "the task that removes", "the task that disables" };
	int apart = argc > 1 && !strcmp(argv[1], "apart");
	struct attempt *attempts = new_attempts(TASKS);
	struct attempt *disabling = &attempts[DISABLE], *removal = &attempts[REMOVE];
	struct function functions[CARDS_MAX];
	const struct function *function = functions;
	pid_t pids[TASKS];

	find_functions(functions);
	enable_functions(function, FUNCTIONS);
	if (!path_exists(function->path, LAST_DRIVER))
		blind("virtual functions have no driver: is igbvf loaded?");

	switch (start_tasks(pids, TASKS)) {
	case REMOVE:
		remove_port(function, disabling, removal, apart);
		_exit(0);
	case DISABLE:
		disable_functions(function, disabling, apart);
		_exit(0);
	}
	join_tasks(pids, names, TASKS, &lock_order);

	if (removal->error)
		blind("removing the port: %s", strerror(removal->error));
	if (apart && disabling->error)
		blind("disabling the virtual functions: %s", strerror(disabling->error));
	note("the removal took %.3f s, disabling began %.3f s after its start, took %.3f s, ended with %d",
	     removal->ended - removal->began, disabling->began - removal->began,
	     disabling->ended - disabling->began, disabling->error);
	if (!apart && (disabling->error || disabling->began >= removal->ended))
		blind("the two did not run at once");
	iterations(1);
	return KREGRESS_DONE;
}
