"""The reference is complete: every key, every reason for being out of service, every check of the doctor."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType
from typing import Any

import msgspec
import pytest

from kiosk.app import sections
from kiosk.core.city import CityFile, Colours, ReceiptOptions
from kiosk.hub.settings import HubConfig
from tests.docs.pages import PAGES, ROOT, section


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "configuration-reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def structs_below(struct: type[Any], place: str = "") -> dict[str, type[Any]]:
    """Return every section of a configuration by its dotted name."""
    found = {}
    for field in msgspec.structs.fields(struct):
        kinds = [field.type, *getattr(field.type, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                name = f"{place}.{field.name}".lstrip(".")
                found[name] = kind
                found |= structs_below(kind, name)
    return found


def test_every_key_of_the_configuration_stands_under_its_section() -> None:
    found = structs_below(sections.KioskConfig)
    assert {"kiosk", "paths", "checkout", "checkout.periods", "device"} <= set(found)
    for name, struct in found.items():
        heading = f"## `[[{name}]]`" if name in ("device", "people", "sync.hub") else f"## `[{name}]`"
        told = section(PAGES["docs/configuration.md"], heading)
        for field in msgspec.structs.fields(struct):
            if (name, field.name) not in (("checkout", "periods"), ("sync", "hub")):
                assert f"| `{field.encode_name}` |" in told, f"{name}.{field.name}"


@pytest.mark.parametrize(
    ("heading", "struct"),
    [("## `city.toml`", CityFile), ("## `[colours]` of `city.toml`", Colours),
     ("## `[receipt]` of `city.toml`", ReceiptOptions)],
)  # fmt: skip
def test_every_key_of_a_citys_file_stands_under_its_section(heading: str, struct: type[Any]) -> None:
    told = section(PAGES["docs/configuration.md"], heading)
    for field in msgspec.structs.fields(struct):
        if field.name not in ("colours", "receipt"):
            assert f"| `{field.encode_name}` |" in told, field.name


def test_every_key_of_a_hubs_file_stands_under_its_section() -> None:
    found = structs_below(HubConfig)
    assert {"hub", "listen", "web", "alerts"} == set(found)
    for name, struct in found.items():
        told = section(PAGES["docs/configuration.md"], f"### `[{name}]` of `hub.toml`")
        for field in msgspec.structs.fields(struct):
            assert f"| `{field.encode_name}` |" in told, f"{name}.{field.name}"


def test_every_key_of_a_hubs_file_stands_in_the_file_that_ships() -> None:
    ships = (ROOT / "config" / "hub.toml").read_text("utf-8")
    for name, struct in structs_below(HubConfig).items():
        told = ships.split(f"[{name}]\n", 1)[1].split("\n[", 1)[0]
        for field in msgspec.structs.fields(struct):
            assert re.search(rf"^(# )?{field.encode_name} = ", told, re.MULTILINE), f"{name}.{field.name}"


def test_the_reference_is_what_the_structs_say_now() -> None:
    assert PAGES["docs/configuration.md"] == tool().page(), "run tools/configuration-reference.py"


def test_every_reason_for_being_out_of_service_is_explained() -> None:
    texts = (ROOT / "kiosk" / "locales" / "en" / "messages.po").read_text("utf-8")
    reasons = re.findall(r'^msgid "(out\.\w+)"', texts, re.MULTILINE)
    assert reasons
    told = section(PAGES["docs/operations.md"], "## Out of service")
    assert [reason for reason in reasons if f"| `{reason}` |" not in told] == []


def test_every_check_of_the_doctor_is_named() -> None:
    sources = [
        (ROOT / "kiosk" / "cli" / f"{name}.py").read_text("utf-8") for name in ("doctor_checks", "machine_checks")
    ]
    ids = set(re.findall(r'Check\(\s*"(\w+)"', "".join(sources))) - {"doctor"}
    assert len(ids) > 10
    told = section(PAGES["docs/operations.md"], "## Looking")
    assert [each for each in sorted(ids) if f"`{each}`" not in told] == []


def test_every_word_of_the_house_has_its_place_in_the_glossary() -> None:
    told = PAGES["docs/glossary.md"].lower()
    for word in (
        "note", "invoice", "tender", "overpayment", "deposit", "fact", "entry", "posting", "journal", "ledger",
        "reversal", "over/short", "event", "intent", "command", "effect", "plugin", "driver", "transport", "codec",
        "epoch", "realm", "suspense", "dispute", "quote", "snapshot",
        "hub", "enrolment", "segment", "books", "incarnation", "fork", "data set", "export",
    ):  # fmt: skip
        assert re.search(rf"(\*\*|\| |`){re.escape(word)}\b", told), word
