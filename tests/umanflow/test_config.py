"""The configuration file: every mistake names its key."""

import datetime
from pathlib import Path

import pytest

from scada.sample import Sample
from umanflow.config import read_config
from umanflow.errors import ConfigError
from umanflow.store import open_store

GOOD = """
network = "net.inp"
timezone = "Europe/Kyiv"
[historian]
url = "sqlite:///h.db"
[[devices]]
name = "ps-1"
url = "tcp://127.0.0.1:1502"
"""


def write(folder, text):
    path = folder / "umanflow.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_and_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "net.inp").write_text("")
    config = read_config(write(tmp_path, GOOD))
    assert config.network_path == str(tmp_path / "net.inp")
    assert config.historian_url == f"sqlite:///{tmp_path / 'h.db'}"
    assert config.devices[0].settings().max_registers == 125
    assert config.devices[0].timeout_s == 1.0


def test_a_catalogue_name_stays_a_name(tmp_path):
    assert read_config(write(tmp_path, 'network = "ky4"')).network_path == "ky4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "network"),
        ("network = ", "umanflow.toml"),
        (GOOD + "tiemout_s = 3\n", "devices.0.tiemout_s"),
        (GOOD + "unit = 300\n", "devices.0.unit"),
        (GOOD + "max_registers = 126\n", "devices.0.max_registers"),
        (GOOD.replace("Europe/Kyiv", "Europe/Uman"), "Europe/Uman"),
        (GOOD + '[[devices]]\nname = "ps-1"\nurl = "tcp://127.0.0.1:1503"\n', "twice"),
        (GOOD + '\n[tags]\naddressing = "octal"\n', "tags.addressing"),
        ('folder = "/"\n' + GOOD, "folder"),
        (GOOD.replace("[historian]", "[historian]\nbatch_s = 0"), "historian.batch_s"),
        (GOOD.replace("[historian]", '[historian]\nwhen_full = "drop"'), "historian.when_full"),
        (GOOD.replace("[historian]", "[historian]\ntag_retention_days = { a = -1 }"), "historian.tag_retention_days.a"),
    ],
)
def test_mistakes_name_their_key(tmp_path, text, words):
    with pytest.raises(ConfigError) as error:
        read_config(write(tmp_path, text))
    assert words in str(error.value)
    assert "\n" not in str(error.value).strip()


def test_the_historian_is_opened_as_configured(tmp_path):
    text = GOOD.replace(
        "[historian]",
        "[historian]\nbatch_s = 0.25\nbatch_rows = 10\nspool = 'waiting'\nspool_mb = 0.5\nwhen_full = 'keep-oldest'\n"
        "retention_days = 400\ntag_retention_days = { a = 30 }",
    )
    config = read_config(write(tmp_path, text))
    settings = config.historian.settings()
    assert (settings.batch_s, settings.batch_rows, settings.policy) == (0.25, 10, "keep-oldest")
    assert (settings.retention.days, dict(settings.retention.tag_days)) == (400.0, {"a": 30.0})
    store = open_store(config)
    store.append([Sample("a", 0, 0, 1.0), Sample("b", 0, 0, 1.0)])
    assert (tmp_path / "waiting").is_dir()
    store.flush()
    store.close()
    assert (tmp_path / "h.db").is_file()
    assert not (tmp_path / "waiting").exists()


def test_a_server_has_its_spool_beside_the_configuration(tmp_path):
    text = GOOD.replace("sqlite:///h.db", "postgresql://umanflow@127.0.0.1:1/none")
    config = read_config(write(tmp_path, text))
    store = open_store(config, may_be_away=True)
    store.append([Sample("a", 0, 0, 1.0)])
    store.close()
    assert (tmp_path / "umanflow-spool").is_dir()


CALENDAR = """
network = "uman"
[calendar]
country = "UA"
holidays = ["08-19"]
[[calendar.events]]
name = "pilgrimage"
begins = "rosh-hashanah-2"
days = 8
"""


def test_calendar_names_holidays_and_the_pilgrimage(tmp_path):
    special = read_config(write(tmp_path, CALENDAR)).calendar.special_days()
    assert special.holiday(datetime.date(2026, 8, 24)) == "Independence Day"
    assert special.holiday(datetime.date(2026, 8, 19)) == "08-19"
    event, day = special.event(datetime.date(2026, 9, 12))
    assert (event.name, day) == ("pilgrimage", 2)
    assert special.event(datetime.date(2026, 9, 9)) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"UA"', '"XX"', "calendar: .*no holidays of 'XX'"),
        ("08-19", "19.08.", r"calendar: .*'19\.08\.' names no day"),
        ("rosh-hashanah-2", "autumn", "calendar: .*'autumn' names no day"),
        ("days = 8", "days = 0", r"calendar\.events\.0\.days"),
    ],
)
def test_a_wrong_calendar_names_its_mistake(tmp_path, old, new, words):
    with pytest.raises(ConfigError, match=words):
        read_config(write(tmp_path, CALENDAR.replace(old, new)))


def test_the_configuration_of_uman_knows_its_pilgrimage():
    uman = Path(__file__).parents[2] / "networks" / "uman" / "umanflow.toml"
    special = read_config(uman).calendar.special_days()
    assert special.event(datetime.date(2027, 9, 14))[0].name == "pilgrimage"
