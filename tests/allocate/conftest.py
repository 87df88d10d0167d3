"""Schemes that compute quickly; Hypothesis keeps what it keeps below the work folder."""

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from yuyan import settings

set_hypothesis_home_dir(settings.PROJECT / ".yuyan" / "hypothesis")


@pytest.fixture
def quick(quick_schemes, monkeypatch) -> None:
    """Schemes that compute quickly."""
    monkeypatch.setenv("YUYAN_SCHEMES", str(quick_schemes))
