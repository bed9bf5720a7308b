"""The page about Zoom names every setting, every event and every identifier that the product has."""
from __future__ import annotations

from pathlib import Path

from lrs.schema import COMMON
from lrs.sources.registry import SOURCES
from lrs.sources.zoom.identity import ACCOUNTS, HOME
from lrs.sources.zoom.signature import TOLERANCE
from lrs.sources.zoom.translate import storable

PAGE = (Path(__file__).parents[2] / "docs" / "zoom.md").read_text()


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = [line for line in PAGE.split("## Settings")[1].splitlines() if line.startswith("| `")]
    for setting in SOURCES["zoom"]:
        [row] = [line for line in rows if f"`{setting.name}`" in line.split("|")[1]]
        if setting.default is not None and setting not in COMMON:
            assert str(setting.default) in row, setting.name


def test_every_account_of_a_participant_is_told() -> None:
    for name, prefix in ACCOUNTS.items():
        assert f"`{HOME}\\|{prefix}:<" in PAGE
        assert f"`{name}`" in PAGE


def test_what_is_said_to_be_masked_is() -> None:
    for name in ("download_token", "password", "recording_play_passcode"):
        assert f"`{name}`" in PAGE
        assert storable(b'{"%s": "x"}' % name.encode()) == b'{"%s": "***"}' % name.encode()


def test_the_window_is_the_one_that_is_told() -> None:
    assert TOLERANCE == 300
    assert "less than five minutes ago" in PAGE
