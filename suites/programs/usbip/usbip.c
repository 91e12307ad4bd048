/* The conversation with vhci-hcd: see usbip.h for what it is for. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "usbip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CMD_SUBMIT = 1, CMD_UNLINK = 2, RET_SUBMIT = 3, RET_UNLINK = 4 };
enum { TO_DEVICE = 0, TO_HOST = 1 };

/* struct usbip_header of drivers/usb/usbip/usbip_common.h: 48 bytes for every kind of message. */
struct header {
	uint32_t command, sequence, device, direction, endpoint;
	union {
		struct {
			uint32_t flags;
			int32_t length, start_frame, packets, interval;
			uint8_t setup[8];
		} submit;
		struct {
			int32_t status, length, start_frame, packets, errors;
			uint8_t padding[8];
		} submitted;
		struct {
			uint32_t sequence;
			uint8_t padding[24];
		} unlink;
		struct {
			int32_t status;
			uint8_t padding[24];
		} unlinked;
	};
};
_Static_assert(sizeof(struct header) == 48, "a USB/IP header has 48 bytes");

struct usbip_waiting {
	struct usbip_waiting *next;
	uint32_t sequence;
	unsigned endpoint;
	size_t room;
};

struct usbip_message {
	struct usbip_message *next;
	unsigned endpoint;
	size_t length;
	uint8_t data[];
};

__attribute__((format(printf, 2, 3))) static int fail(struct usbip_device *device,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(device->failure, sizeof(device->failure), format, args);
	va_end(args);
	return -1;
}

static int send_all(struct usbip_device *device, const void *data, size_t length)
{
	while (length) {
		ssize_t sent = send(device->socket, data, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -1;
		data = (const char *)data + sent;
		length -= sent;
	}
	return 0;
}

/* Returns 1 when all of it came, 0 when the connection is closed. */
static int receive_all(struct usbip_device *device, void *data, size_t length)
{
	while (length) {
		ssize_t got = recv(device->socket, data, length, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		data = (char *)data + got;
		length -= got;
	}
	return 1;
}

/* The answer to an URB. Data goes with it only when the transfer was towards the host. */
static int answer(struct usbip_device *device, uint32_t sequence, int status, size_t length,
		  const void *data)
{
	struct header header = {
		.command = htonl(RET_SUBMIT),
		.sequence = htonl(sequence),
		.submitted = { .status = htonl(status), .length = htonl(length) },
	};

	if (send_all(device, &header, sizeof(header)) < 0)
		return -1;
	return data && length ? send_all(device, data, length) : 0;
}

/* Pairs the oldest message of an endpoint with the oldest URB that waits there. */
static int deliver(struct usbip_device *device, unsigned endpoint)
{
	struct usbip_waiting **urb = &device->waiting;
	struct usbip_message **message = &device->messages;

	while (*urb && (*urb)->endpoint != endpoint)
		urb = &(*urb)->next;
	while (*message && (*message)->endpoint != endpoint)
		message = &(*message)->next;
	if (!*urb || !*message)
		return 0;

	struct usbip_waiting *served = *urb;
	struct usbip_message *sent = *message;
	bool fits = sent->length <= served->room;
	int result = answer(device, served->sequence, fits ? 0 : -EOVERFLOW,
			    fits ? sent->length : 0, sent->data);

	*urb = served->next;
	*message = sent->next;
	free(served);
	free(sent);
	return result;
}

int usbip_send(struct usbip_device *device, unsigned endpoint, const void *data, size_t length)
{
	struct usbip_message *message = malloc(sizeof(*message) + length);
	struct usbip_message **last = &device->messages;

	if (!message)
		return -ENOMEM;
	message->next = NULL;
	message->endpoint = endpoint;
	message->length = length;
	memcpy(message->data, data, length);
	while (*last)
		last = &(*last)->next;
	*last = message;
	return deliver(device, endpoint) < 0 ? -EPIPE : 0;
}

static int wait_for_data(struct usbip_device *device, uint32_t sequence, unsigned endpoint,
			 size_t room)
{
	struct usbip_waiting *urb = malloc(sizeof(*urb));
	struct usbip_waiting **last = &device->waiting;

	if (!urb)
		return answer(device, sequence, -ENOMEM, 0, NULL);
	*urb = (struct usbip_waiting){ .sequence = sequence, .endpoint = endpoint, .room = room };
	while (*last)
		last = &(*last)->next;
	*last = urb;
	return deliver(device, endpoint);
}

/* The host takes an URB back: either it still waits here, or its answer is on the way. */
static int take_back(struct usbip_device *device, uint32_t sequence, uint32_t wanted)
{
	struct usbip_waiting **urb = &device->waiting;
	struct header header = { .command = htonl(RET_UNLINK), .sequence = htonl(sequence) };

	while (*urb && (*urb)->sequence != wanted)
		urb = &(*urb)->next;
	if (*urb) {
		struct usbip_waiting *gone = *urb;

		*urb = gone->next;
		free(gone);
		header.unlinked.status = htonl(-ECONNRESET);
	}
	return send_all(device, &header, sizeof(header));
}

/* Standard requests (USB 2.0, 9.4). Returns the bytes answered, or a negative errno. */
static int standard_request(const struct usbip_model *model, const struct usbip_setup *setup,
			    uint8_t *data)
{
	enum { GET_STATUS = 0, CLEAR_FEATURE = 1, SET_FEATURE = 3, GET_DESCRIPTOR = 6,
	       GET_CONFIGURATION = 8, SET_CONFIGURATION = 9, SET_INTERFACE = 11 };
	enum { DEVICE = 1, CONFIGURATION = 2 };
	const uint8_t *descriptor;
	int length;

	switch (setup->request) {
	case GET_DESCRIPTOR:
		if (setup->value >> 8 == DEVICE) {
			descriptor = model->device_descriptor;
			length = 18;
		} else if (setup->value >> 8 == CONFIGURATION) {
			descriptor = model->configuration;
			length = model->configuration_length;
		} else {
			return -EPIPE;	/* no strings, no qualifier: the kernel does without */
		}
		if (length > setup->length)
			length = setup->length;
		memcpy(data, descriptor, length);
		return length;
	case GET_STATUS:
		memset(data, 0, setup->length);
		return setup->length < 2 ? setup->length : 2;
	case GET_CONFIGURATION:
		data[0] = 1;
		return 1;
	case SET_CONFIGURATION:
	case SET_INTERFACE:
	case CLEAR_FEATURE:
	case SET_FEATURE:
		return 0;
	}
	return -EPIPE;
}

static int control_transfer(struct usbip_device *device, uint32_t sequence, const uint8_t raw[8],
			    uint8_t *data, size_t length)
{
	struct usbip_setup setup = {
		.type = raw[0],
		.request = raw[1],
		.value = raw[2] | raw[3] << 8,
		.index = raw[4] | raw[5] << 8,
		.length = raw[6] | raw[7] << 8,
	};
	bool to_host = setup.type & 0x80;
	int done;

	/* The buffer holds what the URB says; the setup stage may not ask for more. */
	if (setup.length > length)
		setup.length = length;
	if ((setup.type & 0x60) == 0)
		done = standard_request(device->model, &setup, data);
	else
		done = device->model->control(device, &setup, data);
	if (done < 0)
		return answer(device, sequence, done, 0, NULL);
	return answer(device, sequence, 0, done, to_host ? data : NULL);
}

/* Answers until the connection ends, by usbip_unplug() or by the kernel. */
static void *serve(void *argument)
{
	struct usbip_device *device = argument;
	static __thread uint8_t data[USBIP_LARGEST_TRANSFER];
	struct header header;

	while (receive_all(device, &header, sizeof(header))) {
		uint32_t sequence = ntohl(header.sequence);
		unsigned endpoint = ntohl(header.endpoint);
		bool to_host = ntohl(header.direction) == TO_HOST;
		size_t length = ntohl(header.submit.length);
		int result = 0;

		if (ntohl(header.command) == CMD_UNLINK) {
			if (take_back(device, sequence, ntohl(header.unlink.sequence)) < 0)
				break;
			continue;
		}
		if (ntohl(header.command) != CMD_SUBMIT || length > sizeof(data)) {
			fail(device, "USB/IP message %u with %zu bytes, expected a submit of at most %zu",
			     ntohl(header.command), length, sizeof(data));
			break;
		}
		if (!to_host && length && !receive_all(device, data, length))
			break;
		if (endpoint == 0) {
			result = control_transfer(device, sequence, header.submit.setup, data, length);
		} else if (to_host) {
			result = wait_for_data(device, sequence, endpoint, length);
		} else {
			/* The driver goes on when it has this answer: send it before any message. */
			result = answer(device, sequence, 0, length, NULL);
			if (!result && device->model->out(device, endpoint, data, length) < 0)
				break;
		}
		if (result < 0)
			break;
	}
	/* Whatever the end was, the kernel is to see one too. */
	shutdown(device->socket, SHUT_RDWR);
	return NULL;
}

static void forget_transfers(struct usbip_device *device)
{
	while (device->waiting) {
		struct usbip_waiting *next = device->waiting->next;

		free(device->waiting);
		device->waiting = next;
	}
	while (device->messages) {
		struct usbip_message *next = device->messages->next;

		free(device->messages);
		device->messages = next;
	}
}

void usbip_unplug(struct usbip_device *device)
{
	shutdown(device->socket, SHUT_RDWR);
	pthread_join(device->thread, NULL);
	close(device->socket);
	forget_transfers(device);
}

#include "vhci.c"

int usbip_plug(struct usbip_device *device, const struct usbip_model *model, void *state, int cpu)
{
	int ends[2];
	pthread_attr_t attributes;
	cpu_set_t cpus;

	memset(device, 0, sizeof(*device));
	device->model = model;
	device->state = state;
	device->port = free_port(model->speed);
	if (device->port < 0)
		return fail(device, "no free port in " VHCI "/status, is vhci-hcd loaded?");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return fail(device, "socketpair: %s", strerror(errno));
	device->socket = ends[0];

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	/* A creator with a real-time policy would pass it on. */
	pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
	errno = pthread_create(&device->thread, &attributes, serve, device);
	pthread_attr_destroy(&attributes);
	if (errno) {
		close(ends[0]);
		close(ends[1]);
		return fail(device, "no thread for the device: %s", strerror(errno));
	}

	if (attach(device->port, ends[1], model->speed) < 0) {
		int reason = errno;

		close(ends[1]);
		usbip_unplug(device);
		return fail(device, "vhci-hcd refuses port %d: %s", device->port, strerror(reason));
	}
	/* The kernel holds its own reference to that end now. */
	close(ends[1]);
	return 0;
}
