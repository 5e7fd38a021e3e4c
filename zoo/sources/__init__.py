"""One thin loader per kind of row. Loaders do not know each other.

A loader has `network(spec, pixels, weights_file)`: it applies the row's network without
its classifier to `pixels`, a symbolic tensor `[batch, height, width, 3]` in the row's
own convention, fills it from a verified file or leaves it random without one,
and gives the feature map.
"""
