"""The page on connecting an institution shows a file that works."""

import re
from pathlib import Path

import yaml

from yuyan import settings
from yuyan.domain import institutions

PAGE = settings.PROJECT / "docs" / "how-to" / "connect-an-institution.md"


def test_the_file_shown_is_accepted_and_every_key_is_explained(tmp_path: Path):
    page = PAGE.read_text(encoding="utf-8")
    shown = re.search(r"```yaml\n(.*?)```", page, re.S)[1]
    shown = re.sub(r"^   ", "", shown, flags=re.M)
    code = yaml.safe_load(shown)["inst_code"]
    (tmp_path / f"{code}.yml").write_text(shown, encoding="utf-8")
    (one,) = institutions.load(tmp_path).values()
    assert one.name == "重庆大学"
    for key in institutions._File.model_fields:
        assert key in page
