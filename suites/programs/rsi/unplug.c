/*
 * Unplugging an RSI adapter, whose interface is up, while the rfkill poll is in flight.
 *
 * Bug: the one of rfkill-deadlock.c on the way on which its reporter met it. The hub's worker
 * removes the device: rsi_disconnect -> rsi_mac80211_detach -> ieee80211_unregister_hw ->
 * ieee80211_remove_interfaces -> dev_close -> ieee80211_stop, with the wiphy lock ->
 * rsi_mac80211_stop, which waits for a poll that waits for that lock. The hub's worker hangs with
 * the rtnl lock, and so does every later look at a network interface.
 *
 * Trigger: as in hold.c, but what stops the interface is the removal. One round plugs the adapter
 * in, sets its interface up and pulls the plug. On its way the removal waits for a grace period
 * before it takes any lock (unregister_inet6addr_notifier), so the grace-period thread joins the
 * poll on the held cpu only when the interface is seen to be closing; 60 to 160 ms later, every
 * other round within 5 ms, that cpu is let go. What takes part in the removal (vhci-hcd's threads,
 * its event worker, the hub's worker) is bound to the other cpu.
 *
 * Detector: the kernel's hung-task messages, read by the host; and this program looks at the
 * stacks when the interface does not go away.
 *
 * Where the stop waits for no grace period (5.10) no long hold meets it: a skip, for the reason
 * that rfkill-deadlock.c gives.
 *
 * Another bug would hide this one on some kernels; monitor.c says which, and how it is avoided.
 *
 * With the argument "idle" it is its own control: the interface goes down, and the poll ends,
 * before the plug is pulled. No kernel may hang there.
 *
 * Dose: KREGRESS_ROUNDS rounds (default 6), or KREGRESS_SECONDS if they end sooner. Exit status:
 * 0 all rounds done, 77 skip, else the kernel could not be judged.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../kregress.h"

#include <stdbool.h>

#include "rs9113.h"

#include "../usbip/usbip.c"
#include "rs9113.c"
#include "interface.c"
#include "monitor.c"
#include "hold.c"
#include "deadlock.c"

enum { REMOVING_CPU = 0, POLL_CPU = 1 };
/* Seconds; they take about one, and some hundredths. */
enum { LONGEST_PROBE = 30, LONGEST_REMOVAL = 6 };
static const double LONGEST_HOLD = 0.7;	/* the scheduler ends a hold by itself after 0.95 s */
static const double SHORTEST_LONG_HOLD = 0.060, LONGEST_SHORT_HOLD = 0.005;
/* After so many it shows whether stops are long. */
enum { ROUNDS_OF_TRIAL = 4 };

static bool idle;
static struct holder holder;
static unsigned rounds_done;
static unsigned rounds_met;	/* of which the removal was in its stop when the poll began */
static bool met_long_hold;	/* some stop was longer than a long hold */
static pid_t grace_periods;

/* Work that any cpu may do (unbound workqueues) is from now on done by that one. */
static void bind_unbound_work(int cpu)
{
	FILE *file = fopen("/sys/devices/virtual/workqueue/cpumask", "w");

	if (!file || fprintf(file, "%x", 1u << cpu) < 0 || fclose(file))
		note("unbound work could not be bound to cpu %d: %s", cpu, strerror(errno));
}

static void plug_in(struct usbip_device *device, struct rs9113 *adapter, char name[IFNAMSIZ])
{
	int reason;

	*adapter = (struct rs9113){ 0 };
	if (usbip_plug(device, &rs9113_model, adapter, REMOVING_CPU) < 0)
		blind("the adapter is not plugged in: %s", device->failure);
	if (!interface_within(LONGEST_PROBE, true, name))
		blind("no wireless interface %d s after the adapter was plugged in (firmware %s)",
		      LONGEST_PROBE, adapter->alive ? "started" : "never asked for");
	reason = make_monitor(name);
	if (reason)
		blind("no monitor can be made of %s: %s", name, strerror(reason));
}

static void set(int socket, const char name[IFNAMSIZ], bool up)
{
	int reason = set_interface(socket, name, up);

	if (reason)
		blind("the interface %s cannot be set %s: %s", name, up ? "up" : "down",
		      strerror(reason));
}

/*
 * Whether the interface is up or on its way there; false from the moment on when it is being
 * closed (__dev_close_many), long before it is down. Unlike most ways to ask, dormant_show takes
 * no lock that the closing holds, and so can be asked meanwhile.
 */
static bool interface_is_running(const char name[IFNAMSIZ])
{
	char path[sizeof("/sys/class/net//dormant") + IFNAMSIZ], byte;
	bool running;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/dormant", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	running = read(fd, &byte, 1) == 1;
	close(fd);
	return running;
}

/* Whether the interface is up or was not yet stopped; flags_show takes no lock either. */
static bool interface_is_up(const char name[IFNAMSIZ])
{
	char path[sizeof("/sys/class/net//flags") + IFNAMSIZ];
	unsigned flags = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/flags", name);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (fscanf(file, "%x", &flags) != 1)
		flags = 0;
	fclose(file);
	return flags & IFF_UP;
}

/* The whole of it runs on the poll's cpu, which therefore is held only while this thread sleeps. */
static void unplug_against_poll(struct usbip_device *device, int socket, const char name[IFNAMSIZ],
				double held)
{
	double pulled, closing;

	bind_task(task_named("vhci_rx"), REMOVING_CPU);
	bind_task(task_named("vhci_tx"), REMOVING_CPU);
	if (grace_periods)
		bind_task(grace_periods, REMOVING_CPU);
	bind_task(0, POLL_CPU);
	if (set_priority(0, PRIORITY_OF_STARTER))
		blind("no SCHED_FIFO: %s", strerror(errno));
	hold_cpu(&holder);
	set(socket, name, true);
	usbip_unplug(device);
	pulled = now();
	while (interface_is_running(name) && now() - pulled < LONGEST_HOLD)
		;
	closing = now();
	if (grace_periods)
		bind_task(grace_periods, POLL_CPU);
	while (now() - closing < held)
		;
	if (!interface_is_running(name) && interface_is_up(name)) {
		rounds_met++;
		met_long_hold |= held >= SHORTEST_LONG_HOLD;
	}
	let_go_at(&holder, now());
	bind_task(0, REMOVING_CPU);
	set_priority(0, 0);
}

static void unplug_apart(struct usbip_device *device, int socket, const char name[IFNAMSIZ])
{
	set(socket, name, true);
	usleep(300000);
	set(socket, name, false);
	usbip_unplug(device);
}

static void one_round(int socket, double held)
{
	struct usbip_device device;
	struct rs9113 adapter;
	char name[IFNAMSIZ];
	double began;

	plug_in(&device, &adapter, name);
	began = now();
	if (idle)
		unplug_apart(&device, socket, name);
	else
		unplug_against_poll(&device, socket, name, held);
	while (!interface_within(0.5, false, name) || !usbip_port_is_free(device.port))
		if (now() - began > LONGEST_REMOVAL) {
			iterations(rounds_done);
			report_block("the removal of the adapter", began);
		}
	if (device.failure[0])
		blind("the adapter failed: %s", device.failure);
}

int main(int argc, char **argv)
{
	uint64_t seed = env_number("KREGRESS_SEED", 1) | 1;
	uint64_t rounds = env_number("KREGRESS_ROUNDS", 6);
	double end = now() + env_number("KREGRESS_SECONDS", 60);
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	idle = argc > 1 && !strcmp(argv[1], "idle");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one cpu: the poll and the removal need one each");
	if (access(VHCI "/status", R_OK))
		skip("no " VHCI "/status: this kernel has no vhci-hcd");
	if (rs9113_install_firmware() < 0)
		blind("no firmware file for the adapter: %s", strerror(errno));
	bind_task(0, REMOVING_CPU);
	if (!idle) {
		grace_periods = bind_grace_periods(REMOVING_CPU);
		let_softirqs_pass(POLL_CPU);
		bind_unbound_work(REMOVING_CPU);
		if (make_holder(&holder, POLL_CPU))
			blind("no thread to hold cpu %d", POLL_CPU);
	}
	while (rounds_done < rounds && now() < end) {
		one_round(sock, draw_hold(&seed, rounds_done, LONGEST_SHORT_HOLD, SHORTEST_LONG_HOLD));
		rounds_done++;
		if (!idle && rounds_done >= ROUNDS_OF_TRIAL && !met_long_hold)
			skip("an interface is removed without a grace period here, too fast for the poll to meet it reliably");
	}
	iterations(rounds_done);
	if (!idle)
		note("the removal was in its stop when the poll began: %u of %u rounds", rounds_met,
		     rounds_done);
	if (idle ? !rounds_done : !rounds_met)
		blind("no round was done as it is meant to be");
	return KREGRESS_DONE;
}
