"""Text and HTML that are safe to print, whatever the data contain."""
