"""Encoded images: their headers, how they are decoded, what damage looks like."""
