/*
 * Setting an RSI wireless interface down while its rfkill poll is in flight.
 *
 * Bug: rsi_mac80211_stop, which mac80211 calls with the wiphy lock held, stops the rfkill polling
 * with cancel_delayed_work_sync. A poll that has begun waits for the wiphy lock in
 * cfg80211_rfkill_poll (since 8e2f6f236621, v6.7 and 6.1.74) and so never ends: both hang, and with them
 * whatever takes the rtnl lock. Fixed by 777d8ba5aada (v7.1), which stops the polling in
 * rsi_disconnect, without the lock.
 *
 * Trigger: hold.c says how the poll is made to be in flight. One round sets the interface up
 * (which queues the poll) and down; the cpu of the poll is held for 100 to 200 ms and every other
 * round for less than 40 ms.
 *
 * Where the stop waits for no grace period (5.10) it is over after a millisecond, and no long hold
 * meets it: a skip. Such a kernel has the bug all the same if its poll takes the driver's
 * common->mutex, which the stop holds as well, but a window of some instructions is left, and
 * rounds without a hang would say nothing.
 *
 * Detector: the kernel's hung-task messages, read by the host; and this program looks at the
 * stacks when a round does not end.
 *
 * With the argument "apart" it is its own control: the same rounds, but the cpu is not held and
 * the poll has had its 300 ms before the interface goes down. No kernel may hang there.
 *
 * Dose: KREGRESS_ROUNDS rounds (default 30), or KREGRESS_SECONDS if they end sooner. Exit status:
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

enum { SERVING_CPU = 0, POLL_CPU = 1 };
/* Below that the absence of a hang says nothing. */
enum { FEWEST_ROUNDS = 3 };
/* After so many it shows whether stops are long. */
enum { ROUNDS_OF_TRIAL = 6 };
static const double SHORTEST_LONG_HOLD = 0.100, LONGEST_SHORT_HOLD = 0.040;

static bool apart;
static char name[IFNAMSIZ];
static struct holder holder;
static atomic_uint rounds_done;
static atomic_uint rounds_met;	/* of which the stop was still going on when the poll began */
static _Atomic double round_began;
static bool met_long_hold;	/* some stop was longer than a long hold */
static bool too_short;
static atomic_bool finished;
static atomic_int failed;	/* errno of a round that could not be done */

/* Up on the cpu of the poll, down from the other one. */
static int one_round(int socket, double held)
{
	double released;
	int reason;

	bind_task(0, POLL_CPU);
	if (!apart)
		hold_cpu(&holder);
	reason = set_interface(socket, name, true);
	if (apart)
		usleep(300000);
	bind_task(0, SERVING_CPU);
	released = now() + held;
	let_go_at(&holder, released);
	if (!reason)
		reason = set_interface(socket, name, false);
	if (now() > released) {
		rounds_met++;
		met_long_hold |= held >= SHORTEST_LONG_HOLD;
	}
	return reason;
}

static void *do_rounds(void *unused)
{
	uint64_t seed = env_number("KREGRESS_SEED", 1) | 1;
	uint64_t rounds = env_number("KREGRESS_ROUNDS", 30);
	double end = now() + env_number("KREGRESS_SECONDS", 60);
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	(void)unused;
	/* The holder, of lower priority, gets the cpu in the moment this thread leaves it. */
	if (!apart)
		failed = set_priority(0, PRIORITY_OF_STARTER);
	while (!failed && !too_short && rounds_done < rounds && now() < end) {
		double held = draw_hold(&seed, rounds_done, LONGEST_SHORT_HOLD, SHORTEST_LONG_HOLD);

		round_began = now();
		failed = one_round(sock, held);
		/* Let what was held back run before the next round. */
		usleep(20000);
		rounds_done++;
		too_short = !apart && rounds_done >= ROUNDS_OF_TRIAL && !met_long_hold;
	}
	finished = true;
	return NULL;
}

int main(int argc, char **argv)
{
	enum { LONGEST_ROUND = 5 };	/* seconds; they take some tenths of a second */
	struct usbip_device device;
	struct rs9113 adapter = { 0 };
	pthread_t thread;
	int reason;

	apart = argc > 1 && !strcmp(argv[1], "apart");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one cpu: the poll and the stop need one each");
	if (access(VHCI "/status", R_OK))
		skip("no " VHCI "/status: this kernel has no vhci-hcd");
	if (rs9113_install_firmware() < 0)
		blind("no firmware file for the adapter: %s", strerror(errno));
	bind_task(0, SERVING_CPU);
	if (usbip_plug(&device, &rs9113_model, &adapter, SERVING_CPU) < 0)
		blind("the adapter is not plugged in: %s", device.failure);
	if (!interface_within(30, true, name))
		blind("no wireless interface 30 s after the adapter was plugged in (firmware %s)",
		      adapter.alive ? "started" : "never asked for");
	reason = make_monitor(name);
	if (reason)
		blind("no monitor can be made of %s: %s", name, strerror(reason));

	if (!apart) {
		bind_grace_periods(POLL_CPU);
		let_softirqs_pass(POLL_CPU);
		if (make_holder(&holder, POLL_CPU))
			blind("no thread to hold cpu %d", POLL_CPU);
	}
	round_began = now();
	if (pthread_create(&thread, NULL, do_rounds, NULL))
		blind("no thread for the rounds");
	while (!finished) {
		usleep(50000);
		if (now() - round_began > LONGEST_ROUND) {
			iterations(rounds_done);
			report_block("setting the interface up and down", round_began);
		}
	}
	iterations(rounds_done);
	if (failed)
		blind("round %u: the interface cannot be set up and down: %s", rounds_done,
		      strerror(failed));
	if (!apart)
		note("the stop was still going on when the poll began: %u of %u rounds", rounds_met,
		     rounds_done);
	if (too_short)
		skip("an interface is stopped without a grace period here, too fast for the poll to meet it reliably");
	if (apart ? rounds_done < FEWEST_ROUNDS : rounds_met < FEWEST_ROUNDS)
		blind("%u rounds are too few, expected %d", apart ? rounds_done : rounds_met,
		      FEWEST_ROUNDS);
	return KREGRESS_DONE;
}
