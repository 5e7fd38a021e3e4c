"""Graphs of Keras networks: blocks, their boundaries, folding, preprocessing."""
