"""The one place where home, store, source, agents and loop are put together. Every surface starts at `workspace.py`.

`settings.py` and `ahead.py` import nothing heavy: a command asks them first, so that the systems can already answer while it
imports the rest.
"""
