"""The loop: what differs, in which order, and what to do about it. Knows no SDK, no file system, no database.

Read it in the order of one edit: `index` (what is desired) -> `queue` (which key next) -> `manager` (who works it) ->
`reconcile` (one pass) -> `agent` (the world) -> `diff` (what differs) -> `agent` again -> `stores` (what we keep).
"""
