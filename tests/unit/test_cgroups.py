"""What the kernel's files of both versions of control groups are read as."""

from __future__ import annotations

import os
from pathlib import Path

from controller.agents.docker.cgroups import Counted, Place, counted, machine_memory


def written(directory: Path, **files: str) -> Path:
    directory.mkdir()
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)
    return directory


def figures(found: Counted | None) -> tuple[object, ...]:
    assert found
    return found.cpu, found.memory, found.limit, found.read, found.written, found.processes


def test_version_2_is_one_directory(tmp_path: Path) -> None:
    group = written(
        tmp_path / "group",
        cpu__stat="usage_usec 2500000\nuser_usec 1\n",
        memory__current="3000\n",
        memory__max="8192\n",
        memory__stat="anon 1\ninactive_file 1000\n",
        io__stat="8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=6\n",
        pids__current="4\n",
    )
    assert figures(counted(Place(os.getpid(), {"": group}, True))) == (2.5, 2000, 8192, 15, 26, 4)


def test_no_limit_is_none(tmp_path: Path) -> None:
    group = written(tmp_path / "group", cpu__stat="usage_usec 0\n", memory__current="1\n", memory__max="max\n")
    assert figures(counted(Place(os.getpid(), {"": group}, True))) == (0.0, 1, None, 0, 0, None)


def test_version_1_is_a_directory_for_each_controller(tmp_path: Path) -> None:
    directories = {
        "cpuacct": written(tmp_path / "cpuacct", cpuacct__usage="1500000000\n"),
        "memory": written(
            tmp_path / "memory",
            memory__usage_in_bytes="3000\n",
            memory__limit_in_bytes=f"{machine_memory() * 2}\n",
            memory__stat="inactive_file 1\ntotal_inactive_file 500\n",
        ),
        "blkio": written(
            tmp_path / "blkio", blkio__throttle__io_service_bytes="8:0 Read 7\n8:0 Write 9\n8:0 Total 16\nTotal 16\n"
        ),
        "pids": written(tmp_path / "pids", pids__current="2\n"),
    }
    assert figures(counted(Place(os.getpid(), directories, True))) == (1.5, 2500, None, 7, 9, 2)


def test_bytes_of_a_network_are_counted_unless_it_is_the_machines(tmp_path: Path) -> None:
    group = written(tmp_path / "group", cpu__stat="usage_usec 0\n")
    shared, own = (counted(Place(os.getpid(), {"": group}, shares)) for shares in (True, False))
    assert shared and own
    assert (shared.received, shared.sent) == (None, None)
    assert own.received is not None and own.sent is not None
