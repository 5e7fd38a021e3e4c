"""Plots of the page of a run: SVG by matplotlib, in the colours of the page."""
