"""Domain confusion by alternating steps."""

from pipelines.methods.adaptation.confusion import confusion
from tests.pipelines.methods.adaptation.gaussians import (
    SETTINGS,
    right,
    shifted_domains,
)


def test_confusion_beats_the_source_head_on_shift():
    domains, truth = shifted_domains()
    adapted = confusion(domains, SETTINGS)
    before = right(domains.probe, domains.target, truth)
    assert right(adapted.head, domains.target, truth) > before + 0.2
