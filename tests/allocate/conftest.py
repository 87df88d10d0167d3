"""Hypothesis keeps what it keeps below the work folder."""

from hypothesis.configuration import set_hypothesis_home_dir

from yuyan import settings

set_hypothesis_home_dir(settings.PROJECT / ".yuyan" / "hypothesis")
