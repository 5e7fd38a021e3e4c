"""Sharded records, written by one process or by Apache Beam."""
