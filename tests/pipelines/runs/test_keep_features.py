import json

import numpy as np

from pipelines.features import kept_features


def test_run_keeps_what_its_head_reads(finished_run):
    report = json.loads((finished_run / "report.json").read_text())
    kept = kept_features.load(finished_run / "checkpoints" / kept_features.FILE_NAME)
    assert list(kept.class_names) == report["class_names"]
    assert kept.backbone == report["backbone"]["sha256"]
    counts = report["data"]["counts"]
    for name, split in kept.splits.items():
        classes = np.bincount(split.labels, minlength=10).tolist()
        assert classes == list(counts[name].values())
        assert split.features.shape[1] == sum(kept.widths)
