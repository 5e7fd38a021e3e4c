"""The kinds of problems: one file for each, behind one protocol."""
