"""The theme that is kept is the one that Streamlit reads."""

from __future__ import annotations

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import CustomThemeConfig, NewSession
from streamlit.runtime import app_session

from avcache.ui.components.theme import keep_theme
from tests.servers import ROOT


@pytest.mark.parametrize("section", ["theme", "theme.light", "theme.dark", "theme.sidebar"])
def test_a_kept_theme_is_the_one_that_streamlit_reads(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config.get_config_options(force_reparse=True)
    own = app_session._populate_theme_msg
    expected, first, again = CustomThemeConfig(), CustomThemeConfig(), CustomThemeConfig()
    own(expected, section)
    monkeypatch.setattr(app_session, "_populate_theme_msg", own)

    keep_theme()
    app_session._populate_theme_msg(first, section)
    app_session._populate_theme_msg(again, section)

    assert app_session._populate_theme_msg is not own
    assert first == again == expected != CustomThemeConfig()


def test_where_no_theme_is_set_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_session, "_populate_theme_msg", app_session._populate_theme_msg)
    monkeypatch.setattr(config, "get_options_for_section", lambda _section: {"base": None})
    message = NewSession()

    keep_theme()
    app_session._populate_theme_msg(message.custom_theme)
    app_session._populate_theme_msg(message.custom_theme.dark, "theme.dark")

    assert not message.HasField("custom_theme")


def test_another_streamlit_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(app_session, "_populate_theme_msg")

    keep_theme()

    assert not hasattr(app_session, "_populate_theme_msg")
