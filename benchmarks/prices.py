"""List prices of AWS in us-east-1, in US dollars, as they were known in November 2026, without the free tier.

They change: check each before you rely on a sum of them. None is asked for at run time.
"""

from __future__ import annotations

from dataclasses import dataclass

MILLION, GB = 1_000_000, 1_000_000_000
AS_OF = "November 2026"


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` for so many of a unit."""

    usd: float
    per: int
    unit: str
    source: str

    def of(self, quantity: float) -> float:
        return self.usd * quantity / self.per

    @property
    def shown(self) -> str:
        per = {MILLION: "a million ", GB: "a billion ", 1: "a "}[self.per]
        return f"${self.usd:g} {per}{self.unit}"


DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
LAMBDA = "https://aws.amazon.com/lambda/pricing/"
SQS = "https://aws.amazon.com/sqs/pricing/"
API_GATEWAY = "https://aws.amazon.com/api-gateway/pricing/"
CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"
XRAY = "https://aws.amazon.com/xray/pricing/"
KMS = "https://aws.amazon.com/kms/pricing/"
EC2 = "https://aws.amazon.com/ec2/pricing/on-demand/"

PRICES: dict[str, Price] = {
    # what a payment uses
    "write unit": Price(0.625, MILLION, "write request units", DYNAMODB),
    "read unit": Price(0.125, MILLION, "read request units", DYNAMODB),
    "storage": Price(0.25, GB, "bytes for a month", DYNAMODB),
    "point-in-time recovery": Price(0.20, GB, "bytes for a month", DYNAMODB),
    "invocation": Price(0.20, MILLION, "invocations", LAMBDA),
    "duration": Price(13.3334, MILLION, "GB-seconds on arm64", LAMBDA),
    "queue request": Price(0.40, MILLION, "requests of up to 64 kB", SQS),
    "API request": Price(3.50, MILLION, "REST API calls of up to 512 kB", API_GATEWAY),
    "log": Price(0.50, GB, "bytes taken in", CLOUDWATCH),
    "trace": Price(5.00, MILLION, "traces recorded", XRAY),
    "transfer": Price(0.09, GB, "bytes out to the Internet", EC2),
    # what is paid each month whatever happens
    "key": Price(1.00, 1, "key a month", KMS),
    "alarm": Price(0.10, 1, "metric of an alarm a month", CLOUDWATCH),
    "dashboard": Price(3.00, 1, "dashboard a month", CLOUDWATCH),
    "own metric": Price(0.30, 1, "metric of a log filter a month", CLOUDWATCH),
}
