"""Every text exists in every language, is filled with data only, and writes money and dates as the reader does."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.checkout.states import State
from kiosk.errors import TextError
from kiosk.model.money import Money
from kiosk.model.texts import text
from kiosk.texts import FIRST, PRODUCT, Catalogue

ROOT = Path(__file__).resolve().parents[1]
CITY = ROOT / "config" / "texts"
#: The languages of the product; the last one shows what cannot be translated and which boxes are too small.
LANGUAGES = ("ar", "en", "es", "qps")
DOTTED = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load([CITY])


def rooms_of_words(catalogue: Catalogue) -> set[str]:
    """First parts of message ids: a dotted literal that begins with one of them is a message id."""
    return {message.partition(".")[0] for message in catalogue.ids(FIRST)} - {"health", "verify"}


def ids_in_code(rooms: set[str]) -> dict[str, str]:
    """Message ids written in the program and its templates, and where."""
    found = {}
    for path in sorted((ROOT / "kiosk").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
                last = node.value.rpartition(".")[2]
                if node.value.partition(".")[0] in rooms and last not in {
                    "py",
                    "po",
                    "toml",
                    "html",
                    "css",
                    "js",
                    "db",
                    "url",
                }:
                    found[node.value] = f"{path.name}:{node.lineno}"
    for path in sorted((ROOT / "kiosk" / "screen" / "templates").rglob("*.html")):
        for message in re.findall(r'\bt\(["\']([a-z0-9_.]+)["\'](?! ~)', path.read_text(encoding="utf-8")):
            found[message] = path.name
    return found


def ids_in_configuration(rooms: set[str]) -> dict[str, str]:
    """Message ids written in services, policies and the chart."""
    found: dict[str, str] = {}

    def walk(value: object, name: str) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                walk(inner, name)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        elif isinstance(value, str) and DOTTED.fullmatch(value) and value.partition(".")[0] in rooms:
            found[value] = name

    for folder in ("services", "policies"):
        for path in sorted((ROOT / "config" / folder).glob("*.toml")):
            walk(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    for path in sorted((ROOT / "config" / "services").glob("*.toml")):
        service = tomllib.loads(path.read_text(encoding="utf-8"))
        found |= {f"component.{component}": path.name for component in service["order"]}
        if service.get("appeal", "none") != "none":
            found[f"condition.{service['appeal']}"] = path.name
    return found


def test_no_text_that_the_program_or_the_configuration_names_is_missing_in_any_language(catalogue: Catalogue) -> None:
    rooms = rooms_of_words(catalogue)
    named = ids_in_code(rooms) | ids_in_configuration(rooms)
    assert len(named) > 100
    missing = [
        f"{language}: {message} ({where})"
        for language in LANGUAGES
        for message, where in sorted(named.items())
        if not catalogue.has(message, language) and not is_the_beginning_of_ids(message, catalogue)
    ]
    assert missing == []


def is_the_beginning_of_ids(message: str, catalogue: Catalogue) -> bool:
    """`message.note_rejected` stands for `message.note_rejected.value` and its sisters, chosen at run time."""
    beginning = message if message.endswith("_") else message + "."
    return any(known.startswith(beginning) for known in catalogue.ids(FIRST))


def test_a_missing_text_would_be_found_in_code_and_in_configuration(catalogue: Catalogue) -> None:
    rooms = rooms_of_words(catalogue)
    assert "notice.not_found" in ids_in_code(rooms)
    assert "screen.thanking.take" in ids_in_code(rooms)
    assert "service.water_bill" in ids_in_configuration(rooms)


def test_all_languages_hold_the_same_texts_with_the_same_parameters(catalogue: Catalogue) -> None:
    assert catalogue.languages == LANGUAGES
    assert catalogue.findings() == (), "tools/missing-texts.py lists them with the English text"
    for language in LANGUAGES:
        assert catalogue.ids(language) == catalogue.ids("en"), language


def test_a_translation_that_lacks_a_text_or_a_parameter_is_reported(tmp_path: Path) -> None:
    (tmp_path / "es.po").write_text('msgid "button.pay"\nmsgstr "Pagar"\n', encoding="utf-8")
    (tmp_path / "en.po").write_text('msgid "x.new"\nmsgstr "New"\n', encoding="utf-8")
    found = Catalogue.load([tmp_path]).findings()
    assert "es: button.pay has other parameters than in en" in found
    assert {told for told in found if "x.new" in told} == {f"{tag}: x.new is missing" for tag in ("ar", "es", "qps")}


def test_a_later_directory_wins_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "en.po").write_text('msgid "button.back"\nmsgstr "Go back"\n', encoding="utf-8")
    words = Catalogue.load([tmp_path])
    assert words.word("button.back", "en") == "Go back"
    assert words.word("button.back", "es") == "Atrás"
    assert words.word("button.cancel", "en") == "Cancel"


@pytest.mark.parametrize("amount", [Money(124050, "USD"), Money(5, "USD")])
def test_money_is_written_in_the_manner_of_the_readers_region(catalogue: Catalogue, amount: Money) -> None:
    assert (
        catalogue.money(amount, "en")
        == catalogue.money(amount, "es")
        == {124050: "$1,240.50", 5: "$0.05"}[amount.minor]
    )


def test_a_reduction_is_written_with_its_sign(catalogue: Catalogue) -> None:
    assert catalogue.money(Money(-2000, "USD"), "en") == "-$20.00"


def test_a_note_is_written_without_cents_and_yen_have_none(catalogue: Catalogue) -> None:
    assert catalogue.note(Money(2000, "USD"), "es") == "$20"
    assert catalogue.note(Money(250, "USD"), "en") == "$2.50"
    assert catalogue.money(Money(1000, "JPY"), "en") == "¥1,000"


def test_a_date_parameter_is_written_in_the_language(catalogue: Catalogue) -> None:
    due = text("screen.reviewing.due_date", due_date="2026-03-09")
    assert catalogue.say(due, "en") == "Due March 9, 2026"
    assert catalogue.say(due, "es") == "Vence el 9 de marzo de 2026"


def test_a_date_that_is_none_is_shown_as_it_came(catalogue: Catalogue) -> None:
    assert catalogue.word("screen.reviewing.due_date", "en", due_date="soon") == "Due soon"
    assert catalogue.moment("soon", "en") == "soon"


def test_one_and_many_have_their_own_forms(catalogue: Catalogue) -> None:
    value = Money(2000, "USD")
    assert catalogue.word("slip.note_line", "en", count=1, value=value) == "1 note of $20.00"
    assert catalogue.word("slip.note_line", "es", count=3, value=value) == "3 billetes de $20.00"


def test_a_missing_text_is_shown_by_its_id_and_reported(catalogue: Catalogue) -> None:
    assert catalogue.word("notice.of_next_year", "es") == "[notice.of_next_year]"
    assert ("es", "notice.of_next_year") in catalogue.missing


def test_a_text_that_only_another_language_lacks_falls_back_to_the_first(tmp_path: Path) -> None:
    (tmp_path / "en.po").write_text('msgid "x.new"\nmsgstr "New"\n', encoding="utf-8")
    words = Catalogue.load([tmp_path])
    assert words.word("x.new", "es") == "New"
    assert words.missing == {("es", "x.new")}


def test_a_parameter_that_was_not_given_leaves_a_gap_and_is_reported(catalogue: Catalogue) -> None:
    assert catalogue.word("button.pay", "en") == "Pay …"
    assert ("en", "button.pay") in catalogue.missing


def test_an_unknown_language_speaks_the_first(catalogue: Catalogue) -> None:
    assert catalogue.word("button.back", "tlh") == "Back"
    assert catalogue.word("button.back", "es-MX") == "Atrás"


@given(value=st.text(max_size=40))
def test_a_parameter_is_never_read_as_a_template(value: str) -> None:
    words = _LOADED
    assert words.word("screen.kiosk", "en", kiosk=value) == f"Kiosk {value}"


@given(value=st.sampled_from(["{kiosk}", "{0}", "{kiosk.__class__}", "%(kiosk)s", "{{kiosk}}"]))
def test_a_scanned_field_name_stays_as_it_was_scanned(value: str) -> None:
    assert _LOADED.word("screen.kiosk", "es", kiosk=value) == f"Quiosco {value}"


def test_the_pseudo_language_is_longer_and_keeps_every_parameter(catalogue: Catalogue) -> None:
    for message in ("button.pay", "screen.idle.lead", "fee.late.step"):
        plain = catalogue.word(message, "en", due=Money(1, "USD"), days=7, since_date="2026-03-10")
        pseudo = catalogue.word(message, "qps", due=Money(1, "USD"), days=7, since_date="2026-03-10")
        assert len(pseudo) >= len(plain) * 13 // 10


def test_the_pseudo_language_is_made_from_the_present_english_texts() -> None:
    tool = pseudo_tool()
    stale = [
        target
        for source, target in tool.FILES
        if tool.pseudo_file((ROOT / source).read_text(encoding="utf-8")) != (ROOT / target).read_text(encoding="utf-8")
    ]
    assert stale == [], "run .venv/bin/python tools/pseudo-locale.py"


@given(
    told=st.text(st.characters(blacklist_characters='{}\n"\\'), max_size=60),
    name=st.sampled_from(["due", "since_date"]),
)
def test_a_pseudo_text_keeps_its_parameters_and_is_at_least_as_long(told: str, name: str) -> None:
    made = _PSEUDO.pseudo_words(f"{told} {{{name}}} {told}")
    assert re.findall(r"\{[a-z_]+\}", made) == [f"{{{name}}}"]
    assert len(made) > 2 * len(told) + len(name)


def pseudo_tool() -> ModuleType:
    """The tool that writes the pseudo-language."""
    spec = importlib.util.spec_from_file_location("pseudo_locale", ROOT / "tools" / "pseudo-locale.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_state_of_the_checkout_says_itself_and_how_to_go_on_in_every_language(catalogue: Catalogue) -> None:
    lacking = [
        f"{language}: {family}.{state}"
        for language in LANGUAGES
        for state in State
        for family in ("say", "say_help")
        if not catalogue.has(f"{family}.{state}", language)
    ]
    assert lacking == []


def test_a_right_to_left_language_isolates_every_number_and_amount(catalogue: Catalogue) -> None:
    assert [catalogue.direction(language) for language in LANGUAGES] == ["rtl", "ltr", "ltr", "ltr"]
    assert catalogue.money(Money(-2050, "USD"), "ar") == "\u2068-$20.50\u2069"
    assert catalogue.note(Money(2000, "USD"), "ar") == "\u2068$20\u2069"
    assert "\u206826-04\u2069" in catalogue.word("notice.nothing_due", "ar", number="26-04")
    due = catalogue.word("button.pay", "ar", due=Money(500, "USD"))
    assert due.count("\u2068") == due.count("\u2069") == 1
    assert "\u2068" not in catalogue.word("button.pay", "en", due=Money(500, "USD"))


@pytest.mark.parametrize(("count", "form"), [(1, "فاتورة واحدة"), (2, "فاتورتان"), (3, "فواتير"), (11, "فاتورة")])
def test_arabic_counts_one_two_few_and_many_apart(catalogue: Catalogue, count: int, form: str) -> None:
    assert form in catalogue.word("screen.reviewing.title_several", "ar", count=count)


#: What nobody may be told about a note, in the languages of the product (domain sheet: a refused note is not judged).
ACCUSATIONS = re.compile(r"counterfeit|forged|fake|fals[oa]|falsific|مزو[ّ]?ر|مزي[ّ]?ف|تزوير|زائف", re.IGNORECASE)


def test_no_text_calls_a_note_counterfeit(catalogue: Catalogue) -> None:
    assert ACCUSATIONS.search("billete falso")
    assert ACCUSATIONS.search("ورقة مزورة")
    for language in LANGUAGES:
        for message in catalogue.ids(language):
            # A receipt whose signature is wrong may be called what it is; it is not the citizen's note.
            if not message.startswith("verify."):
                assert not ACCUSATIONS.search(catalogue.template(message, language)), f"{language}: {message}"


def test_notes_refused_again_and_again_point_to_a_person(catalogue: Catalogue) -> None:
    for language, word in (("en", "call"), ("es", "llame"), ("ar", "الاتصال")):
        assert word in catalogue.word("message.note_refused_often", language)


def test_a_language_that_a_city_lays_into_its_texts_works_without_a_change_of_the_program(tmp_path: Path) -> None:
    """A made-up right-to-left language, written as Hebrew is, with a directory of its own."""
    (tmp_path / "tlh").mkdir()
    (tmp_path / "tlh" / "messages.po").write_text(
        'msgid ""\nmsgstr ""\n"Language: he\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
        'msgid "language.name"\nmsgstr "tlhIngan"\n\nmsgid "screen.idle.title"\nmsgstr "naDev yIDIl"\n',
        encoding="utf-8",
    )
    words = Catalogue.load([tmp_path])
    assert words.languages == ("ar", "en", "es", "qps", "tlh")
    assert words.word("language.name", "tlh") == "tlhIngan"
    assert words.direction("tlh") == "rtl"
    assert words.word("screen.idle.title", "tlh") == "naDev yIDIl"
    assert words.word("button.back", "tlh") == "Back"
    assert words.money(Money(2000, "USD"), "tlh") == "\u2068$20.00\u2069"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("en.po", 'msgid "broken\n'),
        ("en.po", 'msgid ""\nmsgstr "Language: xx_NOWHERE\\n"\n'),
        ("english.text.po", 'msgid "a.b"\nmsgstr "c"\n'),
    ],
)
def test_a_broken_catalogue_stops_the_start_and_names_the_file(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(TextError, match=re.escape(name)):
        Catalogue.load([tmp_path])


def test_a_directory_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="not there"):
        Catalogue.load([tmp_path / "texts"])


def test_the_files_are_in_order_for_translators() -> None:
    """Every message once in a file, every translation with the English text beside it."""
    translations = [PRODUCT / language / "messages.po" for language in ("ar", "es")] + [CITY / "ar.po", CITY / "es.po"]
    for path in translations:
        lines = path.read_text(encoding="utf-8").splitlines()
        ids = [line for line in lines if line.startswith('msgid "') and line != 'msgid ""']
        assert len(ids) == len(set(ids))
        assert sum(line.startswith("#. ") for line in lines) == len(ids)


_LOADED = Catalogue.load([CITY])
_PSEUDO = pseudo_tool()
