"""The whole URL tree in one screen. Organisation pages live under /o/<slug>/ and bear a permission (accounts/urls.py)."""

from allauth.account.views import password_change
from django.contrib import admin
from django.urls import include, path

from accounts.issuer import views as issuer
from accounts.sign_in import second_factor_first
from accounts.views.home import home_redirect
from portal import views

urlpatterns = [
    path("", home_redirect, name="home"),
    # First what asks for itself over and over: each address above one's own is tried before it.
    path("", include("cells.urls")),
    path("", include("accounts.urls")),
    path("", include("accounts.support.urls")),
    path("", include("accounts.offboarding.urls")),
    path("", include("accounts.closing.urls")),
    path("", include((views.urlpatterns, "portal"))),
    path("auth/password/change/", second_factor_first(password_change), name="account_change_password"),
    path("auth/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("trust/jwks.json", issuer.jwks, name="issuer_jwks"),
    path("trust/<uuid:account>/g<int:generation>/.well-known/openid-configuration", issuer.discovery, name="issuer_discovery"),
]

handler400 = "portal.views.bad_request"
handler403 = "portal.views.permission_denied"
handler404 = "portal.views.page_not_found"
handler429 = "portal.views.too_many_requests"  # asked by allauth's rate limits
handler500 = "portal.views.server_error"
