"""A real API server for tests: etcd and kube-apiserver as processes of our own, or the cluster that KUBECONFIG names.

`tests/conftest.py` makes fixtures of it: `cluster` (one for the whole run) and `namespace` (one for each test).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.sources.kube.cluster import Cluster, Missing
from resources import kinds
from tests.support import eventually

CRDS = Path(__file__).parent.parent / "crds"
SYSTEM_NAMESPACE = "pegasus2"  # where the operators' leases are
TOKEN = "admintoken"
READY = 60.0  # seconds for an API server to start


def given() -> str:
    """The kubeconfig of the user's choice; empty when the tests are to start an API server of their own."""
    return os.environ.get("KUBECONFIG", "")


def binary() -> Path | None:
    """The newest kube-apiserver there is: named by P2_KUBE_APISERVER, on the PATH, or built by `.ci/kube-apiserver`."""
    if named := os.environ.get("P2_KUBE_APISERVER") or shutil.which("kube-apiserver"):
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pegasus2"
    return max(cache.glob("kube-apiserver-v*"), key=lambda path: path.stat().st_mtime, default=None)


def missing() -> str:
    """Why there can be no API server here; empty when there can."""
    if not shutil.which("kubectl"):
        return "no kubectl on the PATH"
    why = "" if given() else own_missing()
    return f"{why}, and no KUBECONFIG" if why else ""


def own_missing() -> str:
    """Why no API server can be started here, which some tests need whatever cluster there is; empty when one can."""
    for program, package in (("etcd", "etcd-server"), ("openssl", "openssl")):
        if not shutil.which(program):
            return f"no {program} on the PATH (Debian package {package})"
    return "" if binary() else "no kube-apiserver (.ci/kube-apiserver builds one)"


@dataclass(frozen=True)
class Said:
    """What kubectl answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Kubernetes:
    """A cluster to test with, whoever runs it."""

    own = False  # whether its API server is ours to kill

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._living: set[str] = set()  # namespaces of tests that are under way
        self.server = self.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").out

    @property
    def env(self) -> dict[str, str]:
        """For a process that is to use this cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Said:
        """Runs kubectl. `check`: an exit code other than 0 fails the test."""
        done = subprocess.run(
            ["kubectl", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.env,
            timeout=120,
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return Said(done.returncode, done.stdout, done.stderr)

    def apply(self, text: str, *arguments: str, namespace: str = "default") -> Said:
        """`kubectl apply` of YAML."""
        return self.kubectl("apply", "-n", namespace, "-f", "-", *arguments, stdin=text)

    def client(self) -> Cluster:
        """A connection of the program's own sort, to be closed."""
        return Cluster(kubeconfig=self.kubeconfig)

    def install(self) -> None:
        """The kinds, as generated into `crds/`, and the namespace of the operators."""
        self.kubectl("create", "namespace", SYSTEM_NAMESPACE, check=False)  # there already on a cluster used again
        if any(CRDS.glob("*.yaml")):
            self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
            self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """A namespace of its own, with a name that nobody else has; gone afterwards, with all our objects in it."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        self._living.add(name)
        try:
            yield name
        finally:
            self._living.remove(name)
            with closing(self.client()) as client:
                clear(client, name)
                end_namespace(client, name)
                self._end_leases(client, name)

    def _end_leases(self, client: Cluster, name: str) -> None:
        """Of operators that were killed: their machines would count as there for a minute, and theirs what names none.

        Their Machines go with them. Of a cluster that is not ours, those of nodes that are named after the namespace.
        """
        path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases"
        for found in client.list(path):
            node = found["metadata"]["name"]
            if name in node or (self.own and not any(living in node for living in self._living)):
                for left in (f"{path}/{node}", f"/apis/pegasus2.dev/v1/machines/{node}"):
                    with suppress(Missing):
                        client.request("DELETE", left)


def objects(client: Cluster, namespace: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every custom resource of ours in a namespace (or in all), with its path."""
    within = f"/namespaces/{namespace}" if namespace else ""
    for kind in kinds.built_in():
        model = kinds.model_of(kind)
        assert model is not None
        path = f"/apis/pegasus2.dev/v1{within}/{model.about.plural}"
        if client.find(path) is None:
            continue  # no such CRD
        for found in client.list(path):
            spot = f"/apis/pegasus2.dev/v1/namespaces/{found['metadata']['namespace']}/{model.about.plural}"
            yield f"{spot}/{found['metadata']['name']}", found


def clear(client: Cluster, namespace: str) -> None:
    """Deletes every object of ours in a namespace, with or without an operator: finalizers are taken away."""
    for path, found in list(objects(client, namespace)):
        with suppress(Missing):
            client.request("DELETE", path)
            if found["metadata"].get("finalizers"):
                client.patch(path, {"metadata": {"finalizers": None}})


def end_namespace(client: Cluster, name: str) -> None:
    """Deletes an empty namespace. Where no controller-manager runs, we do the part of its namespace controller."""
    path = f"/api/v1/namespaces/{name}"
    with suppress(Missing):
        left = client.request("DELETE", path)
        if not left.get("spec"):
            left = client.request("GET", path)
        left["spec"]["finalizers"] = []
        client.request("PUT", f"{path}/finalize", left)


class OwnKubernetes(Kubernetes):
    """etcd and kube-apiserver, started on free loopback ports with their data and certificates in `directory`."""

    own = True

    def __init__(self, directory: Path, options: Sequence[str] = ()) -> None:
        """`options`: more of the API server's command line."""
        self._directory = directory
        self._options = options
        self._etcd_port, self._peer_port, self._port = _free_ports(3)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._make_keys()
        self._start_etcd()
        self.start()
        super().__init__(self._kubeconfig())

    @property
    def pid(self) -> int:
        """The API server's."""
        return self._processes["kube-apiserver"].pid

    def log(self) -> str:
        """The API server's."""
        return (self._directory / "kube-apiserver.log").read_text(errors="replace")

    def start(self) -> None:
        """The API server; returns when it is ready."""
        program = binary()
        assert program is not None, own_missing()
        place = self._directory
        self._run(
            "kube-apiserver",
            str(program),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={place / 'certs'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={place / 'sa.pub'}",
            f"--service-account-signing-key-file={place / 'sa.key'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--token-auth-file={place / 'tokens'}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            *self._options,
        )
        eventually(self.ready, "the API server is ready", READY)

    def ready(self) -> bool:
        """Whether the API server answers, and says that it is ready."""
        if (code := self._processes["kube-apiserver"].poll()) is not None:
            raise AssertionError(f"the API server ended with {code}: {self.log()[-3000:]}")
        try:
            trust = ssl.create_default_context(cafile=self._directory / "certs" / "apiserver.crt")
            asked = urllib.request.Request(
                f"https://127.0.0.1:{self._port}/readyz", headers={"Authorization": f"Bearer {TOKEN}"}
            )
            with urllib.request.urlopen(asked, timeout=2, context=trust) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Kills the API server; `start` has it back with the same data, on the same port."""
        self._kill("kube-apiserver")

    def restart(self) -> None:
        """Kills the API server and starts it again."""
        self.stop()
        self.start()

    def lose_everything(self) -> None:
        """All that was ever in it is gone, as when a disk is lost; it starts anew, as another cluster on the same port."""
        self.end()
        shutil.rmtree(self._directory / "etcd")
        self._start_etcd()
        self.start()

    def end(self) -> None:
        for name in tuple(self._processes):
            self._kill(name)

    def _start_etcd(self) -> None:
        here = f"http://127.0.0.1:{self._etcd_port}"
        self._run(
            "etcd",
            "etcd",
            f"--data-dir={self._directory / 'etcd'}",
            f"--listen-client-urls={here}",
            f"--advertise-client-urls={here}",
            f"--listen-peer-urls=http://127.0.0.1:{self._peer_port}",
            "--unsafe-no-fsync",
        )

    def _run(self, name: str, *command: str) -> None:
        with (self._directory / f"{name}.log").open("ab") as log:
            # Out of the reach of the terminal, so that Ctrl-C at the tests does not end it before them.
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _kill(self, name: str) -> None:
        process = self._processes[name]
        process.kill()
        process.wait()

    def _make_keys(self) -> None:
        key, public = self._directory / "sa.key", self._directory / "sa.pub"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        (self._directory / "tokens").write_text(f"{TOKEN},admin,admin,system:masters\n")

    def _kubeconfig(self) -> Path:
        path = self._directory / "kubeconfig"
        # JSON is YAML.
        path.write_text(json.dumps(self.configuration({"token": TOKEN})))
        return path

    def configuration(self, user: dict[str, Any]) -> dict[str, Any]:
        """A kubeconfig for a user with these credentials."""
        cluster = {
            "server": f"https://127.0.0.1:{self._port}",
            "certificate-authority": str(self._directory / "certs" / "apiserver.crt"),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
            "current-context": "test",
        }


@contextmanager
def kubernetes(directory: Path, options: Sequence[str] = ()) -> Iterator[Kubernetes]:
    """The cluster to test with, with our kinds installed. `options`: for an API server of our own."""
    if named := given():
        found = Kubernetes(Path(named))
        found.install()
        nodes = found.kubectl("get", "leases", "-n", SYSTEM_NAMESPACE, "-o", "name").out.split()
        assert not nodes, (
            f"cannot test in this cluster: operators work there, or have worked ({', '.join(nodes)}); when none does any "
            f"more: kubectl delete leases --all -n {SYSTEM_NAMESPACE}"
        )
        yield found
        return
    made = OwnKubernetes(directory, options)
    try:
        made.install()
        yield made
    finally:
        made.end()


def _free_ports(count: int) -> list[int]:
    with _sockets(count) as found:
        return [each.getsockname()[1] for each in found]


@contextmanager
def _sockets(count: int) -> Iterator[list[socket.socket]]:
    made = [socket.socket() for _ in range(count)]
    try:
        for each in made:
            each.bind(("127.0.0.1", 0))
        yield made
    finally:
        for each in made:
            each.close()
