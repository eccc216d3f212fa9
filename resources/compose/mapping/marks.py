"""Docker Compose's own labels on containers, networks and volumes: what `docker compose ps`, `logs`, `top` and `stop` go by.

Version 2.26 lists a container when it has project, oneoff and config-hash, and takes service and container-number from it. The
labels of what is adopted stay as they are, for no label can be changed: `UNCOMPARED` goes into `spec.ignore`.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.compose.project import Project

_OWN = "com.docker.compose"
UNCOMPARED = f"labels.{_OWN}"
_YAML = (".yaml", ".yml")  # what else a project is read from are variables
# Parts of a service that docker compose leaves out of its hash, or whose values may be secret.
_NOT_HASHED = frozenset({"build", "depends_on", "deploy", "environment", "profiles", "pull_policy", "scale"})


def container_labels(project: Project, service: str, number: int) -> dict[str, str]:
    spec = project.services[service]
    return {
        f"{_OWN}.project": project.name,
        f"{_OWN}.service": service,
        f"{_OWN}.container-number": str(number),
        f"{_OWN}.oneoff": "False",
        f"{_OWN}.project.working_dir": str(project.directory),
        f"{_OWN}.project.config_files": ",".join(str(file) for file in project.files if file.suffix in _YAML),
        f"{_OWN}.depends_on": ",".join(_dependency(name, how) for name, how in (spec.get("depends_on") or {}).items()),
        f"{_OWN}.config-hash": _digest(spec),
    }


def network_labels(project: Project, network: str) -> dict[str, str]:
    return {f"{_OWN}.project": project.name, f"{_OWN}.network": network}


def volume_labels(project: Project, volume: str) -> dict[str, str]:
    return {f"{_OWN}.project": project.name, f"{_OWN}.volume": volume}


def _dependency(service: str, how: Any) -> str:
    how = how or {}
    return f"{service}:{how.get('condition', 'service_started')}:{str(bool(how.get('restart'))).lower()}"


def _digest(spec: Any) -> str:
    """It differs from the one that docker compose would write: that depends on its version."""
    hashed = {name: value for name, value in spec.items() if name not in _NOT_HASHED}
    return sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
