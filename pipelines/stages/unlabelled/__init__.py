"""Examples without labels: read, judged, and learned from where that helps."""
