"""The vocabulary of Pegasus2: what can be declared, and what is reported about it.

Pure models. Nothing in here touches a file, a socket or a clock; every other package imports it and it imports none.
Start at `meta.Resource` (what a user writes), then `plan.Plan` (what would change) and `conditions.Status` (how it went).
"""
