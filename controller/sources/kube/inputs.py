"""Files of this machine that objects of a cluster refer to: their content is part of the desired state there, too.

`source.py` folds them in, and is woken when one of them changes.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from threading import Event as Flag
from threading import Lock, Thread

from controller.sources.hints import Hints
from controller.sources.inputs import Folded, Inputs
from resources.meta import Declared, Key

PATIENCE = 5.0  # seconds in which a directory that is new here comes to be watched


class KubeInputs:
    """Thread-safe."""

    def __init__(self) -> None:
        self._inputs = Inputs()
        self._keys: dict[str, Key] = {}
        self._lock = Lock()
        self._used = Flag()  # whether there is anything to watch

    def fold(self, bare: Declared) -> Folded:
        """`bare` with the content of its inputs in its digest, and what it stands for; from now on the inputs are watched."""
        with self._lock:
            user, folded = str(bare.key), self._inputs.fold(bare)
            self._inputs.use(user, folded.inputs)
            if folded.inputs:
                self._keys[user] = bare.key
                self._used.set()
            return folded

    def forget(self, key: Key) -> None:
        with self._lock:
            if self._keys.pop(str(key), None):
                self._inputs.use(str(key), ())

    def changed(self) -> Set[Key]:
        """Whose inputs have another content than before."""
        with self._lock:
            return {self._keys[user] for user in self._inputs.changed()} if self._keys else set()

    def start(self, stop: Flag, wake: Callable[[], None]) -> None:
        """Calls `wake`, from a thread, when something may have changed."""
        Thread(target=self._watch, args=(stop, wake), name="kube-inputs", daemon=True).start()

    def _watch(self, stop: Flag, wake: Callable[[], None]) -> None:
        with Hints() as hints:
            while not stop.is_set():
                if not self._used.wait(PATIENCE):
                    continue
                with self._lock:
                    directories = self._inputs.directories()
                heard = hints.wait(directories, PATIENCE, stop)
                if heard.paths or heard.lost:
                    wake()
