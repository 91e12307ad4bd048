/* The adapter: see rs9113.h for the conversation and the driver functions it answers to. */
#include "rs9113.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { WLAN_IN = 1, BLUETOOTH_IN = 2, WLAN_OUT = 1, BLUETOOTH_OUT = 2 };

static const uint8_t device_descriptor[18] = {
	18, 1,			/* bLength, DEVICE */
	0x00, 0x02,		/* USB 2.0 */
	0, 0, 0, 64,		/* class per interface, 64 bytes at endpoint 0 */
	0x18, 0x16, 0x13, 0x91,	/* 1618:9113 */
	0x00, 0x01,		/* bcdDevice */
	0, 0, 0,		/* no strings */
	1,			/* one configuration */
};

#define BULK_ENDPOINT(address) 7, 5, (address), 2, 0x00, 0x02, 0
enum { CONFIGURATION_LENGTH = 9 + 9 + 4 * 7 };
static const uint8_t configuration[CONFIGURATION_LENGTH] = {
	9, 2, CONFIGURATION_LENGTH, 0, 1, 1, 0, 0x80, 250,	/* bus powered, 500 mA */
	9, 4, 0, 0, 4, 0xff, 0xff, 0xff, 0,			/* vendor specific interface */
	BULK_ENDPOINT(0x80 | WLAN_IN), BULK_ENDPOINT(WLAN_OUT),
	BULK_ENDPOINT(0x80 | BLUETOOTH_IN), BULK_ENDPOINT(BLUETOOTH_OUT),
};

/* Frames: rsi_mgmt.h, rsi_main.h, include/net/rsi_91x.h. */
enum { TX_HEADROOM = 128, DESCRIPTOR = 16 };
enum { COEX_QUEUE = 0, MANAGEMENT_QUEUE = 4 };
enum { CARD_READY = 0, CONFIRMATION = 1 };
enum { RESET_MAC = 0x01, RADIO_CAPABILITIES = 0x02, BOOTUP_PARAMS = 0x0c, EEPROM_READ = 0x0e,
       BBP_PROG_IN_TA = 0x15, COMMON_DEV_CONFIG = 0x28 };
enum { EEPROM_MAC = 40, EEPROM_RADIO = 424, EEPROM_MAGIC = 0x5a };

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value;
	at[1] = value >> 8;
}

/* One frame to the driver: confirms is the frame type that a confirmation is for. */
static int send_frame(struct usbip_device *device, unsigned queue, uint8_t type, uint8_t confirms,
		      const uint8_t *payload, size_t length)
{
	enum { OFFSET = 4 };
	uint8_t frame[OFFSET + DESCRIPTOR + 64] = { 0 };
	uint8_t *descriptor = frame + OFFSET;

	put16(frame, OFFSET + DESCRIPTOR + length);
	put16(frame + 2, OFFSET);
	put16(descriptor, length | queue << 12);
	descriptor[2] = type;
	descriptor[15] = confirms;
	if (length)
		memcpy(descriptor + DESCRIPTOR, payload, length);
	return usbip_send(device, WLAN_IN, frame, OFFSET + DESCRIPTOR + length);
}

static int send_card_ready(struct usbip_device *device)
{
	return send_frame(device, COEX_QUEUE, CARD_READY, 0, NULL, 0);
}

static int confirm(struct usbip_device *device, uint8_t type)
{
	return send_frame(device, MANAGEMENT_QUEUE, CONFIRMATION, type, NULL, 0);
}

static int confirm_eeprom_read(struct usbip_device *device, unsigned address)
{
	/* A locally administered address; it comes behind the magic byte and the host mode. */
	static const uint8_t mac[] = { EEPROM_MAGIC, 0, 0, 0, 0, 0x02, 0x91, 0x13, 0, 0, 0x01 };
	static const uint8_t only_2ghz[] = { EEPROM_MAGIC, 0x01, 0, 0 };

	if (address == EEPROM_MAC)
		return send_frame(device, MANAGEMENT_QUEUE, CONFIRMATION, EEPROM_READ, mac, sizeof(mac));
	if (address == EEPROM_RADIO)
		return send_frame(device, MANAGEMENT_QUEUE, CONFIRMATION, EEPROM_READ, only_2ghz,
				  sizeof(only_2ghz));
	return 0;
}

static int rs9113_out(struct usbip_device *device, unsigned endpoint, const uint8_t *data,
		      size_t length)
{
	const uint8_t *descriptor = data + TX_HEADROOM;

	if (endpoint != WLAN_OUT || length < TX_HEADROOM + DESCRIPTOR)
		return 0;
	/* Data frames have a length at byte 2; only the management queues have a type there. */
	if ((descriptor[1] >> 4 & 7) != MANAGEMENT_QUEUE && (descriptor[1] >> 4 & 7) != COEX_QUEUE)
		return 0;
	switch (descriptor[2]) {
	case COMMON_DEV_CONFIG:
		return send_card_ready(device);
	case EEPROM_READ:
		return confirm_eeprom_read(device, descriptor[8] | descriptor[9] << 8);
	case BOOTUP_PARAMS:
	case RESET_MAC:
	case RADIO_CAPABILITIES:
	case BBP_PROG_IN_TA:
		return confirm(device, descriptor[2]);
	}
	return 0;
}

enum { FW_STATUS = 0x41050012, FLASH_SIZE = 0x04000016, BOOT_IN = 0x41050034,
       BOOT_OUT = 0x4105003c };

/* A boot-loader command, of which the low byte counts. */
static int boot_command(struct usbip_device *device, uint8_t command)
{
	enum { ANSWER_VALID = 0xab00, PASSED = 0xaa };
	struct rs9113 *adapter = device->state;

	if (command != 'A') {
		adapter->boot_answer = ANSWER_VALID | PASSED;
		return 0;
	}
	adapter->alive = true;
	return send_card_ready(device);
}

static uint16_t read_register(struct rs9113 *adapter, uint32_t address)
{
	enum { BOARD_VERSION = 0xab01 };

	if (address == FW_STATUS)
		return adapter->alive;
	if (address == FLASH_SIZE)
		return 1024;
	if (address != BOOT_OUT)
		return 0;
	if (!adapter->powered) {
		adapter->powered = true;
		adapter->boot_answer = BOARD_VERSION;
	}
	return adapter->boot_answer;
}

static int rs9113_control(struct usbip_device *device, const struct usbip_setup *setup,
			  uint8_t *data)
{
	enum { READ_REGISTER = 0x15, WRITE_REGISTER = 0x16 };
	struct rs9113 *adapter = device->state;
	uint32_t address = (uint32_t)setup->value << 16 | setup->index;

	if (setup->request == READ_REGISTER) {
		memset(data, 0, setup->length);
		if (setup->length >= 2)
			put16(data, read_register(adapter, address));
		return setup->length;
	}
	if (setup->request != WRITE_REGISTER)
		return -EPIPE;
	if (address == BOOT_OUT)
		adapter->boot_answer = 0;
	if (address == BOOT_IN && setup->length && boot_command(device, data[0]) < 0)
		return -EPIPE;
	return setup->length;
}

const struct usbip_model rs9113_model = {
	.name = "RS9113",
	.speed = USBIP_SPEED_HIGH,
	.device_descriptor = device_descriptor,
	.configuration = configuration,
	.configuration_length = sizeof(configuration),
	.control = rs9113_control,
	.out = rs9113_out,
};

int rs9113_install_firmware(void)
{
	/* metadata_flash_content of rsi_91x_hal.c, by operating mode; the default is the second. */
	static const char *const files[] = {
		"/lib/firmware/rsi/rs9113_wlan_qspi.rps",
		"/lib/firmware/rsi/rs9113_wlan_bt_dual_mode.rps",
		"/lib/firmware/rsi/rs9113_ap_bt_dual_mode.rps",
	};
	/* The version is read from 0xa20 onwards. */
	static const char zeroes[4096];

	mkdir("/lib", 0755);
	mkdir("/lib/firmware", 0755);
	mkdir("/lib/firmware/rsi", 0755);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		FILE *file = fopen(files[i], "w");
		bool written;

		if (!file)
			return -1;
		written = fwrite(zeroes, sizeof(zeroes), 1, file) == 1;
		if (fclose(file) || !written)
			return -1;
	}
	return 0;
}
