"""The page that a fleet page is held against: a session, a person, one query, one template; Django and nothing else."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.template import Context, Template  # noqa: E402
from django.urls import path  # noqa: E402

from cells.models import Plan  # noqa: E402

# Only now: allauth insists on its own at the start.
settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"]
settings.ROOT_URLCONF = "tests.bench.one_page"
PAGE = Template("<html><body><p>{{ user.email }}</p><ul>{% for plan in plans %}<li>{{ plan.name }}</li>{% endfor %}</ul></body></html>")


def one(request):
    body = PAGE.render(Context({"user": request.user, "plans": list(Plan.objects.all()[:1])}))
    return HttpResponse(body, headers={"Content-Length": len(body)})


urlpatterns = [path("one/", one)]
application = WSGIHandler()
