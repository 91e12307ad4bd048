//! Host side of a virtual machine: initramfs, QEMU command line, QMP, console capture, one live session.
