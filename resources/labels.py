"""Labels and annotations in metadata, as an API server takes them: one file must do for both. `meta.py` checks by these.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

from __future__ import annotations

import re

ANNOTATIONS_MAX = 256 << 10  # bytes, of all of a resource
_PREFIX = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUALIFIED = rf"(?:(?P<prefix>{_PREFIX})/)?(?P<name>[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)"
_LABEL_VALUE = "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"


def valid_labels(labels: dict[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        if not _qualified(name):
            raise ValueError(f'cannot use "{name}" as the name of a label: write it like app or example.com/app')
        if len(value) > 63 or not re.fullmatch(_LABEL_VALUE, value):
            raise ValueError(
                f'cannot use the value of the label {name}: up to 63 letters, digits, ".", "_" and "-", '
                "a letter or digit at both ends"
            )
    return labels


def valid_annotations(annotations: dict[str, str]) -> dict[str, str]:
    for name in annotations:
        if not _qualified(name.lower()):
            raise ValueError(
                f'cannot use "{name}" as the name of an annotation: write it like note or example.com/note'
            )
    if sum(len(name.encode()) + len(value.encode()) for name, value in annotations.items()) > ANNOTATIONS_MAX:
        raise ValueError("cannot carry so many annotations: together they may have 256 KiB")
    return annotations


def _qualified(name: str) -> bool:
    found = re.fullmatch(_QUALIFIED, name)
    return found is not None and len(found["prefix"] or "") <= 253 and len(found["name"]) <= 63


def label_of(name: str, taken: set[str]) -> str:
    """A DNS-1123 label as much like `name` as can be, and none of `taken`, which it is added to. For `p2 import`."""
    plain = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-") or "unnamed"
    number, found = 2, plain
    while found in taken:
        found, number = f"{plain[:60].rstrip('-')}-{number}", number + 1
    taken.add(found)
    return found
