"""What the watch of a cluster tells the source: a word and an object. `watching.py` makes them, `source.py` takes them in."""

from __future__ import annotations

from controller.sources.kube.objects import Object
from resources.meta import Key

Arrival = tuple[str, Object]  # what the watch calls it, and the object

DELETED = "DELETED"  # as the API server says it; any other word of its means that the object is so now
RELISTED = "RELISTED"  # the watch had lost its place: what went meanwhile it does not tell
NOTHING = Object(Key("", "", ""), "", "", 0, False, (), "", "", False, {})  # the object of an arrival that only wakes
