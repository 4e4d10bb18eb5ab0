#!/bin/sh
# Bring evdev (wedge scanners) into .venv. It has wheels for x86-64 only, so the ways are tried in this order:
#   debian    Debian's python3-evdev is on the machine and made for the Python in .venv: link it in
#   wheel     x86-64: the locked binary wheel
#   apt       as root: install Debian's python3-evdev, then as `debian`
#   source    a C compiler, Python's headers and the kernel's headers are here: build the locked source
#   compiler  as root: install those with apt, then as `source`
# When every way fails a kiosk still runs, without wedge scanners; one line says so. KIOSK_EVDEV names the ways to try.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
ways=${KIOSK_EVDEV-debian wheel apt source compiler}

ask() { "$python" -c "import sys, sysconfig; print($1)"; }
works() { "$python" -c 'import evdev; evdev.InputDevice, evdev.ecodes.EV_KEY' >/dev/null 2>&1; }

link_debian() {
    theirs=/usr/lib/python3/dist-packages/evdev
    # The compiled module's name carries Python's version and the machine: no match, no import.
    [ -e "$theirs/_input$(ask 'sysconfig.get_config_var("EXT_SUFFIX")')" ] || return 1
    ours=$(ask 'sysconfig.get_path("platlib")')/evdev
    [ -e "$ours" ] || [ -L "$ours" ] && return 1
    ln -s "$theirs" "$ours"
    works && return 0
    rm -f "$ours"
    return 1
}

can_build() {
    command -v "${CC:-cc}" >/dev/null 2>&1 || return 1
    [ -e "$(ask 'sysconfig.get_path("include")')/Python.h" ] || return 1
    printf '#include <linux/input.h>\n' | "${CC:-cc}" -E - >/dev/null 2>&1
}

locked() { "$python" -m pip install --disable-pip-version-check --no-input --require-hashes "$@"; }

if works; then
    echo "setup: evdev (wedge scanner): here already"
    exit 0
fi
for way in $ways; do
    case $way in
    debian)
        link_debian || continue
        ;;
    wheel)
        [ "$(uname -m)" = x86_64 ] || continue
        echo "setup: evdev (wedge scanner): taking the x86-64 wheel"
        locked --only-binary :all: -r requirements/wedge-x86_64.txt || continue
        ;;
    apt)
        # Debian builds it for its own Python only.
        [ "$(id -u)" -eq 0 ] && [ -x /usr/bin/python3 ] || continue
        [ "$(/usr/bin/python3 -c 'import sys; print(sys.version_info[:2])')" = "$(ask 'sys.version_info[:2]')" ] || continue
        sh tools/apt-install.sh "evdev (wedge scanner)" python3-evdev && link_debian || continue
        ;;
    source)
        can_build || continue
        echo "setup: evdev (wedge scanner): building from source"
        locked --no-build-isolation --no-binary evdev -r requirements/wedge-source.txt || continue
        ;;
    compiler)
        [ "$(id -u)" -eq 0 ] || continue
        headers=
        [ -e "$(ask 'sysconfig.get_path("include")')/Python.h" ] || headers=libpython3-dev
        # shellcheck disable=SC2086  # an empty list is meant to vanish
        sh tools/apt-install.sh "a C compiler for evdev" gcc libc6-dev linux-libc-dev $headers && can_build || continue
        echo "setup: evdev (wedge scanner): building from source"
        locked --no-build-isolation --no-binary evdev -r requirements/wedge-source.txt || continue
        ;;
    *)
        echo "setup: KIOSK_EVDEV names no such way: $way"
        continue
        ;;
    esac
    if works; then
        echo "setup: evdev (wedge scanner): ready, by way of '$way'"
        exit 0
    fi
done
echo "setup: evdev is missing: keyboard-wedge scanners are unavailable, all else works. To add it: apt-get install python3-evdev (or gcc and linux-libc-dev), then 'make evdev'"
exit 0
