#!/bin/sh
# Install Debian packages where this user may; otherwise say in one line which are missing, and why they matter.
#   tools/apt-install.sh "what they are for" PACKAGE...
# Exit code 0: all installed. 1: something is missing, and the line was printed.
set -u
purpose=$1
shift

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=
for package in "$@"; do
    installed "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: $purpose: not installed, and no apt-get here; the Debian packages are called:$missing"
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "setup: $purpose: not installed; ask an administrator for: apt-get install$missing"
    exit 1
fi

# One refresh an hour is enough; a machine fresh from an image has no list at all.
lists=/var/lib/apt/lists
if [ -z "$(find "$lists" -maxdepth 1 -name '*_Packages*' -mmin -60 2>/dev/null | head -n 1)" ] && [ -z "${KIOSK_APT_FRESH:-}" ]; then
    echo "setup: refreshing the package list (apt-get update)"
    apt-get update -qq || echo "setup: apt-get update failed; going on with the list that is here"
fi

wanted=
for package in $missing; do
    if [ -n "$(apt-cache policy "$package" 2>/dev/null | grep -v '(none)' | grep Candidate)" ]; then
        wanted="$wanted $package"
    else
        echo "setup: $purpose: this system offers no package '$package'"
    fi
done
if [ -n "$wanted" ]; then
    echo "setup: $purpose: installing$wanted"
    # shellcheck disable=SC2086  # the list is meant to split
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 $wanted ||
        echo "setup: $purpose: apt-get could not install$wanted; the lines above say why"
fi

left=
for package in "$@"; do
    installed "$package" || left="$left $package"
done
[ -z "$left" ] && exit 0
echo "setup: $purpose: still missing:$left"
exit 1
