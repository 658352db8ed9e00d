"""Middleware that knows nothing of the service."""

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware


class Common(CommonMiddleware):
    """Django's own, but health is answered to whoever asks by address and not by name, as load balancers do."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info.startswith("/health/"):
            return None
        return super().process_request(request)
