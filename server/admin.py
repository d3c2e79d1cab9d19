"""Chores for whoever runs PaymentServer: ``python -m server.admin audit-verify``, ``rotate-keys``, ``new-key-ring``,
``rebuild-statistics``.

It works on the same database and files as the server, which may keep running.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from chalicelib.domain.errors import PaymentServerError
from chalicelib.services.audit import INSTALLATION, Actor, Verification, merchants_of, verify
from chalicelib.services.audit_objects import contradiction_of
from chalicelib.services.reseal import note_lost_ring, reseal_all
from chalicelib.services.roll_up import rebuild
from chalicelib.vault.keyring import KeyRing
from chalicelib.wiring import Wiring, wiring


def main(arguments: Sequence[str] | None = None, wired: Wiring | None = None) -> int:
    """0 when all is well, 1 when a chain is broken or a chore failed; 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    wired = wired or wiring()
    try:
        if options.chore == "rotate-keys":
            wired.store.migrate()
            return _rotate_keys(wired)
        if options.chore == "new-key-ring":
            wired.store.migrate()
            return _new_key_ring(wired)
        if options.chore == "rebuild-statistics":
            wired.store.migrate()
            return _rebuild_statistics(wired, options.merchant, options.since, options.until)
        return _verify_audit(wired, options.merchant, options.expect_head)
    except PaymentServerError as error:
        print(f"{type(error).__name__}: {error.detail}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server.admin", description=__doc__)
    chores = parser.add_subparsers(dest="chore", required=True)
    audit = chores.add_parser("audit-verify", help="walk the audit log's chain of hashes and say where it breaks")
    audit.add_argument("--merchant", help="one merchant account; by default all of them, and the installation's chain")
    audit.add_argument(
        "--expect-head", metavar="HASH", help="a head noted earlier, which must still be in the chain; needs --merchant"
    )
    chores.add_parser(
        "rotate-keys",
        help="seal every stored secret again: with a new key of the key ring, or new data keys of AWS KMS",
    )
    chores.add_parser(
        "new-key-ring", help="begin anew where the key ring is lost for good; every secret must then be entered again"
    )
    statistics = chores.add_parser("rebuild-statistics", help="recount closed hours from the payments")
    statistics.add_argument(
        "--from", dest="since", metavar="TIME", required=True, type=_time, help="2026-01-31, or RFC 3339"
    )
    statistics.add_argument("--to", dest="until", metavar="TIME", type=_time, help="not included; now by default")
    statistics.add_argument("--merchant", help="one merchant account; by default all of them")
    return parser


def _time(text: str) -> datetime:
    """Without a zone it is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _verify_audit(wired: Wiring, merchant: str | None, expect_head: str | None) -> int:
    if expect_head is not None and merchant is None:
        print("--expect-head needs --merchant: each merchant account has a chain of its own.", file=sys.stderr)
        return 2
    chains = [merchant] if merchant else [INSTALLATION, *merchants_of(wired.store)]
    broken = 0
    for merchant_id in chains:
        found = verify(wired.store, merchant_id, expect_head)
        problem = found.problem or _problem_of(wired, found)
        name = "the installation" if merchant_id == INSTALLATION else f"merchant account {merchant_id}"
        state = "holds" if problem is None else f"BROKEN: {problem}"
        print(f"{name}: {found.entries} entries, head {found.head}: {state}")
        broken += problem is not None
    return 1 if broken else 0


def _problem_of(wired: Wiring, found: Verification) -> str | None:
    """What is wrong with a chain that holds in itself."""
    if found.merchant_id == INSTALLATION:
        return None
    if not found.entries:
        return "there are no entries; either there is no such merchant account, or all of its log was removed"
    return contradiction_of(wired.store, found.merchant_id)


def _rebuild_statistics(wired: Wiring, merchant: str | None, since: datetime, until: datetime | None) -> int:
    until = until or wired.ports.clock.now()
    for merchant_id in [merchant] if merchant else merchants_of(wired.store):
        done = rebuild(wired.ports, merchant_id, since, until)
        print(f"merchant account {merchant_id}: {done.hours} closed hours recounted, {done.changed} of them corrected")
    return 0


def _named(key_id: str) -> str:
    """AWS KMS renews its keys by itself, so there the data keys are what is new."""
    mark = key_id.removeprefix("kms:")
    return (
        f"key {key_id}" if mark == key_id else f"a new data key under each KMS key (the one of credentials is {mark})"
    )


def _rotate_keys(wired: Wiring) -> int:
    key_id = wired.vault.rotate()
    done = reseal_all(wired.ports, Actor(getpass.getuser(), "server.admin"), key_id)
    print(f"{_named(key_id)} seals from now on; {done.secrets} secrets of {done.objects} objects were sealed again")
    return 0


def _new_key_ring(wired: Wiring) -> int:
    if not isinstance(wired.vault, KeyRing):
        print("AWS KMS keeps the keys here: there is no key ring to begin anew.", file=sys.stderr)
        return 2
    key_id = wired.vault.begin_anew()
    lost = note_lost_ring(wired.ports, Actor(getpass.getuser(), "server.admin"), key_id)
    print(f"key {key_id} seals from now on. These hold secrets that no key opens any more; enter them again:")
    for one in lost:
        print(f"  merchant account {one.merchant_id}: {one.kind} {one.id}{' (deleted)' if one.deleted else ''}")
    print("Return links and webhook addresses of earlier payments are void.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
