"""Which product each simulated platform runs. The line knows it from the institution files, the simulator from here."""

from yuyan.domain import contracts

VERSIONED, LEGACY, EXCHANGE, FILES = "rest-versioned", "rest-legacy", "exchange-database", "file-drop"

COMMISSION = "50000"

ASSIGNMENT = {
    VERSIONED: ("10611", "10635", "10617", "10631", "11799"),
    LEGACY: ("10618", "10637", "10652", "11660", "10650"),
    EXCHANGE: ("10643", "11551", "91012", "10642"),
    FILES: ("10655", "10647", "89650", "92036", COMMISSION),
}

UNANNOUNCED = {VERSIONED: "10617", LEGACY: "10637", EXCHANGE: "11551", FILES: "10647"}
"""The institution of each product whose student table carries a guardian's telephone number nobody announced."""

_PRODUCT_OF = {inst: product for product, insts in ASSIGNMENT.items() for inst in insts}


def product_of(inst: str) -> str:
    """Product of an institution; one that is not in the table runs rest-versioned."""
    return _PRODUCT_OF.get(inst, VERSIONED)


def entities_of(inst: str) -> list[contracts.Contract]:
    """Contracts an institution serves: the commission its own, a university those of universities."""
    owner = "commission" if inst == COMMISSION else "university"
    return [c for c in contracts.load().values() if c.owner == owner]


def unannounced(inst: str, entity: str) -> bool:
    """Whether this table carries the unannounced guardian_phone."""
    return entity == "student" and UNANNOUNCED.get(product_of(inst)) == inst
