"""Transport keys in files, fingerprints, and the hubs that a kiosk knows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from zmq.utils import z85

from kiosk.errors import SyncError
from kiosk.journal.keys import SigningKey
from kiosk.sync.keys import (
    CURRENT,
    KNOWN_HUBS,
    NEXT,
    KnownHub,
    TransportKey,
    approved_hub,
    fingerprint,
    keep_hub,
    load_hubs,
    raw_key,
    take_into_use,
)
from kiosk.sync.messages import Enrolment, Mark, Welcome
from kiosk.sync.receipts import next_key_message

SIGNING = SigningKey.from_seed(b"h" * 32)
HUB_KEY = TransportKey.generate().public


def known(**more: str) -> KnownHub:
    told = {
        "hub": "city", "fingerprint": fingerprint(HUB_KEY), "kiosk": "K07", "server_key": HUB_KEY,
        "signing_key": SIGNING.public_hex,
    }  # fmt: skip
    return KnownHub(**{**told, **more})


def welcome(key: str, endpoint: str, signature: bytes, signing: str = SIGNING.public_hex) -> Welcome:
    return Welcome(
        1, 1, "city", "i", Mark(), Mark(), 4, 1, 1, 1, 0, (1,), signing, next_key=key, next_endpoint=endpoint,
        next_signature=signature,
    )  # fmt: skip


def test_a_key_is_made_in_a_private_file_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / CURRENT
    made = TransportKey.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert TransportKey.load(path).public == made.public
    assert made._secret not in repr(made)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    made = TransportKey.create(tmp_path / CURRENT)
    with pytest.raises(SyncError, match="exists already"):
        TransportKey.create(tmp_path / CURRENT)
    assert TransportKey.load(tmp_path / CURRENT).public == made.public


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    TransportKey.create(tmp_path / CURRENT)
    (tmp_path / CURRENT).chmod(0o644)
    with pytest.raises(SyncError, match="open to others"):
        TransportKey.load(tmp_path / CURRENT)


@pytest.mark.parametrize("text", [b"", b"short\n", b"\xff" * 40, b"~" * 40, b"#" * 40, b"a" * 41])
def test_what_is_no_key_is_refused_with_its_file(tmp_path: Path, text: bytes) -> None:
    (tmp_path / CURRENT).write_bytes(text)
    (tmp_path / CURRENT).chmod(0o600)
    with pytest.raises(SyncError, match=CURRENT):
        TransportKey.load(tmp_path / CURRENT)
    with pytest.raises(SyncError, match="does not exist"):
        TransportKey.load(tmp_path / "other")


def test_a_fingerprint_is_the_digest_of_the_raw_key() -> None:
    raw = bytes(range(32))
    assert fingerprint(z85.encode(raw).decode()) == hashlib.sha256(raw).hexdigest()
    assert raw_key(z85.encode(raw).decode()) == raw
    for wrong in ("", "a" * 39, "é" * 40, "#" * 40, " " * 40):
        with pytest.raises(SyncError):
            fingerprint(wrong)


def test_known_hubs_are_kept_whole_and_found_by_the_configured_fingerprint(tmp_path: Path) -> None:
    assert load_hubs(tmp_path) == {}
    first, second = known(), known(hub="spare", fingerprint="f" * 64)
    keep_hub(tmp_path, first)
    keep_hub(tmp_path, second)
    keep_hub(tmp_path, msgspec.structs.replace(first, kiosk="K08"))
    assert load_hubs(tmp_path)[first.fingerprint].kiosk == "K08"
    assert load_hubs(tmp_path)["f" * 64] == second
    assert (tmp_path / KNOWN_HUBS).stat().st_mode & 0o777 == 0o600
    (tmp_path / KNOWN_HUBS).write_text("{")
    with pytest.raises(SyncError, match="damaged"):
        load_hubs(tmp_path)


def test_a_next_key_of_the_hub_counts_only_with_its_signature() -> None:
    fresh = TransportKey.generate().public
    endpoint = "tcp://hub.example:7702"
    signature = SIGNING.sign(next_key_message("city", fresh, endpoint))
    told = known().announced(welcome(fresh, endpoint, signature))
    assert (told.server_key, told.next_key, told.next_endpoint) == (HUB_KEY, fresh, endpoint)
    moved = told.moved()
    assert (moved.server_key, moved.endpoint, moved.next_key) == (fresh, endpoint, "")
    assert moved.fingerprint == known().fingerprint
    for wrong in (
        welcome(fresh, "tcp://evil.example:1", signature),
        welcome(TransportKey.generate().public, endpoint, signature),
        welcome(fresh, endpoint, b""),
        welcome(fresh, endpoint, SIGNING.sign(next_key_message("other", fresh, endpoint))),
    ):
        with pytest.raises(SyncError, match="not signed"):
            known().announced(wrong)
    assert known().announced(welcome("", "", b"")) == known()


def test_a_hub_that_tells_another_signing_key_is_not_believed() -> None:
    with pytest.raises(SyncError, match="another signing key"):
        known().announced(welcome("", "", b"", signing="0" * 64))


def test_an_approval_must_name_the_key_that_gave_it() -> None:
    answer = Enrolment(
        "approved", "", hub="city", server_key=HUB_KEY, signing_key=SIGNING.public_hex, endpoints=("tcp://a:1",)
    )
    assert approved_hub("K07", fingerprint(HUB_KEY), HUB_KEY, answer) == known()
    with pytest.raises(SyncError, match="another key"):
        approved_hub("K07", fingerprint(HUB_KEY), TransportKey.generate().public, answer)


def test_the_announced_key_comes_into_use_and_the_old_one_is_gone(tmp_path: Path) -> None:
    TransportKey.create(tmp_path / CURRENT)
    fresh = TransportKey.create(tmp_path / NEXT)
    assert take_into_use(tmp_path).public == fresh.public
    assert TransportKey.load(tmp_path / CURRENT).public == fresh.public
    assert not (tmp_path / NEXT).exists()
    with pytest.raises(SyncError):
        take_into_use(tmp_path)
