"""What the whole suite shares: which tests a machine can run, and how hypothesis behaves.

A test that cannot run here is skipped with one line that says what is missing; nothing is skipped in silence.
"""

from __future__ import annotations

import os
import shutil

import hypothesis
import pytest

# Two cores shared with the rest of the suite: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True, max_examples=100)
# The same examples in every run, so that a red build means a change and not a new draw.
hypothesis.settings.register_profile(
    "house-ci", hypothesis.settings.get_profile("house"), derandomize=True, database=None
)
hypothesis.settings.load_profile("house-ci" if os.environ.get("CI") else "house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, with the reason and the cure."""
    missing = {}
    if os.geteuid() != 0:
        missing["root"] = "needs root"
    if shutil.which("chromium") is None:
        missing["browser"] = "needs a browser (Debian package: chromium)"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker) is not None:
                item.add_marker(pytest.mark.skip(reason=reason))
