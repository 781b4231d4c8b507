"""One account with one instance asked for, its customer before the page, and a cloud that can be spoilt."""

from django.urls import reverse

from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell, Instance
from cells.states import InstanceState
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.accounts.test_twenty_failures import read
from tests.cells.factories import make_plan
from tests.cells.living import drive, drive_to_end, wish
from tests.clouds.aws.cells import QUOTA
from tests.clouds.azure.cells import QUOTA as AZURE_QUOTA

GOOGLE_QUOTA = "googleapi: Error 403: Quota 'CPUS' exceeded.  Limit: 8.0, quotaExceeded"
NODES = "google_container_node_pool"


class Case:
    """One account with one instance asked for, and its customer before the page."""

    def __init__(self, standing, acme, alice, client, sandbox):
        self.standing, self.acme, self.alice, self.client, self.sandbox = standing, acme, alice, client, sandbox
        self.plan = make_plan()
        client.force_login(alice)

    def order(self, name="orders") -> Instance:
        return create_instance(self.acme, name=name, wish=wish(self.standing.account, self.plan), by=self.alice)

    def live(self, name="orders") -> Instance:
        instance = self.order(name)
        drive_to_end()
        instance.refresh_from_db()
        assert instance.state == InstanceState.RUNNING
        return instance

    @property
    def cell(self) -> Cell:
        return Cell.objects.get()

    def empty(self, instance) -> None:
        delete_instance(instance, by=self.alice)
        drive_to_end()

    def page(self, operation) -> str:
        return read(self.client.get(reverse("accounts:operation_detail", args=[self.acme.slug, operation.pk])))

    def press_retry(self, operation) -> None:
        operation.refresh_from_db()
        answer = self.client.post(reverse("accounts:operation_retry", args=[self.acme.slug, operation.pk]))
        assert answer.status_code == 302, read(answer)
        operation.refresh_from_db()
        assert operation.state == OperationState.QUEUED

    def until_done(self, *operations) -> None:
        drive(lambda: not Operation.objects.live().exists())
        for operation in operations:
            operation.refresh_from_db()
            assert operation.state == OperationState.SUCCEEDED, (operation.failure_code, operation.failure_evidence)

    def says(self, operation, *phrases) -> None:
        """On its page, with nothing left unfilled."""
        page = self.page(operation)
        for phrase in phrases:
            assert phrase in page, page
        assert "%(" not in page
        assert "()" not in page

    def violations(self) -> list:
        return self.sandbox.control("GET", "violations")

    # --- faults ---

    def knobs(self, **values) -> None:
        self.sandbox.control("POST", "knobs", values)

    def lower_a_quota(self) -> str:
        """For one part, until it is raised. The part's name."""
        match self.standing.account.cloud:
            case "aws":
                self.knobs(failures=[{"type": "AWS::EC2::EIP", "reason": QUOTA, "count": None}])
                return "PublicAddress"
            case "azure":
                self.knobs(failures=[{"type": "Microsoft.ContainerService/managedClusters", "reason": AZURE_QUOTA, "count": None}])
                return "cell-cluster"
            case _:
                twice = {"type": NODES, "action": "create", "reason": GOOGLE_QUOTA, "status": 403, "count": 2}
                self.sandbox.control("POST", "gcp/failures", twice)
                return f"{NODES}.machines"

    def raise_the_quota(self) -> None:
        """Google's is used up by two tries."""
        self.knobs(failures=[])
