"""Adaptation to another domain as plain data: methods, measurements, advice."""
