"""What the OpenAPI document promises is kept, for whatever is sent, fitting the document or not."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from mqtt_dashboard import __version__
from mqtt_dashboard.contract import export
from mqtt_dashboard.contract.policy import Role
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, add_user, make_token, store_of

EXAMPLES: dict[Role, int] = {"administrator": 50, "operator": 30, "viewer": 30}
SCHEMA = schemathesis.openapi.from_dict(export.openapi(__version__))
SCHEMA.config.generation.update(with_security_parameters=False)
LABELS = [f"{route.method.upper()} {route.path}" for route in export.ROUTES]
# Where nothing can be asked, nothing can be asked in a wrong way.
EXCHANGES = [(label, GenerationMode.POSITIVE) for label in LABELS] + [
    (label, GenerationMode.NEGATIVE)
    for label, route in zip(LABELS, export.ROUTES, strict=True)
    if route.body or any(one.place != "path" for one in route.query)
]
CHECKS: list[CheckFunction] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
load_all_checks()


@dataclass
class Served:
    """A dashboard with all that can be asked for, and a token for each role under test."""

    stack: Stack
    tokens: dict[Role, str]
    session: requests.Session


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run Redis, a bridge that only writes, and a dashboard that asks for sign-in."""
    folder = tmp_path_factory.mktemp("openapi")
    environ = {"AUTH_MODE": "required", "REQUESTS_PER_MINUTE": "1000000"}
    with running_stack(folder, ADMIN_PASSWORD=PASSWORD, **environ) as stack:
        port, feed = stack.redis.port, stack.bridge.feed
        wait_for(lambda: store_of(port).has_users(), "the first user")
        add_user(port, "vera", "viewer", read=["hall/#"])
        feed.topics(("hall/lamp", b"1"), ("hall/raw", b"\xff"), ("vault", b"2"))
        feed.messages(("hall/lamp", b"1"), ("vault", b"2"))
        feed.stats(version="mosquitto version 2.0.21", uptime=7)
        feed.clients("lamp", "meter")
        tokens: dict[Role, str] = {
            "administrator": make_token(port, "administrator"),
            "operator": make_token(port, "operator", ["hall/#"]),
            "viewer": make_token(port, "viewer", ["hall/#"]),
        }
        with requests.Session() as session:
            yield Served(stack, tokens, session)


def test_the_document_is_a_valid_one() -> None:
    """Other programs can read the document, patterns included, and it holds every route."""
    SCHEMA.validate()
    assert SCHEMA.statistic.operations.total == len(LABELS)
    assert all(SCHEMA.find_operation_by_label(label) for label in LABELS)


@pytest.mark.parametrize("role", EXAMPLES)
@pytest.mark.parametrize(("label", "mode"), EXCHANGES)
def test_each_operation_keeps_its_word(
    served: Served, label: str, role: Role, mode: GenerationMode
) -> None:
    """Only declared statuses and bodies come back, no error of ours; what is wrong is refused.

    Everything behind it is well, so nothing that is asked may end as a failure of the service.
    """
    operation = SCHEMA.find_operation_by_label(label)
    assert operation is not None
    token = served.tokens[role]
    base = served.stack.dashboard.url

    @settings(
        max_examples=EXAMPLES[role],
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def exchange(case: Case) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        answer = case.call(base_url=base, session=served.session, headers=headers, timeout=10)
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=CHECKS, headers=headers)

    exchange()


def test_what_the_checks_catch(served: Served) -> None:
    """The document is really compared: with a promise taken out of it, the same answer fails."""
    document = export.openapi(__version__)
    del document["paths"]["/api/broker/version"]["get"]["responses"]["200"]
    schema = schemathesis.openapi.from_dict(document)
    case = schema["/api/broker/version"]["GET"].Case()
    headers = {"Authorization": f"Bearer {served.tokens['viewer']}"}
    answer = case.call(base_url=served.stack.dashboard.url, headers=headers)
    assert answer.status_code == 200
    with pytest.raises(schemathesis.core.failures.FailureGroup):
        case.validate_response(answer, checks=CHECKS)
