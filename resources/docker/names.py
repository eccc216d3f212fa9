"""Names that Docker objects have or get. Imports nothing, for the reading ahead of a cold command needs them first."""

# Networks that every engine has; no resource declares them.
BUILT_IN_NETWORKS = frozenset({"bridge", "host", "none"})
# They take the machine's network as it is, or none: nothing can be connected beside them.
LONE_NETWORKS = frozenset({"host", "none"})

# Pegasus2's own labels begin so; this one names the installation that an object belongs to.
OWN_LABELS = "pegasus2.dev/"
INSTALLATION = f"{OWN_LABELS}installation"

# How the two containers of a replacement are called while it lasts.
PASSING = ".p2-"
NEW_SUFFIX, OLD_SUFFIX = f"{PASSING}new", f"{PASSING}old"
