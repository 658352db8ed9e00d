"""What a log line may say: identifiers, never a secret or what somebody searched for."""

import re
from collections.abc import MutableMapping
from typing import Any

_KEY_IN_ADDRESS = re.compile(r"(/account/password/choose/)[^\s?]+")


def without_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: an address is logged without its query and without the key of an invitation."""
    request = event.get("request")
    if isinstance(request, str):
        event["request"] = _KEY_IN_ADDRESS.sub(r"\1…", request.partition("?")[0])
    return event
