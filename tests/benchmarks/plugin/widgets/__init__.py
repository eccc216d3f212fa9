"""A kind and its agent as another package would bring them; `scale.py` measures the loop with it, without a disk."""
