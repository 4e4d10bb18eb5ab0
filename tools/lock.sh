#!/bin/sh
# Write the lock files: every distribution with its exact version and the hashes of all its files,
# so that the same lock serves x86-64 and ARM, CPython 3.11 to 3.13. Index addresses are left out on
# purpose: a machine takes its packages from wherever its own pip is set up to look.
#   tools/lock.sh             refresh after a change in pyproject.toml, keeping pinned versions
#   tools/lock.sh --upgrade   move everything to the newest versions
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    [ -x .venv/bin/python ] || { echo "lock: no .venv; run 'make venv' first" >&2; exit 1; }
    echo "lock: installing the locked uv into .venv"
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements/lock.txt
fi

compile() { # compile OUTPUT ARGUMENTS...
    output=$1
    shift
    echo "lock: requirements/$output"
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
        $upgrade -o "requirements/$output" "$@"
}

upgrade=${1:-}
compile run.txt pyproject.toml
compile test.txt --extra test --constraint requirements/run.txt pyproject.toml
compile check.txt --extra check --constraint requirements/test.txt pyproject.toml
compile build.txt --constraint requirements/check.txt requirements/build.in
compile wedge-x86_64.txt requirements/wedge-x86_64.in
compile wedge-source.txt requirements/wedge-source.in
compile lock.txt requirements/lock.in
if grep -n -E '^(-i|--index-url|--extra-index-url|--find-links|--trusted-host)|https?://' requirements/*.txt; then
    echo "lock: an index address was written into a lock file; remove it" >&2
    exit 1
fi
