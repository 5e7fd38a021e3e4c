"""Backbones compared on data, by linear probes."""
