"""Texts that identify something and are looked up by an index, which takes no more than some 2,700 bytes: kept short.

bounded("x" * 20_000)  ->  "xxx…xxx…sha256:7f0c…" (the first characters and the digest of all)
"""

import hashlib

LONGEST = 200
"""Characters of an identifier that is kept as it is."""
KEPT = 100
"""Characters that are kept of a longer one."""
MARK = "…sha256:"
SHORTENED = f"{MARK}[0-9a-f]{{64}}$"
"""Regular expression by which a shortened identifier is known."""


def bounded(text: str) -> str:
    """The identifier itself, or, where it is too long, its beginning and its digest: different texts stay different.

    >>> bounded("10611-1")
    '10611-1'
    """
    if len(text) <= LONGEST:
        return text
    return text[:KEPT] + MARK + hashlib.sha256(text.encode()).hexdigest()
