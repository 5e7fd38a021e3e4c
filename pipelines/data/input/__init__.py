"""The input of `fit`: batches, their order, augmentation, cached pixels."""
