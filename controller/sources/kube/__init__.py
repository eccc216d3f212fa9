"""Where desired state comes from a Kubernetes cluster. `wiring/operator.py` puts an operator together from these.

An edit comes in by `watching.py` (kopf) and `source.py` (what objects amount to), and what became of it goes back by
`publishing.py` (status, finalizer) and `events.py`. `nodes.py` is this machine among others. All requests of ours go through
`cluster.py`; what they may ask is in `rights.py`. The commands with `--context` read by way of `listed.py` and `reported.py`.
"""
