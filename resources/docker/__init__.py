"""What the kinds of the Docker engine have in common: names, values and parts of their specs."""
