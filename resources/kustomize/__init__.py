"""Kustomize's own format, as far as Pegasus2 takes it: overlays such as `state/overlays/staging`. `docs/overlays.md` is its page.

    resolving.py      a directory -> the objects that come out of it; `controller/sources/overlay.py` calls it
    kustomization.py  the file itself: which fields there are, and everything that is refused by name
    accumulating.py   `resources:`, files and other kustomizations
    patching.py       `patches:`, with selecting.py (which), strategic.py and json_patch.py (how)
    renaming.py       `namePrefix`, `nameSuffix`, `namespace`, `labels`: and what refers to what is renamed
    images.py         `images:`
    variables.py      `${NAME:-default}` where it is declared
    editing.py        writes an image's digest into a kustomization

Nothing here opens a file: what is to be read is asked of a function.
"""
