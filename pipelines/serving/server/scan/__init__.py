"""The ops of a foreign model, checked before it is loaded."""
