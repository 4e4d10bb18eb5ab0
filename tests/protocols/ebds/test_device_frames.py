"""What the simulated EBDS unit says is, byte for byte, what the sheet's worked frames show (§10)."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.protocols.ebds.codes import MessageType, Operation, Query, State, Subtype
from kiosk.protocols.ebds.frames import encode
from kiosk.protocols.ebds.units import EUR_UNIT, USD_UNIT
from tests.protocols.ebds.ebds_rig import Host

#: A unit as in the worked frames: model 1, revision 2.
SEEN = msgspec.structs.replace(USD_UNIT, model=1, revision=2)


def told(host: Host, toggle: int) -> str:
    """Poll once under this toggle and return the answer as it was on the wire."""
    host.toggle = toggle
    host.device.received(encode(MessageType.COMMAND, toggle, host.command()), host.now)
    (raw,) = host.device.take_outbound()
    host.toggle ^= 1
    return raw.hex(" ").upper()


def test_idling_and_trouble_are_the_worked_frames() -> None:
    host = Host(SEEN, extended=False).ready()
    host.poll()
    assert told(host, 1) == "02 0B 21 01 10 00 00 01 02 03 38"
    assert told(host, 0) == "02 0B 20 01 10 00 00 01 02 03 39"
    host.device.fail()
    assert told(host, 1) == "02 0B 21 00 10 04 00 01 02 03 3D"
    host.device.fail(False)
    told(host, 0)
    host.device.fill_stacker()
    assert told(host, 1) == "02 0B 21 00 18 00 00 01 02 03 31"


def test_a_missing_box_is_the_captured_frame_of_a_real_unit() -> None:
    host = Host(msgspec.structs.replace(EUR_UNIT, texts={**EUR_UNIT.texts, Query.CAPABILITIES: "0"})).ready()
    host.device.remove_cashbox()
    if host.toggle == 0:
        host.poll()
    assert told(host, 1) == "02 0B 21 01 00 00 10 55 23 03 4D"


def test_a_rejected_note_is_the_worked_frame() -> None:
    host = Host(SEEN, extended=False).ready()
    host.device.reject_next()
    host.device.insert(500)
    host.wait(1100)
    if host.toggle == 0:
        host.poll()
    assert told(host, 1) == "02 0B 21 01 12 00 00 01 02 03 3A"


@pytest.mark.parametrize(
    ("minor", "escrowed", "stacked"),
    [
        (200, None, "02 0B 21 11 10 10 00 01 02 03 38"),
        (500, "02 0B 21 04 10 18 00 01 02 03 25", None),
        (1000, None, "02 0B 21 11 10 20 00 01 02 03 08"),
        (10_000, "02 0B 21 04 10 38 00 01 02 03 05", "02 0B 21 11 10 38 00 01 02 03 10"),
    ],
)
def test_plain_escrow_and_stacked_are_the_worked_frames(minor: int, escrowed: str | None, stacked: str | None) -> None:
    host = Host(SEEN, extended=False).ready()
    host.device.insert(minor)
    host.until(State.ESCROWED)
    if host.toggle == 0:
        host.poll()
    seen = told(host, 1)
    assert escrowed in (None, seen)
    host.poll(Operation.STACK)
    host.wait(2000)
    seen = told(host, 1)
    assert stacked in (None, seen)


def test_a_returned_note_is_the_worked_frame() -> None:
    host = Host(SEEN, extended=False).ready().escrow()
    if host.toggle == 1:
        host.poll()
    host.poll(Operation.RETURN)
    host.wait(2000)
    assert told(host, 1) == "02 0B 21 41 10 00 00 01 02 03 78"


def test_texts_and_the_value_table_are_the_worked_frames() -> None:
    """Their status bytes were all zero, which the check covers; the rest is compared."""
    named = {Query.VARIANT_NAME: "SCNL 6670R", Query.APPLICATION_PART_NUMBER: "280000123"}
    host = Host(msgspec.structs.replace(USD_UNIT, texts=named)).ready()
    assert encode(6, 0, host.query(Query.VARIANT_NAME)).hex() == "022560" + b"SCNL 6670R".hex() + "00" * 22 + "0322"
    assert encode(6, 0, host.query(Query.APPLICATION_PART_NUMBER)).hex() == "020e603238303030303132330354"
    rows = host.extended(Subtype.VALUE_TABLE).data[7:]
    assert encode(7, 0, bytes((6, *bytes(6))) + rows).hex(" ").upper() == (
        "02 52 70 06 00 00 00 00 00 00 01 55 53 44 30 30 31 2B 30 30 02 55 53 44 30 30 32 2B 30 30 03 55 53 44 30 30 35"
        " 2B 30 30 04 55 53 44 30 30 31 2B 30 31 05 55 53 44 30 30 32 2B 30 31 06 55 53 44 30 30 35 2B 30 31 07 55 53"
        " 44 30 30 31 2B 30 32 03 7F"
    )
