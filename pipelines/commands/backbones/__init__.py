"""Commands on backbones: what the zoo has, their weights, and rows of your own."""
