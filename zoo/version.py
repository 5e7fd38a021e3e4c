"""The version of zootune."""

VERSION = "0.1.0"
