"""Publish numbered clicks to a Redis Stream, and stream all that is there into a store."""

from workbench import features


def publish(address, numbers, stream="s0", pieces=1, **options):
    publisher = features.RedisPublisher(address, stream, **options)
    for start in range(pieces):
        some = numbers[start::pieces]
        publisher.publish("click", {"event": some, "item": [number % 7 for number in some]})
    publisher.close()


def catch_up(address, store, streams=("s0",), **options):
    source = features.RedisStreamSource(address, streams, **options)
    try:
        return features.stream(source, store, batch_ms=5, until="caught up")
    finally:
        source.close()
