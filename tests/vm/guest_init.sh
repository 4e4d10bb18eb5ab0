#!/bin/busybox sh
# The first program of the virtual machine: mounts, modules, udev; then the agent, which never ends.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /run /tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
modprobe -a virtio_pci virtio_blk virtio_console virtio_rng uinput evdev usbhid cdc-acm libcomposite 9p 9pnet_virtio ext4
modprobe dummy_hcd num=4
mount -t configfs configfs /sys/kernel/config
hostname kiosk-vm
getent group kiosk >/dev/null || groupadd --system kiosk
/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add
udevadm settle
exec /usr/bin/python3 -I -S /agent.py
