"""The wire to Linear: credentials, one request at a time, its errors as ours, and what is left of its limits.

Nothing is sent twice here, with one exception: a request that Linear refused with 401 was not executed, so it goes
out again with a new token when the credentials can make one.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from gql import GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportProtocolError, TransportServerError
from gql.transport.httpx import HTTPXAsyncTransport
from graphql import DocumentNode, parse

from bot import metrics
from bot.linear.errors import by_status, classify
from bot.linear.operations import operation
from bot.machine.errors import Refused, Transient

API_URL = "https://api.linear.app/graphql"


@lru_cache(maxsize=256)
def _parsed(document: str) -> DocumentNode:
    return parse(document)


class _Request(GraphQLRequest):
    """A document that is read once, however often it is sent, and sent as it was written."""

    def __init__(self, document: str, variables: dict[str, Any]) -> None:
        super().__init__(_parsed(document), variable_values=variables)
        self._text = document

    @property
    def payload(self) -> dict[str, Any]:
        return {"query": self._text, "variables": self.variable_values}


@dataclass(frozen=True)
class ApiKey:
    """A personal API key. The service then speaks as its owner."""

    key: str = field(repr=False)


@dataclass(frozen=True)
class ClientCredentials:
    """An OAuth application that speaks as itself. One fixed set of scopes: another set would revoke older tokens."""

    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ("read", "write")


@dataclass(frozen=True)
class AccessToken:
    """An OAuth token that a person gave us, to see who they are."""

    token: str = field(repr=False)


Credentials = ApiKey | ClientCredentials | AccessToken


@dataclass(frozen=True)
class Budget:
    """What Linear said last about its limits; None where it said nothing. Complexity is in points."""

    requests_limit: int | None = None
    requests_remaining: int | None = None
    requests_reset: datetime | None = None
    complexity_limit: int | None = None
    complexity_remaining: int | None = None
    complexity_reset: datetime | None = None
    complexity: int | None = None
    """What the last request cost."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Budget":
        """Read the rate limit headers of an answer; its resets are epoch milliseconds."""
        limits: dict[str, Any] = {}
        for name in ("requests", "complexity"):
            limits[f"{name}_limit"] = _whole(headers.get(f"x-ratelimit-{name}-limit"))
            limits[f"{name}_remaining"] = _whole(headers.get(f"x-ratelimit-{name}-remaining"))
            reset = _whole(headers.get(f"x-ratelimit-{name}-reset"))
            limits[f"{name}_reset"] = None if reset is None else datetime.fromtimestamp(reset / 1000, UTC)
        return cls(**limits, complexity=_whole(headers.get("x-complexity")))


class LinearClient:
    """One Linear workspace. Use as an async context manager, or call `close`.

    `timeout` is in seconds; `transport` takes the place of the network, for tests.
    """

    def __init__(
        self,
        credentials: Credentials,
        url: str = API_URL,
        *,
        timeout: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self.budget = Budget()
        self.requests = 0
        """How many requests this client has sent."""
        self._timeout = timeout
        self._answer: ContextVar[httpx2.Response | None] = ContextVar("answer", default=None)
        self._connecting = asyncio.Lock()
        self._transport = HTTPXAsyncTransport(
            url,
            auth=_auth(credentials, url),
            timeout=timeout,
            transport=transport,
            trust_env=urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"),
            event_hooks={"response": [self._note]},
        )

    async def __aenter__(self) -> "LinearClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()  # type: ignore[no-untyped-call]

    async def execute(self, name: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send the operation of `operations/<name>.graphql` and return its `data`.

        Raises:
            Transient: rate limit, failure of Linear or of the network, an answer with `success: false`.
            Refused: credentials, permission, plan limit.
            UserError: Linear does not accept a value. `NotFound` when it names something that isn't there.
            LinearConflict: a create was repeated.
        """
        return await self.send(operation(name), variables)

    async def send(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a GraphQL document that was made from operations; raises what `execute` raises."""
        request = _Request(document, dict(variables or {}))
        self._answer.set(None)
        async with self._connecting:
            if self._transport.client is None:
                await self._transport.connect()  # type: ignore[no-untyped-call]
        self.requests += 1
        try:
            result = await self._transport.execute(request)
        except TransportConnectionFailed as error:
            raise self._lost(error) from error
        except (TransportServerError, TransportProtocolError) as error:
            raise self._senseless() from error
        if result.errors:
            status, headers = self._seen()
            raise classify(_as_mappings(result.errors), status, headers)
        data = result.data or {}
        for alias, payload in data.items():
            if isinstance(payload, dict) and payload.get("success") is False:
                raise Transient(f"Linear did not do {alias} and said no reason")
        return data

    async def _note(self, response: httpx2.Response) -> None:
        self._answer.set(response)
        if "x-complexity" in response.headers or "x-ratelimit-requests-limit" in response.headers:
            self.budget = left = Budget.of(response.headers)
            metrics.calls_left("linear", requests=left.requests_remaining, complexity=left.complexity_remaining)

    def _seen(self) -> tuple[int, Mapping[str, str]]:
        response = self._answer.get()
        return (response.status_code, response.headers) if response is not None else (200, {})

    def _lost(self, error: TransportConnectionFailed) -> Exception:
        cause = error.__cause__
        if isinstance(cause, Transient | Refused):  # from minting a token
            return cause
        if isinstance(cause, httpx2.TimeoutException):
            return Transient(f"Linear did not answer within {self._timeout:g} seconds")
        if isinstance(cause, httpx2.HTTPError):
            return Transient(f"Linear can't be reached: {type(cause).__name__}: {cause}")
        return cause if isinstance(cause, Exception) else error

    def _senseless(self) -> Exception:
        status, headers = self._seen()
        return by_status(status, f"Linear answered {status} with something that is not GraphQL", headers)


def _auth(credentials: Credentials, url: str) -> httpx2.Auth:
    if isinstance(credentials, ApiKey):
        return _KeyAuth(credentials.key)
    if isinstance(credentials, AccessToken):
        return _KeyAuth(f"Bearer {credentials.token}")
    return _TokenAuth(credentials, urljoin(url, "oauth/token"))


class _KeyAuth(httpx2.Auth):
    """The key as it is: Linear refuses it behind `Bearer`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["Authorization"] = self._key
        yield request


class _TokenAuth(httpx2.Auth):
    """Client credentials: a token lives 30 days and can't be refreshed, so a 401 means a new one. One at a time."""

    def __init__(self, credentials: ClientCredentials, url: str) -> None:
        self._credentials, self._url = credentials, url
        self._token = ""
        self._minting = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        used = ""
        for _ in range(2):
            async with self._minting:
                if self._token == used:  # else somebody else brought a newer one meanwhile
                    answer = yield self._ask()
                    await answer.aread()
                    self._token = self._read(answer)
                used = self._token
            request.headers["Authorization"] = f"Bearer {used}"
            response = yield request
            if response.status_code != 401:
                return

    def _ask(self) -> httpx2.Request:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
            "scope": ",".join(self._credentials.scopes),
        }
        return httpx2.Request("POST", self._url, data=form)

    def _read(self, answer: httpx2.Response) -> str:
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Transient(f"Linear answered {answer.status_code} when asked for a token")
        try:
            body = answer.json()
        except ValueError:
            body = None
        fields = body if isinstance(body, dict) else {}
        token = fields.get("access_token")
        if answer.status_code != 200 or not isinstance(token, str) or not token:
            reason = fields.get("error_description") or f"HTTP {answer.status_code}"
            raise Refused(f"Linear gives no token ({reason}): check LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET")
        return token


def _as_mappings(errors: list[Any]) -> list[Mapping[str, Any]]:
    return [error if isinstance(error, dict) else {"message": str(error)} for error in errors]


def _whole(text: str | None) -> int | None:
    try:
        return int(float(text)) if text is not None else None
    except ValueError:
        return None
