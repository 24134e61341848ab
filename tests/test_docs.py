"""What the documents say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

import avcache
from avcache.api.routes import build_app
from avcache.config import Settings
from avcache.market.scoring.measures import MEASURES, Measure
from avcache.market.scoring.profiles import ProfileName
from avcache.runtime import shared
from tests.servers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SCORES = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def shown(default: object) -> str:
    """A default as a person writes it."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float) and default.is_integer():
        return str(int(default))
    return str(default)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_stands_in_the_readme_with_its_default(field: str) -> None:
    default = shown(Settings.model_fields[field].default)

    cell = f"`{default}`" if default else "–"
    assert f"| `{field.upper()}` | {cell} |" in README


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_stands_in_the_example_with_its_default(field: str) -> None:
    default = shown(Settings.model_fields[field].default)

    assert f"# {field.upper()}={default}\n" in EXAMPLE


def test_the_example_names_no_setting_that_does_not_exist() -> None:
    names = re.findall(r"^# ([A-Z_]+)=", EXAMPLE, flags=re.MULTILINE)

    assert sorted(names) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_every_measure_stands_in_the_documents_with_its_formula(measure: Measure) -> None:
    assert f"| `{measure.name}` | {measure.formula} | {measure.rows:,} | {measure.source or '–'} |" in SCORES


@pytest.mark.parametrize("profile", get_args(ProfileName))
def test_every_profile_stands_in_the_documents(profile: str) -> None:
    assert f"`{profile}`" in SCORES


def test_every_route_stands_in_the_readme() -> None:
    paths = build_app(shared).openapi()["paths"]

    calls = [f"`{method.upper()} /api{path}" for path, methods in paths.items() for method in methods]
    assert len(calls) == 8
    assert [call for call in calls if call not in README] == []


def test_every_public_name_stands_in_the_readme_or_the_changelog() -> None:
    told = README + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert [name for name in avcache.__all__ if name not in told] == []


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "docs/architecture.md"])
def test_what_a_document_links_to_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")

    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (Path(ROOT / document).parent / target).exists()] == []
