"""Pages and plots of the measurements of a run, from plain values."""
