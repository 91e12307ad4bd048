/*
 * A physical function is removed through sysfs while it has virtual functions.
 *
 * Bug: 05703271c3cd lets sriov_add_vfs() and sriov_del_vfs() take pci_rescan_remove_lock. But remove_store() holds that
 * mutex already (pci_stop_and_remove_bus_device_locked()) when it reaches the driver's remove(), which disables
 * SR-IOV: the writer waits for itself, for ever. a5338e365c45 takes the lock in sriov_numvfs_store() instead.
 *
 * Trigger: two virtual functions, then 1 to the physical function's `remove`. One try decides.
 * With the argument "apart" (the control) the virtual functions are disabled first.
 *
 * Detector: /proc/PID/stack of the writer, which for STANDSTILL seconds wants the lock in sriov_disable() below
 * remove_store(). The kernel's hung-task report follows, but says less: a task that sleeps for
 * another reason in the same functions looks much the same.
 *
 * Exit: 0 the function was removed; 77 no card with SR-IOV; 1 it could not judge.
 *
 * Usage: sriov-remove-self-deadlock [apart]
 */
#define _GNU_SOURCE
#include "sriov.h"

enum { FUNCTIONS = 2 };

/* sriov_del_vfs() is part of sriov_disable() where the compiler made it so. */
static const struct wait waits[] = { { { "sriov_disable", "sriov_del_vfs" }, "remove_store" } };

static const struct deadlock self_deadlock = {
	"remove_store holds pci_rescan_remove_lock and waits for it in sriov_disable", waits
};

int main(int argc, char **argv)
{
	int apart = argc > 1 && !strcmp(argv[1], "apart");
	static const char *const names[] = { "the writer of remove" };
	struct function functions[CARDS_MAX];
	const struct function *function = functions;
	struct attempt *removal = new_attempts(1);
	pid_t pid;

	find_functions(functions);
	enable_functions(function, FUNCTIONS);
	if (apart) {
		int error = write_attribute(function->path, "sriov_numvfs", "0");

		if (error)
			blind("disabling the virtual functions: %s", strerror(error));
	}

	if (start_tasks(&pid, 1) == 0) {
		attempt_write(removal, function->path, "remove", "1");
		_exit(0);
	}
	join_tasks(&pid, names, 1, &self_deadlock);

	if (removal->error)
		blind("removing %s: %s", function->name, strerror(removal->error));
	if (!access(function->path, F_OK))
		blind("%s is still there after its removal", function->name);
	note("removing %s took %.1f s", function->name, removal->ended - removal->began);
	iterations(1);
	return KREGRESS_DONE;
}
