"""URLs of offboarding. `pk` is the account's: an account has one way out at a time."""

from django.urls import path

from accounts.offboarding.views import acts, certificates, plans

app_name = "offboarding"

OFFBOARDING = "o/<slug:slug>/accounts/<uuid:pk>/offboarding/"
urlpatterns = [
    path(OFFBOARDING, plans.offboarding_plan, name="offboarding_plan"),
    path(f"{OFFBOARDING}status/", plans.offboarding_status, name="offboarding_status"),
    path(f"{OFFBOARDING}plan.json", plans.offboarding_file, name="offboarding_file"),
    path(f"{OFFBOARDING}start/", acts.offboarding_start, name="offboarding_start"),
    path(f"{OFFBOARDING}cancel/", acts.offboarding_cancel, name="offboarding_cancel"),
    path(f"{OFFBOARDING}check/", acts.offboarding_check, name="offboarding_check"),
    path(f"{OFFBOARDING}hand-over/", acts.offboarding_hand_over, name="offboarding_hand_over"),
    path(f"{OFFBOARDING}consent/", acts.offboarding_consent, name="offboarding_consent"),
    path(f"{OFFBOARDING}never-run/", acts.offboarding_never_run, name="offboarding_never_run"),
    path(f"{OFFBOARDING}certificate/", certificates.certificate_detail, name="certificate_detail"),
    path(f"{OFFBOARDING}certificate/certificate.json", certificates.certificate_file, name="certificate_file"),
    path("offboarding/byoc-leftovers.sh", certificates.leftovers_script, name="leftovers_script"),
    path("o/<slug:slug>/activity/verify_certificate.py", certificates.certificate_verifier, name="certificate_verifier"),
]
