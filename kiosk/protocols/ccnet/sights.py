"""What a CCNET state shows of a note, in the words of `kiosk.protocols.note_life` (CCNET sheet §6, §7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kiosk.model.money import Money
from kiosk.protocols.ccnet.codes import DeviceState, Unknown, reject_reason
from kiosk.protocols.note_life import Seen, Sight

_SEEN = {
    DeviceState.POWER_UP: Seen.POWER_UP,
    DeviceState.POWER_UP_BILL_IN_VALIDATOR: Seen.UP_IN_ACCEPTOR,
    DeviceState.POWER_UP_BILL_IN_STACKER: Seen.UP_IN_STACKER,
    DeviceState.INITIALIZE: Seen.INITIALIZING,
    DeviceState.IDLING: Seen.AT_REST,
    DeviceState.UNIT_DISABLED: Seen.AT_REST,
    DeviceState.ACCEPTING: Seen.DRAWING_IN,
    DeviceState.ESCROW_POSITION: Seen.IN_ESCROW,
    DeviceState.HOLDING: Seen.IN_ESCROW,
    DeviceState.STACKING: Seen.MOVING,
    DeviceState.BILL_STACKED: Seen.CREDIT_POINT,
    DeviceState.REJECTING: Seen.GOING_BACK,
    DeviceState.RETURNING: Seen.GOING_BACK,
    DeviceState.BILL_RETURNED: Seen.RETURNED,
}
#: After these a note whose stack command is out is not given up as returned: its entry stays open (sheet §7, rule 4).
_DOUBT = frozenset(
    {
        DeviceState.REJECTING,
        DeviceState.VALIDATOR_JAMMED,
        DeviceState.DROP_CASSETTE_JAMMED,
        DeviceState.CHEATED,
        DeviceState.SUSPECTED_HELD,
        DeviceState.COUNTERFEIT_HELD,
        DeviceState.FAILURE,
    }
)


def sight(
    state: DeviceState | Unknown,
    data: bytes,
    table: Mapping[int, Money],
    *,
    enabled: Collection[int] | None = None,
    coupon_type: int | None = None,
    destination: bool = False,
) -> Sight:
    """Return the sight of a state; `data` is what follows the code.

    `table` gives the values of the unit's bill types, {} while unread.  A type in escrow that is not `enabled` (None:
    not known) has no value, so it goes back (sheet §7); at the credit point the type alone decides.  `destination`:
    the byte behind BILL STACKED holds two nibbles, type and destination (sheet §6).
    """
    code = state.code if isinstance(state, Unknown) else int(state)
    seen = Seen.NOTHING if isinstance(state, Unknown) else _SEEN.get(state, Seen.NOTHING)
    bill_type: int | None = None
    if data and state in (DeviceState.ESCROW_POSITION, DeviceState.BILL_STACKED):
        bill_type = data[0] >> 4 if destination and state is DeviceState.BILL_STACKED else data[0]
    value = None if bill_type is None or bill_type == coupon_type else table.get(bill_type)
    if state is DeviceState.ESCROW_POSITION and enabled is not None and bill_type not in enabled:
        value = None
    reason = ""
    if state is DeviceState.REJECTING:
        reason = reject_reason(data[0]).generic if data else "unknown"
    return Sight(
        seen, state.name, bytes((code,)).hex() + data[:8].hex(),
        # the code and the type together, because a type can be 0 and a key of 0 is none
        0 if bill_type is None else DeviceState.ESCROW_POSITION << 8 | bill_type,
        value,
        unread=seen is Seen.IN_ESCROW and bill_type not in (None, coupon_type) and not table,
        ticket=seen is Seen.IN_ESCROW and bill_type is not None and bill_type == coupon_type,
        held=state is DeviceState.HOLDING,
        rejected=reason,
        rejected_raw=data[:1].hex() if reason else "",
        doubt=state in _DOUBT,
        stuck=state in _DOUBT,
    )  # fmt: skip
