from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "accounts.support"
    label = "support"

    def ready(self) -> None:
        # The words of the catalogue; what the frame of every page and Home say.
        from accounts.actions.leaving import ENDS_WITH  # noqa: PLC0415
        from accounts.actions.people import LOST_WITH  # noqa: PLC0415
        from accounts.models.people import FRAME  # noqa: PLC0415
        from accounts.support import hooks, offboarding  # noqa: F401, PLC0415
        from accounts.support.actions.approvers import drop_approvals  # noqa: PLC0415
        from accounts.support.actions.leaving import end_grants  # noqa: PLC0415
        from accounts.support.brokering import broker, handouts  # noqa: PLC0415
        from accounts.support.models.requests import open_access  # noqa: PLC0415
        from accounts.support.proof import receipts  # noqa: PLC0415
        from accounts.support.steps import closing, opening, reviewing  # noqa: F401, PLC0415  registers the kinds of operation
        from accounts.support.views.needs import access_needs  # noqa: PLC0415
        from accounts.support.wording import activity_words, factors, failures  # noqa: F401, PLC0415
        from accounts.views.home import MORE_NEEDS  # noqa: PLC0415

        FRAME["open_access"] = open_access()
        MORE_NEEDS.append(access_needs)
        ENDS_WITH.append(end_grants)
        LOST_WITH.append(drop_approvals)
        hooks.ON_TOLD.append(receipts.write_receipt)
        hooks.ON_ENDING.extend([broker.cut_short, handouts.drop_devices, closing.begin_closing])
