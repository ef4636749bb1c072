"""What follows from log events that were added: deliveries to subscribed functions, and metrics."""

from cloudlet.services.logs.arrivals import Arrival
from cloudlet.services.logs.deliveries import put_batch, put_metric_data
from cloudlet.services.logs.embedded_metrics import MARK, add_embedded_metrics
from cloudlet.services.logs.metric_data import MetricData
from cloudlet.services.logs.metric_filters import add_filtered_metrics
from cloudlet.services.logs.subscription_filters import subscribed
from cloudlet.store import Outbox, Transaction


def follow(tx: Transaction, outbox: Outbox, arrival: Arrival) -> None:
    """To be called in the write that adds the events; most of them have no mark, and their log groups no filters."""
    marked = [event["message"] for event in arrival.events if MARK in event["message"]]
    if not marked and not arrival.group.filters:
        return
    data = MetricData()
    for message in marked:
        add_embedded_metrics(data, message)
    if arrival.group.filters:
        add_filtered_metrics(tx, data, arrival)
        for destination, batch in subscribed(tx, arrival):
            put_batch(outbox, tx, destination, batch)
    for namespace, some in data.batches():
        put_metric_data(outbox, tx, arrival.account, arrival.region, namespace, some)
