"""Middleware that knows nothing of the service."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from django_structlog.middlewares import RequestMiddleware


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


class RequestLog(RequestMiddleware):
    """django-structlog's own, but the address in a line is the one by which guesses are counted.

    Its own takes the first that a header names, and anybody can send a header.
    """

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """Every line of this request has its address."""
        structlog.contextvars.bind_contextvars(ip=address_of(request))


def address_of(request: HttpRequest) -> str:
    """Where a request comes from, as the trusted proxies before the service say (TRUSTED_PROXIES).

    Without any, or where they say nothing: whoever is connected.
    """
    trusted = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    said = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    return (said[-trusted] if 0 < trusted <= len(said) else "") or request.META.get("REMOTE_ADDR", "")
