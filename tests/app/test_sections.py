"""What a live kiosk's configuration must not hold, and what an orderly end does to the acceptors."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from kiosk.app.sections import Identity, KioskConfig, ScreenSection
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.orders import Orders
from kiosk.errors import ConfigError, ReceiptError
from kiosk.journal.receipt_seal import load_keys
from kiosk.model.commands import Command, EnableNotes, InhibitNotes
from kiosk.model.money import Money

TWENTY = Money(2000, "USD")


def test_a_live_kiosk_is_shown_in_no_other_page() -> None:
    framed = ScreenSection(framed_by=("http://127.0.0.1:9000",))
    with pytest.raises(ConfigError, match="framed_by"):
        KioskConfig(kiosk=Identity("K07"), screen=framed)
    assert KioskConfig(kiosk=Identity("K07", realm="demo"), screen=framed)


def test_a_key_list_that_names_an_epoch_twice_is_refused(tmp_path: Path) -> None:
    """The later of two could undo the revocation of the other."""
    rows = [{"kiosk": "K07", "epoch": 1, "public_key": "0" * 64, "revoked": revoked} for revoked in (True, False)]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"city": "Example City", "keys": rows}), encoding="utf-8")
    with pytest.raises(ReceiptError, match="twice"):
        load_keys(path)


class Port:
    """Takes every order and keeps it."""

    def __init__(self) -> None:
        self.sent: list[Command] = []

    def post(self, device: str, command: Command, generation: int | None = None) -> bool:
        self.sent.append(command)
        return True


def test_an_acceptor_takes_nothing_any_more_once_the_kiosk_is_about_to_end() -> None:
    board, port = DeviceBoard((("notes", "BillAcceptor", "any"),)), Port()
    board.pages["notes"].notes = (TWENTY,)
    orders = Orders(port, board, Counter(), lambda event, device: None)
    orders.accept((TWENTY,))
    orders.shut()
    orders.accept((TWENTY,))
    assert port.sent == [EnableNotes((TWENTY,)), InhibitNotes()]
