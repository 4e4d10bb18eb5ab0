#!/bin/sh
# Make .venv from the locks: what runs a kiosk, and the project itself so that an edit takes effect at once.
# Safe to run again. The interpreter: $PYTHON, else python3, else the newest python3.N that is new enough.
set -eu
cd "$(dirname "$0")/.."

new_enough() { "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    if new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: no Python 3.11 or newer found${PYTHON:+ as $PYTHON}; on Debian: apt-get install python3 python3-venv" >&2
    exit 1
fi

if ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    echo "setup: making .venv with $("$python" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
    # Debian splits venv's pip out; without that package `python3 -m venv` dies half-way.
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        sh tools/apt-install.sh "Python's venv module" "python$version-venv" || exit 1
    fi
    rm -rf .venv
    "$python" -m venv .venv
fi

pip() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input "$@"
}
echo "setup: installing the build tools (requirements/build.txt)"
pip install --require-hashes --only-binary :all: -r requirements/build.txt
echo "setup: installing what runs a kiosk (requirements/run.txt)"
pip install --require-hashes --prefer-binary -r requirements/run.txt
echo "setup: installing this source tree"
pip install --no-deps --no-build-isolation --no-index --editable .
