"""Which variables hold what is not for everybody, as far as looks tell. `p2 import` hides those, or warns of them."""

from __future__ import annotations

import re

# Words in the names of variables whose values are not shown, and ends of such words.
_SECRET = {"pass", "pwd", "key", "keys", "credential", "credentials", "dsn"}
_SECRET_END = ("password", "passwd", "passphrase", "secret", "secrets", "token", "tokens", "apikey")
_CREDENTIALS = re.compile(r"://[^/@\s:]*:[^/@\s]+@")


def looks_secret(name: str, value: str) -> bool:
    """By the words of a variable's name, or because its value is an address with a password in it."""
    words = [word for word in re.split("[^a-z0-9]+", re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()) if word]
    if not value or words[-1:] == ["file"] or words == ["pwd"]:
        return False
    by_name = any(word in _SECRET or word.endswith(_SECRET_END) for word in words)
    return by_name or bool(_CREDENTIALS.search(value))
