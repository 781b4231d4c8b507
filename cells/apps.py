from django.apps import AppConfig


class CellsConfig(AppConfig):
    name = "cells"

    def ready(self) -> None:
        # The words of the catalogues.
        from accounts.actions.leaving import ENDS_WITH, WORK_IN  # noqa: PLC0415
        from accounts.availability import NEEDS_KIT, NEEDS_TRUST  # noqa: PLC0415
        from accounts.environment.needs import STANDING  # noqa: PLC0415
        from accounts.security.inside import TELLERS  # noqa: PLC0415
        from accounts.views.home import MORE_NEEDS  # noqa: PLC0415
        from cells import activity_words, closing, failures, offboarding, support  # noqa: F401, PLC0415  they register what the fleet is to others
        from cells.actions.leaving import revoke_agents, work_in  # noqa: PLC0415
        from cells.availability import why_keep_kit, why_not_disconnect  # noqa: PLC0415
        from cells.models.cells import standing_cells  # noqa: PLC0415
        from cells.security import of_cells  # noqa: PLC0415
        from cells.steps import bootstrap, final_backups, instances, teardown  # noqa: F401, PLC0415  registers the kinds of operation
        from cells.views.needs import fleet_needs  # noqa: PLC0415

        MORE_NEEDS.append(fleet_needs)
        TELLERS.append(of_cells)
        NEEDS_TRUST.append(why_not_disconnect)
        NEEDS_KIT.append(why_keep_kit)
        WORK_IN.append(work_in)
        ENDS_WITH.append(revoke_agents)
        STANDING.append(standing_cells)
