"""Writes chalicelib/storage/dictionary_<number>.txt: what documents of ours have in common, for the codec of DynamoDB's items.

Run once for a number (``python -m tests.storage.make_dictionary 2``), and never again: what was packed with a dictionary
can be read with that one alone. A new one is worth it when documents have come to look different.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chalicelib.domain.money import Money
from chalicelib.domain.payment import Address, Customer, Line
from chalicelib.services.kinds import DELIVERY, PAYMENT
from chalicelib.storage.memory import MemoryStore
from tests.psp import DECLINE, SimulatedPsp
from tests.services.histories import CANCEL, CAPTURE, REFUND, held, pay
from tests.world import World

FOLDER = Path(__file__).parents[2] / "chalicelib" / "storage"
BYTES_MAX = 16_384  # deflate looks back 32 kB; more costs time with each document and gives little


class Kept(MemoryStore):
    """Remembers each document as it was last written, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, dict[str, bytes]] = {}

    def put(self, kind: Any, value: Any, *, expect: Any) -> Any:
        self.documents.setdefault(kind.name, {})[kind.id_of(value)] = kind.encode(value)
        return super().put(kind, value, expect=expect)


def documents(folder: Path) -> list[bytes]:
    """What resembles most documents most comes last, where deflate reaches it at the least cost."""
    store = Kept()
    world = World(folder, store, psps={name: SimulatedPsp(name) for name in ("psp-1", "psp-2")})
    address = Address(line1="Example Street 1", city="Amsterdam", postal_code="1012 AB", country="NL")
    rich = world.open(
        "rich",
        payment_method="card",
        locale="en-GB",
        country="NL",
        customer=Customer(email="shopper@example.com", id="customer-1"),
        billing_address=address,
        shipping_address=address,
        lines=(Line("A book", 1, Money(1000, "EUR"), "sku-1"),),
        metadata={"basket": "1"},
    ).payment
    world.settle()
    voided = held(world, key="voided")
    world.do(CANCEL, voided.id, "cancel-1")
    world.settle()
    captured = held(world, key="captured")
    world.do(CAPTURE, captured.id, "capture-1", 400)
    world.settle()
    world.psps["psp-1"].script = lambda order: DECLINE
    paid = world.open("paid").payment
    pay(world, paid)
    world.do(REFUND, paid.id, "refund-1", 400, reason="returned")
    world.settle()
    payments, deliveries = store.documents[PAYMENT.name], list(store.documents[DELIVERY.name].values())
    return [payments[voided.id], payments[captured.id], *deliveries[-2:], payments[rich.id], payments[paid.id]]


def main(number: int) -> None:
    target = FOLDER / f"dictionary_{number}.txt"
    if target.exists():
        raise SystemExit(f"{target} exists and must not change")
    with TemporaryDirectory() as folder:
        made = documents(Path(folder))
    print([len(one) for one in made])
    target.write_bytes(b"\n".join(made)[-BYTES_MAX:])


if __name__ == "__main__":
    main(int(sys.argv[1]))
