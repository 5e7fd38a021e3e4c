"""Files of weights: where they are, and what is in them."""

from zoo.weights.files import is_available

__all__ = ["is_available"]
