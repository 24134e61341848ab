"""The theme that is kept is the one that Streamlit reads."""

from __future__ import annotations

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
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
