"""Files that somebody sends: one that is too large is not kept, and the form says so."""

from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler


class NotTooLarge(FileUploadHandler):
    """The first handler of an upload: hands on LARGEST_UPLOAD bytes of a file, and throws away what comes after them.

    The form gets such a file empty, with the size that it had.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Another file begins."""
        super().new_file(*args, **kwargs)
        self._received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """A piece of it: for the handlers that come after, or for nobody."""
        self._received += len(raw_data)
        return raw_data if self._received <= settings.LARGEST_UPLOAD else None

    def file_complete(self, file_size: int) -> "UploadedFile[Any] | None":
        """The whole of it has come."""
        if self._received <= settings.LARGEST_UPLOAD:
            return None  # the other handlers have it
        for handler in self.request.upload_handlers if self.request else ():  # what they have of it so far
            if (file := getattr(handler, "file", None)) is not None:
                file.close()
        return UploadedFile(ContentFile(b""), self.file_name, self.content_type, self._received, self.charset)


class OnDisk(TemporaryFileUploadHandler):
    """The last handler: a file of its own on disk, whatever the sender calls it.

    Django's takes what stands after the last dot of the name into its own file's, which can become too long for a disk.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Another file begins."""
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = TemporaryUploadedFile("upload", self.content_type, 0, self.charset, self.content_type_extra)
        self.file.name = self.file_name
