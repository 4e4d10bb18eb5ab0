"""The machines of a campaign: kiosks with their cards, counters and kiosk-sync, each behind a line of its own."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.chaos_check import Rows, rows_on_disk
from bench.chaos_counter import REALM, journal_of
from bench.chaos_line import Line
from bench.hub_at_hand import ROOT, HubAtHand, command_line
from kiosk.journal.backup import backup, restore
from kiosk.journal.keys import SigningKey
from kiosk.model.facts import Digests, Stamp
from kiosk.model.instant import Instant


class ChaosKiosk:
    """One kiosk: a card (its state directory), a counter, kiosk-sync and the line.  A clone is one more of the same."""

    def __init__(
        self, directory: Path, kiosk: str, hub: HubAtHand, fingerprint: str, *, seed: int, pause_ms: int
    ) -> None:
        self.directory, self.id = directory, kiosk
        self.state = directory / "state"
        self.line = Line(hub.journal_port, seed)
        self._enrol_port, self._fingerprint = hub.enrol_port, fingerprint
        self._seed, self._pause_ms = seed, pause_ms
        self._counter: subprocess.Popen[bytes] | None = None
        self._sync: subprocess.Popen[bytes] | None = None
        #: Cards that were taken out, as they were: their facts may be at the hub.
        self.other_cards: list[Rows] = []
        directory.mkdir(parents=True, exist_ok=True)
        self.config = directory / "kiosk.toml"
        self.write_config()

    def write_config(self) -> None:
        """Write kiosk.toml for the line as it is now."""
        self.config.write_text(
            f'[kiosk]\nid = "{self.id}"\nrealm = "{REALM}"\n'
            f'[paths]\nstate = "{self.state}"\nruntime = "{self.directory / "run"}"\nclock_mark = ""\n'
            f"[sync]\nheartbeat_s = 2\nahead_from = 300\n"
            f'[[sync.hub]]\nendpoint = "tcp://127.0.0.1:{self.line.port}"\n'
            f'enrol = "tcp://127.0.0.1:{self._enrol_port}"\nfingerprint = "{self._fingerprint}"\n',
            encoding="utf-8",
        )

    # --- its processes -------------------------------------------------------------------------------------------

    def start_counter(self) -> None:
        """Let it take payments."""
        self._counter = self._spawn("counter", "bench.chaos_counter", str(self.state), self.id, str(self._seed),
                                    str(self._pause_ms))  # fmt: skip

    def start_sync(self) -> None:
        """Start kiosk-sync."""
        self._sync = self._spawn("sync", "kiosk", "sync", "run", "--config", str(self.config))

    def _spawn(self, log: str, module: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{log}.log").open("ab") as told:
            return subprocess.Popen([sys.executable, "-m", module, *words], stdout=told, stderr=told, cwd=ROOT)

    def kill_counter(self) -> None:
        """SIGKILL the counter."""
        self._counter = _killed(self._counter)

    def end_counter(self) -> None:
        """Kill the counter and let its successor end in order."""
        self.kill_counter()
        words = ("bench.chaos_counter", str(self.state), self.id, "0", "end")
        subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)

    def kill_sync(self) -> None:
        """SIGKILL kiosk-sync."""
        self._sync = _killed(self._sync)

    def keep_running(self) -> None:
        """Start kiosk-sync again where it ended by itself, as systemd would."""
        if self._sync is not None and self._sync.poll() is not None:
            self.start_sync()

    def stop(self) -> None:
        """End everything of this kiosk."""
        self.kill_counter()
        self.kill_sync()
        self.line.close()

    def log(self) -> str:
        """Return the last words of kiosk-sync."""
        path = self.directory / "sync.log"
        return path.read_text(errors="replace")[-600:] if path.exists() else ""

    # --- its card ------------------------------------------------------------------------------------------------

    def rows(self) -> Rows:
        """Return every row on the card."""
        path = journal_of(self.state)
        return rows_on_disk(path) if path.exists() else {}

    def copy_card(self) -> None:
        """Copy the card while nothing writes to it."""
        self.kill_counter()
        self.kill_sync()
        copy = self.directory / "copied-card"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.state, copy)
        self.start_counter()
        self.start_sync()

    def put_card_back(self) -> None:
        """Go on with the old copy, as if nothing had happened: no new epoch, nobody told."""
        self.kill_counter()
        self.kill_sync()
        self.other_cards.append(self.rows())
        shutil.rmtree(self.state)
        shutil.copytree(self.directory / "copied-card", self.state)
        self.start_counter()
        self.start_sync()

    def back_up(self) -> None:
        """Take a backup of the journal while it works."""
        backup(journal_of(self.state), self.directory / "backup.db")

    def restore(self) -> None:
        """Make a new journal out of the backup, with a new epoch, as `kiosk restore` does."""
        self.kill_counter()
        self.kill_sync()
        self.other_cards.append(self.rows())
        path = journal_of(self.state)
        for each in self.state.glob(f"{path.name}*"):
            each.unlink()
        at = Instant(time.time_ns(), 0, time.monotonic_ns(), "restored")
        stamp = Stamp(at, dt.datetime.now(dt.UTC).date(), "admin:0", "", 1, Digests("0" * 16, "1" * 16, "2" * 16))
        key = SigningKey.load(self.state / f"journal-{REALM}.key")
        restore(self.directory / "backup.db", path, stamp=stamp, key=key, reason="a campaign")
        self.start_counter()
        self.start_sync()


def _killed(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
        process.wait()


def enrol(kiosk: ChaosKiosk, hub: HubAtHand) -> None:
    """Take a kiosk in as its technician and the hub's operator do."""
    code = hub.ask("enrol", kiosk.id, "--realm", REALM)
    asking = ("sync", "enrol", "--config", str(kiosk.config), "--hub-key", code["hub_key"], "--once")
    asked = command_line(*asking, "--code", code["code"], check=False)  # waits for the operator: exit code 3
    hub.ask("approve", kiosk.id, "--words", asked["words"])
    command_line(*asking)
