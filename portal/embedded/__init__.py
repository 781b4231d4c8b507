"""PostgreSQL, Valkey and the supervisor that `manage.py demo` and the tests run on: standard library only, no Django."""
