"""Methods beside a head that is trained on labelled examples of its own domain."""
