"""Names that sentences about an operation use: the parties', the subject's, the cloud's."""

from collections.abc import Mapping

from django.conf import settings

from portal.operations.models import Operation
from portal.operations.registry import KINDS
from portal.operations.states import Party


def party_name(operation: Operation, party: str) -> str:
    """Who that is, within a sentence: "you", the provider's name, the cloud's name."""
    if party == Party.PROVIDER:
        return str(settings.PROVIDER_NAME)
    cloud = _names(operation).get("cloud")
    return str(cloud) if party == Party.CLOUD and cloud else str(Party(party).label)


def named(operation: Operation, params: Mapping[str, object]) -> dict[str, object]:
    """Parameters for a sentence of the catalogue: the step's own, and the names every sentence may use."""
    cloud = party_name(operation, Party.CLOUD)
    return {"reference": operation.reference, "subject": operation.subject_label, "cloud": cloud, **_names(operation), **params}


def _names(operation: Operation) -> Mapping[str, object]:
    kind = KINDS.get(operation.kind)
    return kind.names(operation) if kind else {}
