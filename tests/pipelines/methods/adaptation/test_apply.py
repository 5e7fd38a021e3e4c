"""Methods by name, and measurements of both domains."""

import numpy as np

from pipelines.config.schema import CHOICES
from pipelines.methods.adaptation.apply import FUNCTIONS, adapt, measured
from pipelines.methods.adaptation.head import unchanged
from pipelines.planning.adaptation.methods import METHODS
from tests.pipelines.methods.adaptation.gaussians import SETTINGS, shifted_domains


def test_every_method_has_a_row_and_function():
    on_features = {name for name, method in METHODS.items() if not method.passes}
    assert set(FUNCTIONS) == on_features
    assert set(CHOICES["adapt.method"]) == {"auto", "none", *METHODS}


def test_methods_that_train_have_a_hidden_layer():
    domains, _ = shifted_domains()
    for name in ("standardise", "mcc"):
        head = adapt(name, domains, SETTINGS).head
        assert bool(head.hidden_units) == METHODS[name].trains


def test_measured_falls_where_domains_are_made_alike():
    domains, _ = shifted_domains()
    before = measured(domains, unchanged(domains.probe))
    after = measured(domains, adapt("standardise", domains, SETTINGS))
    assert before.distance > 1 > 0.4 > after.distance
    assert before.share_difference > after.share_difference
    np.testing.assert_allclose(sum(after.target_shares), 1)
    assert before.validation_accuracy > 0.85
