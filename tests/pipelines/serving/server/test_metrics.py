"""Metrics have the names that dashboards for TensorFlow Serving ask for."""

from prometheus_client.parser import text_string_to_metric_families

from pipelines.serving.server.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple, float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_counts_and_times_have_names_of_tensorflow_serving():
    metrics = Metrics()
    for status in ("OK", "OK", "NOT_FOUND"):
        metrics.answered(
            "m", api="Predict", entrypoint="REST", status=status, seconds=0.001
        )
    metrics.computed("m", 0.002)
    metrics.batch("m", rows=3, waited_seconds=[0.001, 0.003])
    metrics.load_failed("m")
    metrics.poll_failed("m")
    metrics.in_flight(7)
    seen = samples(metrics)
    assert seen[":tensorflow:serving:request_count", "m", "OK"] == 2
    assert seen[":tensorflow:serving:request_count", "m", "NOT_FOUND"] == 1
    latency = ":tensorflow:serving:request_latency_sum"
    assert seen[latency, "Predict", "REST", "m"] == 3000
    assert seen[":tensorflow:serving:runtime_latency_sum", "m"] == 2000
    queued = ":tensorflow:serving:batching_session:queuing_latency"
    assert seen[f"{queued}_count", "m"] == 2
    assert seen[f"{queued}_sum", "m"] == 4000
    assert seen[":zootune:serving:batch_rows_sum", "m"] == 3
    assert seen[":zootune:serving:load_failures", "m"] == 1
    assert seen[":zootune:serving:poll_failures", "m"] == 1
    assert seen[":zootune:serving:requests_in_flight",] == 7


def test_servers_in_one_process_count_apart():
    first, second = Metrics(), Metrics()
    first.load_failed("m")
    assert (":zootune:serving:load_failures", "m") not in samples(second)
