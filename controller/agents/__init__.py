"""The agents: one folder a system, in it `client.py` (alone imports the SDK) and one module a kind; see `discovery.py`."""
