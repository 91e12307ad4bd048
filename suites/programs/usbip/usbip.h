/*
 * A USB device played by a program, for the kernel it runs on.
 *
 * vhci-hcd is the kernel's virtual USB host controller: through sysfs it is given one end of a
 * connected stream socket, and from then on it sends every URB of "the device" over that
 * socket in the USB/IP protocol. Usually the other end is a remote machine with the hardware;
 * here it is a thread of this program, which answers as the hardware would. USB core, the hub
 * driver and the device's own driver are the real ones and cannot tell the difference.
 *
 *	driver -> usb core -> vhci-hcd == socketpair == usbip.c -> struct usbip_model (the adapter)
 *
 * This core knows USB and USB/IP and no adapter. It answers the standard requests from the
 * model's descriptors, pairs waiting IN URBs with the data that the model sends, and hands the
 * rest to the model. A further adapter is one more struct usbip_model; see ../rsi/rs9113.c.
 *
 * Wire format: Documentation/usb/usbip_protocol.rst of the kernel; all numbers are big endian
 * but the eight setup bytes of a control transfer, which are as on a USB cable.
 * Left out: isochronous transfers, and more than one configuration or alternate setting.
 */
#ifndef USBIP_H
#define USBIP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the kernel's enum usb_device_speed counts them. */
enum usbip_speed { USBIP_SPEED_FULL = 2, USBIP_SPEED_HIGH = 3 };

/* The largest transfer taken from the kernel, in bytes: far above what the drivers here send. */
enum { USBIP_LARGEST_TRANSFER = 64 * 1024 };

/* The setup stage of a control transfer (USB 2.0, 9.3), in the byte order of this machine. */
struct usbip_setup {
	uint8_t type;		/* bmRequestType; bit 7 set: device to host */
	uint8_t request;	/* bRequest */
	uint16_t value;		/* wValue */
	uint16_t index;		/* wIndex */
	uint16_t length;	/* wLength */
};

struct usbip_device;

/* What one kind of adapter is. The functions run in the device's own thread. */
struct usbip_model {
	const char *name;
	enum usbip_speed speed;
	const uint8_t *device_descriptor;	/* 18 bytes */
	const uint8_t *configuration;		/* with its interfaces and endpoints */
	uint16_t configuration_length;
	/*
	 * A class or vendor request: up to setup->length bytes to or from data. Returns how many
	 * bytes there were, or a negative errno; -EPIPE is what a device answers (a stall) to a
	 * request it does not know.
	 */
	int (*control)(struct usbip_device *device, const struct usbip_setup *setup, uint8_t *data);
	/* The host sent length bytes to a bulk or interrupt endpoint. Returns 0 or a negative errno. */
	int (*out)(struct usbip_device *device, unsigned endpoint, const uint8_t *data, size_t length);
};

struct usbip_waiting;
struct usbip_message;

/* One plugged-in device. */
struct usbip_device {
	const struct usbip_model *model;
	void *state;			/* the model's own */
	int port;			/* of the virtual host controller */
	int socket;			/* our end */
	pthread_t thread;
	struct usbip_waiting *waiting;	/* IN URBs without data yet, oldest first */
	struct usbip_message *messages;	/* data without an IN URB yet, oldest first */
	/* What went wrong in the conversation, empty when nothing did. Read it after usbip_unplug(). */
	char failure[160];
};

/*
 * Plugs a device of the model into a free port of vhci-hcd, which has to be loaded. The device
 * must stay where it is in memory until usbip_unplug(). The thread that serves it is bound to
 * the given cpu. Returns 0, or -1 with device->failure set.
 */
int usbip_plug(struct usbip_device *device, const struct usbip_model *model, void *state, int cpu);

/*
 * Pulls the plug: closes the connection, which is all that the kernel notices of a vanished
 * device. Returns at once, as a cable does; the kernel takes its time to remove the device.
 */
void usbip_unplug(struct usbip_device *device);

/* Whether the kernel has let go of the port that the device was in. */
bool usbip_port_is_free(int port);

/*
 * Data for the host on an IN endpoint, kept until the host asks for it. One message answers one
 * URB. For use in the model's functions. Returns 0 or a negative errno.
 */
int usbip_send(struct usbip_device *device, unsigned endpoint, const void *data, size_t length);

#endif
