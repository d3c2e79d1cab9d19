"""What the bill of a payment needs and no run on this machine can tell. Change a number, and see what it does."""

from __future__ import annotations

import math

PSP_MS = 300.0  # a PSP's answer to one call
SUBSCRIBER_MS = 100.0  # an endpoint's answer
DATABASE_MS = 5.0  # DynamoDB's answer
QUEUE_MS = 10.0  # SQS' answer
AWS_CALL_CPU_MS = 0.7  # what botocore computes for a call; the ports here call nobody
MEMORY_OF_A_CPU_MB = 1769.0  # with so much memory a function has one processor
COLD_SHARE, INIT_MS = 0.005, 500.0  # of invocations, and what a cold one is billed for beside its work
SAMPLED = 0.05  # of traces, beyond the first of each second
SEND_MAX, POLLERS, POLL_S = 10, 5, 20  # messages of a request; pollers of an event source, and how long each waits
MINUTES = 43_800  # of a month
ENTRY_BYTES = 100  # that DynamoDB adds to each item and index entry for storage

_ID, _TRACE = "5f2c1ab0-3d0e-4b6a-9c55-000000000001", "1-67891233-abcdef012345678912345678"
# What Lambda itself writes for each invocation.
PLATFORM_LINES = (
    f"START RequestId: {_ID} Version: $LATEST\n",
    f"END RequestId: {_ID}\n",
    f"REPORT RequestId: {_ID}\tDuration: 312.45 ms\tBilled Duration: 313 ms\tMemory Size: 512 MB\tMax Memory Used: 142 MB\t\n"
    f"XRAY TraceId: {_TRACE}\tSegmentId: 3f1a2b3c4d5e6f70\tSampled: true\t\n",
)
LINE_BYTES = 26  # that CloudWatch Logs adds to each event


def share_of_a_cpu(memory_mb: float) -> float:
    return min(memory_mb / MEMORY_OF_A_CPU_MB, 1.0)


def billed_ms(cpu_ms: float, waits_ms: float, memory_mb: float) -> float:
    """Of one invocation; the last millisecond begun counts whole."""
    return math.ceil(cpu_ms / share_of_a_cpu(memory_mb) + waits_ms) + COLD_SHARE * INIT_MS
