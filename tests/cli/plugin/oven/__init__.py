"""A package that brings a kind of its own, as others would: `Oven`, whose create takes until somebody opens the door.

It lets tests look at p2 in the middle of its work, and shows that a kind needs no more than entry points.
"""
