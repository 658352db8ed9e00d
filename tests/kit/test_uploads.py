"""A file that is too large is thrown away as it comes, and the form hears how large it was."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory


@pytest.fixture(autouse=True)
def _small(settings: Any) -> None:
    settings.LARGEST_UPLOAD = 200_000
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100_000  # of what is larger, a temporary file is made


def sent(size: int) -> Any:
    """A form with a file of this size between two answers, as it arrives."""
    file = SimpleUploadedFile("notes.bin", b"x" * size, "application/x-notes")
    return RequestFactory().post("/", {"before": "1", "file": file, "after": "2"})


@pytest.mark.parametrize("size", [1, 99_999, 150_000, 200_000])
def test_a_file_that_is_not_too_large_arrives(size: int) -> None:
    request = sent(size)
    assert request.POST.dict() == {"before": "1", "after": "2"}
    with request.FILES["file"] as file:
        assert (file.size, len(file.read())) == (size, size)


@pytest.mark.parametrize("size", [200_001, 5_000_000])
def test_one_that_is_too_large_arrives_empty_with_its_size(size: int) -> None:
    request = sent(size)
    assert request.POST.dict() == {"before": "1", "after": "2"}
    file = request.FILES["file"]
    assert (file.name, file.size, file.content_type, file.read()) == ("notes.bin", size, "application/x-notes", b"")
    held = [getattr(handler, "file", None) for handler in request.upload_handlers]
    assert all(each is None or each.closed for each in held)


def test_two_files_are_counted_apart() -> None:
    files = {name: SimpleUploadedFile(name, b"x" * size) for name, size in (("large", 300_000), ("small", 100))}
    request = RequestFactory().post("/", files)
    arrived: dict[str, Any] = request.FILES.dict()
    assert {name: (file.size, len(file.read())) for name, file in arrived.items()} == {
        "large": (300_000, 0),
        "small": (100, 100),
    }
    request.close()


@pytest.mark.parametrize("name", ["x." + "9" * 300, "x" * 400, ".xlsx", "a.b/c"])
def test_whatever_it_is_called_it_arrives(name: str) -> None:
    """What stands after the last dot of a name is no part of the temporary file's."""
    request: Any = RequestFactory().post("/", {"file": SimpleUploadedFile(name, b"x" * 150_000)})
    with request.FILES["file"] as file:
        assert (file.size, len(file.read())) == (150_000, 150_000)
        assert 0 < len(file.name) <= 255
