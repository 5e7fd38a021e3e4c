"""Workers agree before they train; two of them do in `test_distribution`."""

from pipelines.runs.agreement import agree, gather_workers
from pipelines.training.distributed.distribution import ONE_DEVICE
from tests.support.small_runs import config_for


def test_one_worker_agrees_with_itself(tmp_path, prepared, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    distribution = gather_workers(config_for(tmp_path, distribution="none"))
    assert distribution is ONE_DEVICE
    assert agree(prepared, distribution).plan == prepared.plan
