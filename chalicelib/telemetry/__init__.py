"""Logs and metrics, for every layer above domain.

log = logging.getLogger("paymentserver.checkout")
with telemetry.bind(payment_id=payment.id):
    log.info("checkout opened", extra={"fields": {"connector": "sandbox"}})
telemetry.count("checkouts_total", outcome="opened")
"""

from chalicelib.telemetry.logs import ALLOWED, bind, bound, configure_logging, note
from chalicelib.telemetry.metrics import METRICS, UndeclaredMetric, count, gauge, observe

__all__ = [
    "ALLOWED",
    "METRICS",
    "UndeclaredMetric",
    "bind",
    "bound",
    "configure_logging",
    "count",
    "gauge",
    "note",
    "observe",
]
