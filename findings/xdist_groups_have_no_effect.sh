#!/usr/bin/env bash
# pytest 9.2.0 with pytest-xdist 3.8.0: with --dist loadgroup, tests marked with one xdist_group are spread over the workers, without a
# word. The plugin writes the group into the item's private node id, which this pytest no longer reads. What a group was to share (a
# server, a port, a built database) is made in every worker, or fought over.
# Seen: six tests of one group ran in gw0 and gw1. Fails when one worker gets them all.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0 pytest-xdist==3.8.0
cat > test_group.py <<'P'
import os
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("n", range(6))
def test_of_one_group(n):
    time.sleep(0.2)
    with open("workers.txt", "a") as f:
        f.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
P
venv/bin/python -m pytest -q -n 2 --dist loadgroup test_group.py
sort workers.txt | uniq -c
test "$(sort -u workers.txt | wc -l)" = 2
