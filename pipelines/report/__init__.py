"""Pages and plots of what a run has measured, from plain values."""
