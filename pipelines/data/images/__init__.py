"""Encoded images: headers, decoding and damage."""
