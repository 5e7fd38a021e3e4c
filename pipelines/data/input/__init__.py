"""The input of `fit`: batches, their order, augmentation, kept pixels."""
