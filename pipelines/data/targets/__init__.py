"""The kinds of labels: how each is read, checked, counted and divided into splits."""
