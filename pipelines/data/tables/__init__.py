"""Tables of numbers and categories: their columns, rows and files."""
