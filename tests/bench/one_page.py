"""The page that a fleet page is held against: a session, a person, one query, one template; Django and nothing else."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from django.conf import settings

settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"]
settings.ROOT_URLCONF = "tests.bench.one_page"

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from django.http import HttpResponse  # noqa: E402
from django.template import Context, Template  # noqa: E402
from django.urls import path  # noqa: E402

from cells.models import Plan  # noqa: E402

PAGE = Template("<html><body><p>{{ user.email }}</p><ul>{% for plan in plans %}<li>{{ plan.name }}</li>{% endfor %}</ul></body></html>")


def one(request):
    return HttpResponse(PAGE.render(Context({"user": request.user, "plans": list(Plan.objects.all()[:1])})))


urlpatterns = [path("one/", one)]
