"""Classes that come, go or become one after a run, without training anew."""
