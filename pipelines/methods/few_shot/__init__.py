"""Classes from a few examples: linear heads on a frozen backbone."""
