"""The figures of `/metrics`: what waits goes up and down with the decisions, what ended is counted once."""

from prometheus_client import REGISTRY

from bot import metrics


def figure(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_waits_is_what_was_decided_last():
    before, others = (figure("callboard_waiting", reason=reason) for reason in ("turn_1", "worker"))
    metrics.decided("epic:a", ["turn_1", "worker", "worker"])
    metrics.decided("epic:b", ["turn_1"])
    assert figure("callboard_waiting", reason="turn_1") == before + 2
    metrics.decided("epic:a", ["worker"])
    assert figure("callboard_waiting", reason="turn_1") == before + 1
    metrics.decided("epic:a", ())
    metrics.decided("epic:b", ())
    assert figure("callboard_waiting", reason="turn_1") == before
    assert figure("callboard_waiting", reason="worker") == others, "those of other tests"


def test_a_run_is_counted_by_how_it_ended_with_its_time_and_cost():
    metrics.run_ended("dev", "fix", 12.5, {"kind": "success", "cost_usd": 0.25})
    metrics.run_ended("dev", "fix", 1.0, {"error": {"type": "Transient"}})
    assert figure("callboard_runs_total", stage="dev", prompt="fix", ended="success") >= 1
    assert figure("callboard_runs_total", stage="dev", prompt="fix", ended="error") >= 1
    assert figure("callboard_run_seconds_count", prompt="fix") >= 2
    assert figure("callboard_cost_usd_total", stage="dev") >= 0.25


def test_an_api_that_says_nothing_changes_no_figure():
    metrics.calls_left("linear", requests=4999, complexity=77)
    metrics.calls_left("linear", requests=4998, complexity=None)
    assert figure("callboard_api_left", api="linear", kind="requests") == 4998
    assert figure("callboard_api_left", api="linear", kind="complexity") == 77
