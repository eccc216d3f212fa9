"""That something could not be kept. Apart from `stores.py`, for what only writes into the audit does without the models."""

from __future__ import annotations


class NotKept(Exception):
    """Something could not be kept or read (the disk is full); the message says what to do. Every store may raise it."""
