"""Pegasus2's controller: makes the machine what the files say. This page is the map, in the order of one edit.

    sources/files.py          sees that a file changed, and reads it
    sources/overlay.py        the same of a directory with a kustomization, by resources/kustomize/
    trees.py                  directories that are desired state as a whole (contexts of builds): walked, and told apart
    resources/load.py         text -> resources, or problems with file, line, column and field
    sources/inputs.py         what those refer to, and what they stand for: Compose files, sets of containers
    engine/index.py           what is desired now; what this revision added, changed and removed
    engine/prune.py           which removals may go ahead, and which are held back
    engine/queue.py           which key is next
    engine/manager.py, lane.py  threads: one looks, several change, one a watch
    engine/reconcile.py       one pass over one batch of keys: guards, observe, plan, apply, observe, status
    agents/<system>/<kind>.py the world: observe, diff, apply
    engine/groups.py          what only stands for others is as these are
    engine/diff.py            desired, last applied, observed -> the fields that differ
    engine/ledger.py, witness.py  intent before a change; confirmation, and the audit's entry, after it
    engine/trying.py          an edit that does not become Ready is given up for what was good before
    engine/chronicle.py       writes down each applied revision: what was done, why, for whom, and how it came out
    engine/by_hand.py         what people ask agents for beside the loop: logs, programs, restarts, figures
    store/                    what we keep: inventory, status, events, history, audit, brakes

On Kubernetes an edit comes in by another door, and goes the same way from `engine/index.py` on:

    sources/kube/watching.py    hears of an object through kopf; source.py beside it makes a revision of it
    sources/kube/publishing.py  writes back how it is: status, finalizer, Events
    sources/kube/nodes.py       this machine among the others: its Lease, its Machine, and what is on machines that are gone
    sources/kube/cluster.py     every request to the API server

`wiring/` puts them together (`workspace.py` over files, `operator.py` over a cluster), and its `host.py` once more for each
command that a running controller is sent; with its `standing.py` a `p2 diff` or `p2 apply` need not look again at what has not
changed. `surfaces/` shows them to people. Imports only point down this house: surfaces > wiring > sources, agents, store >
engine > resources.
"""

__version__ = "0.1.0"
