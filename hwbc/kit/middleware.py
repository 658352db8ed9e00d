"""Middleware that knows nothing of the service."""

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from django.template import loader
from django_structlog.middlewares import RequestMiddleware

_log = structlog.get_logger(__name__)


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


class Pace:
    """No more requests of one session in a minute than any person makes: a script that takes everything is slowed down.

    Each process counts by itself, in memory: nothing is asked for it. Without a session there is nothing to take.
    """

    LARGEST = 100_000  # sessions of one minute: made-up ones fill no memory

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.minute, self.counts = 0, dict[str, int]()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        most: int = settings.REQUESTS_A_MINUTE
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME) if most else None
        if key and (count := self._count(key)) > most:
            if count == most + 1:  # a line a minute
                _log.warning("refused", kind="too_fast", status=429, page=None, user=None)
            response = HttpResponse(loader.render_to_string("429_pace.html"), status=429)
            response["Retry-After"] = str(60 - int(time.time()) % 60)
            return response
        return self.get_response(request)

    def _count(self, key: str) -> int:
        minute = int(time.time()) // 60
        if minute != self.minute or len(self.counts) > self.LARGEST:
            self.minute, self.counts = minute, {}
        counts = self.counts
        counts[key] = count = counts.get(key, 0) + 1  # two threads may count one: it is a limit for thousands
        return count


def address_of(request: HttpRequest) -> str:
    """Where a request comes from, as the trusted proxies before the service say (TRUSTED_PROXIES).

    Without any, or where they say nothing: whoever is connected.
    """
    trusted = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    said = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    return (said[-trusted] if 0 < trusted <= len(said) else "") or request.META.get("REMOTE_ADDR", "")
