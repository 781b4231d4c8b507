"""URLs of the closing of an organisation."""

from django.urls import path

from accounts.closing import views

app_name = "closing"

CLOSING = "o/<slug:slug>/settings/closing/"
urlpatterns = [
    path(CLOSING, views.closing_home, name="closing_home"),
    path(f"{CLOSING}export/", views.closing_export, name="closing_export"),
    path(f"{CLOSING}start/", views.closing_start, name="closing_start"),
    path(f"{CLOSING}cancel/", views.closing_cancel, name="closing_cancel"),
    path("o/<slug:slug>/closed/", views.closing_done, name="closing_done"),
]
