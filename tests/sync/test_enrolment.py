"""One-time codes, words, and what an ENROL proves."""

from __future__ import annotations

import socket

import msgspec
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import SyncError
from kiosk.journal.keys import SigningKey, verify
from kiosk.sync.enrolment import (
    CODE_LETTERS,
    DOMAIN,
    ask,
    checked_hub_key,
    enrol_message,
    new_code,
    proves,
    read_code,
    request_of,
    wait_ms,
    write_code,
)
from kiosk.sync.keys import TransportKey, fingerprint
from kiosk.sync.messages import Enrol
from kiosk.sync.words import COUNT, WORDS, same_words, words_of

JOURNAL = SigningKey.from_seed(b"j" * 32)
HUB_KEY = TransportKey.generate().public


def request(code: bytes, key: TransportKey | None = None) -> Enrol:
    key = key or TransportKey.generate()
    return request_of(
        "K07", "live", key.public, JOURNAL.public_hex, 2, hub_key=HUB_KEY, code=code, sign=JOURNAL.sign, software="1"
    )


@given(st.binary(min_size=16, max_size=16))
@settings(max_examples=30)
def test_a_code_is_read_as_it_was_written_by_whoever_copies_it(code: bytes) -> None:
    written = write_code(code)
    assert read_code(written) == code
    careless = written.replace("-", "  ").lower().replace("0", "o").replace("1", "l")
    assert read_code(careless) == code


def test_a_wrong_letter_or_two_that_changed_places_are_noticed() -> None:
    noticed = tried = 0
    letters = write_code(bytes(range(16))).replace("-", "")
    for at in range(CODE_LETTERS):
        for other in "0Z7":
            wrong = letters[:at] + other + letters[at + 1 :]
            swapped = letters[:at] + letters[at : at + 2][::-1] + letters[at + 2 :]
            for each in {wrong, swapped} - {letters}:
                tried += 1
                try:
                    read_code(each)
                except SyncError:
                    noticed += 1
    assert tried > 100
    assert noticed == tried  # 12 bits let one in 4096 through; none of these


@pytest.mark.parametrize("text", ["", "0000", "U" * 28, "é" * 28, "0" * 29])
def test_what_is_no_code_says_why(text: str) -> None:
    with pytest.raises(SyncError, match="code"):
        read_code(text)


def test_codes_do_not_repeat() -> None:
    assert len({new_code() for _ in range(100)}) == 100


def test_every_field_that_counts_is_proven_and_signed() -> None:
    code = new_code()
    good = request(code)
    message = enrol_message(HUB_KEY, good)
    assert message.startswith(DOMAIN)
    assert proves(code, message, good.proof)
    assert verify(JOURNAL.public_hex, message, good.signature)
    for changed in (
        {"kiosk": "K08"}, {"realm": "training"}, {"transport_key": HUB_KEY}, {"journal_key": "0" * 64}, {"epoch": 3},
    ):  # fmt: skip
        other = enrol_message(HUB_KEY, msgspec.structs.replace(good, **changed))
        assert not proves(code, other, good.proof)
        assert not verify(JOURNAL.public_hex, other, good.signature)
    assert not proves(code, enrol_message(good.transport_key, good), good.proof)
    assert not proves(new_code(), message, good.proof)
    assert not proves(code, message, b"")


def test_a_hubs_key_is_taken_only_with_the_configured_fingerprint() -> None:
    assert checked_hub_key(HUB_KEY, fingerprint(HUB_KEY)) == HUB_KEY
    with pytest.raises(SyncError, match="not the one"):
        checked_hub_key(TransportKey.generate().public, fingerprint(HUB_KEY))
    with pytest.raises(SyncError):
        checked_hub_key("nonsense", fingerprint(HUB_KEY))


def test_whoever_does_not_hold_the_hubs_key_gets_no_word_and_is_waited_for() -> None:
    """An impostor at the address sees a handshake that it cannot end; the kiosk says that no hub answers."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    impostor = context.socket(zmq.ROUTER)
    impostor.linger = 0
    TransportKey.generate().use_on(impostor)
    port = impostor.bind_to_random_port("tcp://127.0.0.1")
    key = TransportKey.generate()
    try:
        with pytest.raises(SyncError, match="no hub with this key") as told:
            ask(f"tcp://127.0.0.1:{port}", HUB_KEY, key, request(new_code(), key), patience_ms=200)
        assert told.value.transient
        assert not impostor.poll(0)
    finally:
        impostor.close(0)
        context.term()


def test_nobody_at_the_address_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    key = TransportKey.generate()
    with pytest.raises(SyncError) as told:
        ask(f"tcp://127.0.0.1:{port}", HUB_KEY, key, request(new_code(), key), patience_ms=50)
    assert told.value.transient


def test_questions_become_rarer_and_never_stop() -> None:
    assert [wait_ms(tries, 1.0) for tries in range(8)] == [2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]
    assert wait_ms(0, 0.0) == 1500
    assert wait_ms(10_000, 0.5) == 52_500


def test_words_can_be_told_apart_by_voice() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256
    assert all(word.isascii() and word.islower() and 4 <= len(word) <= 9 for word in WORDS)
    for number, word in enumerate(WORDS):
        for other in WORDS[:number]:
            if len(word) == len(other):
                assert sum(a != b for a, b in zip(word, other, strict=True)) > 1, (word, other)
            elif abs(len(word) - len(other)) == 1:
                longer, shorter = sorted((word, other), key=len, reverse=True)
                assert all(longer[:at] + longer[at + 1 :] != shorter for at in range(len(longer))), (word, other)


def test_words_hang_on_all_that_they_stand_for_and_never_change() -> None:
    words = words_of("K07", "a" * 40, "00" * 32)
    assert words == "bamboo-eagle-umbrella-quartz-cabin-walnut"
    assert len(words.split("-")) == COUNT
    assert len({words, *(words_of(*each) for each in (
        ("K08", "a" * 40, "00" * 32), ("K07", "b" * 40, "00" * 32), ("K07", "a" * 40, "01" * 32),
    ))}) == 4  # fmt: skip
    assert same_words("Bamboo eagle UMBRELLA-quartz  cabin walnut", words)
    assert not same_words("bamboo eagle umbrella quartz cabin", words)
