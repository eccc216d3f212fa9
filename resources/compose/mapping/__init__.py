"""From a project of Compose files to resources: see `mapping.py`."""
