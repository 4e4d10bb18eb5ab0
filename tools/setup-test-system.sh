#!/bin/sh
# What the whole test suite needs from the system: a browser and its fonts, libusb, systemd's checker, and the rig
# that records a disk for the power-cut test. Installed as root; anybody else gets one line for each missing part,
# and the tests that need it are skipped by name.
set -u
cd "$(dirname "$0")/.."
sh tools/apt-install.sh "the browser tests" chromium fonts-dejavu-core
sh tools/apt-install.sh "the USB transport's library" libusb-1.0-0
sh tools/apt-install.sh "the tests with mocked USB and event devices" umockdev gir1.2-umockdev-1.0 python3-gi
sh tools/apt-install.sh "the checks of the systemd units" systemd
sh tools/apt-install.sh "the power-cut test" qemu-system-common qemu-utils e2fsprogs
sh tools/apt-install.sh "the disk-fault test" fiu-utils
sh tools/apt-install.sh "the tests of a hub on PostgreSQL" postgresql
sh tools/apt-install.sh "the check of the exports" hledger
exit 0
