/*
 * The sysfs side of vhci-hcd: which ports there are, and how one is given a device.
 *
 * status:  a head line, then one line a port: "hs  0000 004 000 00000000 000000 0-0"; the
 *          fields used are the hub (hs: up to high speed, ss: above), the port and its state
 * attach:  takes "port socket device speed", the socket as a descriptor of the writing process
 * (status_show and attach_store in drivers/usb/usbip/vhci_sysfs.c)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VHCI "/sys/devices/platform/vhci_hcd.0"

/* VDEV_ST_NULL of include/uapi/linux/usbip.h. */
enum { PORT_IS_FREE = 4 };

/* Looks for a free port, or, with a port given, whether that one is free. Returns it or -1. */
static int find_free_port(const char *hub, int wanted)
{
	FILE *status = fopen(VHCI "/status", "r");
	char line[128], kind[8];
	int port, state, found = -1;

	if (!status)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "%7s %d %d", kind, &port, &state) != 3 || strcmp(kind, hub))
			continue;
		if (state == PORT_IS_FREE && (wanted < 0 || wanted == port))
			found = port;
	}
	fclose(status);
	return found;
}

static int free_port(enum usbip_speed speed)
{
	return find_free_port(speed <= USBIP_SPEED_HIGH ? "hs" : "ss", -1);
}

bool usbip_port_is_free(int port)
{
	return find_free_port("hs", port) == port;
}

/* Returns 0, or -1 with errno. The device number is only a label: bus 1, device 2. */
static int attach(int port, int socket, enum usbip_speed speed)
{
	FILE *file = fopen(VHCI "/attach", "w");
	int failed;

	if (!file)
		return -1;
	failed = fprintf(file, "%d %d %u %d", port, socket, 1u << 16 | 2, speed) < 0;
	failed |= fclose(file) != 0;
	return failed ? -1 : 0;
}
