"""Every channel the conformance suite runs for. A channel of the registry without a harness fails the suite.

A new channel is one file `channel_<name>.py` that opens its broker, and one entry in CHANNELS.
"""

from __future__ import annotations

from tests.conformance.channel import ChannelHarness
from tests.conformance.channel_kafka import kafka
from tests.conformance.channel_pubsub import pubsub
from tests.conformance.channel_rabbitmq import rabbitmq
from tests.conformance.channel_servicebus import servicebus
from tests.conformance.channel_sqs import sqs_fifo, sqs_standard
from tests.conformance.channel_webhook import webhook

CHANNELS = (
    ChannelHarness("kafka", kafka),
    ChannelHarness("rabbitmq", rabbitmq),
    ChannelHarness("sqs", sqs_standard, "standard", ordered=False),
    ChannelHarness("sqs", sqs_fifo, "fifo"),
    ChannelHarness("pubsub", pubsub),
    ChannelHarness("servicebus", servicebus),
    ChannelHarness("webhook", webhook),
)
