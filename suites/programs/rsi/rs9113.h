/*
 * An RS9113 WLAN adapter (USB 1618:9113) for ../usbip: enough of its firmware's side of the
 * conversation that the driver rsi_usb registers wlan0 and lets it be set up and down. No frame
 * ever goes over the air.
 *
 * What the driver does, in the functions of drivers/net/wireless/rsi, and what is answered:
 *
 * 1. Registers. Vendor control requests 0x15 (read) and 0x16 (write); the address is
 *    wValue << 16 | wIndex, values are little endian (rsi_usb_reg_read, rsi_usb_reg_write).
 *	0x41050012  FW_STATUS_REG, bit 0: firmware runs already (rsi_probe)        -> 0
 *	0x04000016  FLASH_SIZE_ADDR, KiB (read_flash_capacity)                     -> 1024
 *	0x41050034  SWBL_REGIN: a boot-loader command is written here; the command
 *	            before is still waiting while bits 12..15 are 0xa (bl_write_cmd) -> 0
 *	0x4105003c  SWBL_REGOUT: 0xab00 | the boot loader's answer; cleared by the driver
 *	            writing to it
 *	all others  accepted and read as 0; rsi_reset_card writes some at removal
 *
 * 2. Boot loader. At power-on SWBL_REGOUT offers the board's version (rsi_hal_prepare_fwload).
 *    rsi_load_9113_firmware then sends commands through SWBL_REGIN:
 *	'R'  read automatically from flash  -> 0xaa, passed
 *	     the header of the firmware file is written to 0x19000 (bl_write_header)
 *	'K'  is that what the flash holds?  -> 0xaa: yes, so nothing is ever burnt
 *	'P'  polling mode                   -> 0xaa
 *	'A'  start the firmware             -> no answer; the adapter becomes alive, see 3
 *    The driver insists on a firmware file of its own, but all it takes from it are a version
 *    and a header: rs9113_install_firmware() writes one of zeroes.
 *
 * 3. Frames. Bulk-out 1 carries 128 bytes of headroom (rsi_usb_card_write), then a descriptor of
 *    16 bytes: length | queue << 12, the frame type at byte 2, ... On bulk-in 1 (rsi_read_pkt) a
 *    frame is: u16 length of the whole, u16 offset of the descriptor, ..., descriptor, payload.
 *    Byte 2 of that descriptor is its type: 0 card ready, 1 a confirmation, which names the
 *    confirmed frame type at byte 15 (rsi_mgmt_pkt_recv, rsi_handle_ta_confirm_type).
 *	firmware started         -> card ready (rsi_handle_card_ready, FSM_CARD_NOT_READY)
 *	0x28 COMMON_DEV_CONFIG   -> card ready once more (FSM_COMMON_DEV_PARAMS_SENT)
 *	0x0c BOOTUP_PARAMS       -> confirmed
 *	0x0e EEPROM_READ         -> confirmed, payload: 0x5a and what was asked for by its address
 *	                            (40: the MAC address; 424: which bands the radio has)
 *	0x01 RESET_MAC           -> confirmed
 *	0x02 RADIO_CAPABILITIES  -> confirmed
 *	0x15 BBP_PROG_IN_TA      -> confirmed; the driver goes to rsi_mac80211_attach: wlan0
 *	all others               taken without an answer, as the driver expects
 *    Bulk-in 2 is Bluetooth's. The driver wants to see it and gets nothing from it.
 */
#ifndef RS9113_H
#define RS9113_H

#include "../usbip/usbip.h"

/* The adapter's own memory; zeroed before it is plugged in. */
struct rs9113 {
	uint16_t boot_answer;	/* SWBL_REGOUT */
	bool powered;		/* SWBL_REGOUT has shown the board's version */
	bool alive;		/* the firmware was started */
};

extern const struct usbip_model rs9113_model;

/*
 * Puts firmware files of zeroes where the kernel looks for those of this adapter. Returns 0, or
 * -1 with errno.
 */
int rs9113_install_firmware(void);

#endif
