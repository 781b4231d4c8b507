"""Words for what an offboarding waits for, and for what it can be stuck at."""

from django.utils.translation import gettext_lazy as _

from portal.operations.catalogue import FailureText, WaitText, register_failures, register_waits

STAYS = _("What was removed stays removed. What is left stays as it is, and may cost money.")
NOTHING = _("Nothing else of yours was changed.")

FAILURES = {
    "offboarding_stuck": FailureText(
        happened=_("The removal has stopped: %(what)s"),
        means=STAYS,
        act=_("The offboarding lists what is in the way. It goes on by itself once that is mended."),
    ),
    "offboarding_cell_stuck": FailureText(
        happened=_("Deployment cells that could not be removed completely: %(count)s."),
        means=STAYS,
        act=_("Open each cell: it says what remains and why. Retry its deletion, or keep what remains on purpose."),
    ),
    "offboarding_leftovers": FailureText(
        happened=_("Resources with %(provider)s's mark that are still in your cloud, and belong to no deployment cell: %(count)s."),
        means=_("Nothing is deleted on a guess, so they stay until you decide. They may cost money."),
        act=_("Remove them in your cloud, or keep them on purpose. This portal looks again by itself."),
    ),
    "offboarding_kit_gone": FailureText(
        happened=_("The kit was removed before cleanup finished."),
        means=_("%(provider)s cannot sign in any more, so it cannot remove the rest. What is left stays as it is, and may cost money."),
        act=_("Run the recovery kit that is shown here, so that %(provider)s can finish. Or remove what is listed here by hand."),
    ),
    "offboarding_trust_lost": FailureText(
        happened=_("%(cloud)s no longer lets %(provider)s do what the kit allows: %(reason)s"),
        means=STAYS,
        act=_("Undo the change, or run the same kit again. The removal goes on by itself once the trust holds."),
    ),
    "offboarding_switched_off": FailureText(
        happened=_("Changes are switched off in the kit, so nothing can be removed."),
        means=STAYS,
        act=_("Switch changes on again in the kit. The removal goes on by itself."),
    ),
    "offboarding_refused": FailureText(
        happened=_("%(cloud)s refused a look for what is left: %(code)s."),
        means=_("Nothing was changed. Until the look succeeds, nobody can say that nothing is left."),
        act=_("Read the cause below and mend it, then press Retry this step."),
    ),
    "offboarding_took_too_long": FailureText(
        happened=_("The removal took longer than it may, so it has stopped."),
        means=STAYS,
        act=_("The offboarding lists what is left. Press Retry this step in the operation."),
    ),
    "access_ended_offboarding": FailureText(
        happened=_("There is no kit in use any more with which %(provider)s could look for what is left."),
        means=NOTHING,
        act=_("Contact %(provider)s with the reference."),
    ),
}
WAITS = {
    "offboarding_scheduled": WaitText(_("Begins %(at)s. Until then nothing is touched, and you can cancel it.")),
    "offboarding_blocked": WaitText(
        _("It was to begin, and something is in the way (%(count)s). Nothing was touched."),
        _("Open the plan: it lists each thing with its fix. Then it begins by itself."),
    ),
    "offboarding_removing": WaitText(_("%(provider)s is removing what it has built: %(what)s.")),
    "offboarding_stuck": WaitText(
        _("The removal has stopped: %(what)s"), _("Open the offboarding. It lists what is in the way, and the ways out.")
    ),
    "offboarding_fading": WaitText(_("%(cloud)s still lists %(count)s resources. That often takes some minutes to settle.")),
    "offboarding_access_ending": WaitText(_("Support access that was open is being closed, and its end is seen in your cloud.")),
    "offboarding_kit": WaitText(
        _("Only the kit is left. You remove it, and %(provider)s sees by itself that it is gone."),
        _("Copy the command on the page of this offboarding and run it in %(cloud)s."),
    ),
    "offboarding_kit_seen": WaitText(
        _("%(cloud)s has refused the sign-in once. A second refusal, half a minute later, proves that the kit is gone.")
    ),
    "offboarding_kit_untold": WaitText(
        _("%(provider)s was never told which identity the kit has made, so it cannot ask %(cloud)s whether that is gone."),
        _("If the kit was ever run, remove it with the command. Then an owner confirms that it was never run, or is removed."),
    ),
    "offboarding_kit_unclear": WaitText(
        _("The last try gave no clear answer (%(code)s), so it proves nothing. It is tried again."),
        _("If you have removed the kit, you have nothing to do. If not, run the command on the page of this offboarding."),
    ),
}
register_failures(FAILURES)
register_waits(WAITS)
