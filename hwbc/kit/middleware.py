"""Middleware that knows nothing of the service."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware


class Common(CommonMiddleware):
    """Django's own, but health is answered to whoever asks by address and not by name, as load balancers do."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info.startswith("/health/"):
            return None
        return super().process_request(request)


class Headers:
    """The outermost: what is said with every answer, whoever gives it. What Django says itself is not repeated here.

    What nobody said anything about is not kept by a browser; static files say of themselves that they may be.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        features = settings.PERMISSIONS_POLICY.items()
        self.said = {
            "Permissions-Policy": ", ".join(f"{feature}={allowed}" for feature, allowed in features),
            "Cross-Origin-Resource-Policy": settings.CROSS_ORIGIN_RESOURCE_POLICY,
            "Cache-Control": "no-store",
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in self.said.items():
            response.headers.setdefault(name, value)
        return response
