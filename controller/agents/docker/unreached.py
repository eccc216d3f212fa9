"""Why an engine can't be reached, and what helps. `client.py` asks when a connection fails."""

from __future__ import annotations

from controller.agents.docker.wire import Unreached
from controller.engine.agent import Retry, unavailable


def cause(error: BaseException) -> BaseException:
    """What lies at the bottom of the exceptions that `requests` and the SDK wrap around each other."""
    while not isinstance(error, Unreached) and (deeper := error.__cause__ or error.__context__):
        error = deeper
    return error


def unreachable(host: str, error: BaseException) -> Retry:
    """Says why the engine can't be reached, and what helps."""
    here = host.startswith("unix://")
    match error:
        case Unreached():
            advice = error.advice
        case FileNotFoundError():
            advice = "install it with 'apt-get install docker.io', or start it with 'systemctl start docker'"
        case PermissionError():
            advice = "join the group with 'usermod -aG docker $USER' and log in again, or run as root"
        case ConnectionRefusedError():
            advice = f"start it with 'systemctl start docker'{'' if here else ' there'}"
        case _ if type(error).__module__ == "ssl":
            advice = "see whether it accepts the certificate: tls.cert and tls.key in agents/docker.yaml"
        case _ if here:
            advice = "see 'systemctl status docker'; DOCKER_HOST says where it is looked for"
        case _:
            advice = "see whether that machine is up and lets this one in"
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return unavailable(f"cannot reach the Docker engine at {host}: {reason}; {advice}")
