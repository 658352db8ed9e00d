"""A state folder for each test, and the proof that no process of it is left."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.helpers import kill_all, processes_of, wait_until


@pytest.fixture
def var() -> Iterator[Path]:
    """A new state folder with a short path; whatever the test does, nothing may run there after it."""
    folder = Path(tempfile.mkdtemp(prefix="hwbc-"))
    folder.chmod(0o755)
    yield folder
    gone = wait_until(lambda: not processes_of(folder))
    left = processes_of(folder)
    kill_all(left)
    shutil.rmtree(folder)
    assert gone, f"left running: {left}"
