"""Sections of the page of a run: from its files to the values of a template each."""
