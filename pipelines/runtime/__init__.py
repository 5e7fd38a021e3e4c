"""The process and the machine that everything runs in."""
