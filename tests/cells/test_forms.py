"""Forms of instances: a plan's JSON Schema as fields, and every refusal in words."""

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cells.demo_plans import PARAMETERS
from cells.forms.instances import SettingsForm, TypedNameForm
from cells.forms.parameters import ParametersForm, schema_problem
from tests.cells.factories import make_cell, make_instance, make_plan, make_release

EVERY_KIND = {
    "type": "object",
    "required": ["edition", "replicas", "host"],
    "properties": {
        "edition": {"type": "string", "enum": ["standard", "enterprise"]},
        "zone": {"type": "integer", "enum": [1, 2, 3], "title": "Zone"},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
        "ratio": {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25},
        "audit": {"type": "boolean", "title": "Keep an audit log"},
        "host": {"type": "string", "pattern": "^[a-z.]+$", "minLength": 4, "maxLength": 20, "description": "Small letters and dots."},
        "origins": {
            "type": "array",
            "items": {"type": "string", "pattern": "^https://"},
            "minItems": 1,
            "maxItems": 2,
            "uniqueItems": True,
        },
    },
}
GOOD = {"p_edition": "standard", "p_replicas": "3", "p_host": "shop.example", "p_origins": "https://a.example\n\n https://b.example "}


def answered(**values):
    return ParametersForm(GOOD | values, schema=EVERY_KIND)


def test_every_kind_of_field_comes_back_as_the_schema_types_it():
    form = answered(p_zone="2", p_ratio="0.5", p_audit="on")

    assert form.is_valid(), form.errors
    assert form.parameters == {
        "edition": "standard",
        "zone": 2,
        "replicas": 3,
        "ratio": 0.5,
        "audit": True,
        "host": "shop.example",
        "origins": ["https://a.example", "https://b.example"],
    }


def test_what_a_plan_says_of_a_parameter_is_text():
    schema = {"type": "object", "properties": {"host": {"type": "string", "description": "<a href='https://x.example'>here</a>"}}}

    assert "&lt;a href=" in ParametersForm({}, schema=schema).as_div()
    assert "<a " not in ParametersForm({}, schema=schema).as_div()


def test_what_is_not_answered_is_no_parameter():
    form = answered()

    assert form.is_valid(), form.errors
    assert set(form.parameters) == {"edition", "replicas", "host", "origins", "audit"}
    assert form.parameters["audit"] is False


def test_labels_help_and_defaults_come_from_the_schema():
    form = ParametersForm(schema=EVERY_KIND, parameters={"origins": ["https://a.example", "https://b.example"]})

    assert [form.fields[name].label for name in ("p_edition", "p_zone", "p_audit")] == ["Edition", "Zone", "Keep an audit log"]
    assert form["p_replicas"].value() == 2
    assert form["p_origins"].value() == "https://a.example\nhttps://b.example"
    assert "Small letters and dots." in str(form["p_host"].as_field_group())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("edition", "gold", "Select a valid choice. gold is not one of the available choices."),
        ("edition", "", "Enter a value for “Edition”."),
        ("zone", "9", "Select a valid choice. 9 is not one of the available choices."),
        ("replicas", "0", "Replicas: enter 1 or more."),
        ("replicas", "6", "Replicas: enter 5 or less."),
        ("replicas", "two", "Enter a whole number."),
        ("ratio", "0.3", "Ratio: enter a multiple of 0.25."),
        ("ratio", "nan", "Enter a number."),
        ("host", "abc", "Host: enter at least 4 characters."),
        ("host", "x" * 21, "Host: enter at most 20 characters."),
        ("host", "SHOP", "Host: this does not have the form that is asked for. Small letters and dots."),
        ("origins", "", "Origins: enter at least 1 line."),
        ("origins", "https://a\nhttps://b\nhttps://c", "Origins: enter at most 2 lines."),
        ("origins", "https://a\nhttps://a", "Origins: enter each line once."),
        ("origins", "ftp://a", "Origins: “ftp://a” does not have the form that is asked for."),
    ],
)
def test_every_refusal_says_what_is_asked_for(name, value, words):
    form = answered(**{f"p_{name}": value})

    assert not form.is_valid()
    assert form.errors == {f"p_{name}": [words]}


VALUES = st.one_of(
    st.none(), st.text(max_size=30), st.integers().map(str), st.floats().map(str), st.sampled_from(["on", "standard", "1", "0.5"])
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([f"p_{name}" for name in EVERY_KIND["properties"]]), VALUES))
def test_whatever_is_sent_what_is_accepted_fits_the_schema(sent):
    form = ParametersForm({name: value for name, value in (GOOD | sent).items() if value is not None}, schema=EVERY_KIND)

    if form.is_valid():
        assert list(Draft202012Validator(EVERY_KIND).iter_errors(form.parameters)) == []


FITTING = st.fixed_dictionaries(
    {
        "edition": st.sampled_from(["standard", "enterprise"]),
        "replicas": st.integers(1, 5),
        "log_level": st.sampled_from(["error", "warning", "info", "debug"]),
        "allowed_origins": st.lists(
            st.text(string.ascii_lowercase, min_size=1, max_size=9).map(lambda name: f"https://{name}.example"), unique=True, max_size=10
        ),
    }
)


@settings(max_examples=100, deadline=None)
@given(FITTING)
def test_what_a_form_shows_it_takes_back_unchanged(parameters):
    shown = ParametersForm(schema=PARAMETERS, parameters=parameters)
    sent = {name: str(shown[name].value()) for name in shown.fields}
    form = ParametersForm(sent, schema=PARAMETERS)

    assert form.is_valid(), form.errors
    assert form.parameters == parameters | ({} if parameters["allowed_origins"] else {"allowed_origins": []})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, ""),
        (EVERY_KIND, ""),
        (PARAMETERS, ""),
        ({"type": "string"}, "The schema describes an object with properties."),
        ({"type": "object", "properties": {"a": {"type": "wrong"}}}, "This is no JSON Schema"),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, "“a” is of a type that no field exists for."),
        ({"type": "object", "properties": {"a": {"type": "string", "writeOnly": True}}}, "“a” is a secret."),
        ({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}, "“a”: lists are of text, one a line."),
        ({"type": "object", "required": ["b"], "properties": {"a": {"type": "string"}}}, "“b” is required but has no field."),
        ({"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "https://x.example"}}}}, "The schema stands by itself"),
        ({"type": "object", "properties": {"a": {"type": "integer", "enum": [1, "2"]}}}, "“a” offers values that are not of its type."),
        ({"type": "object", "properties": {"a": True}}, "“a” is of a type that no field exists for."),
    ],
)
def test_schema_that_cannot_be_a_form_is_refused(schema, words):
    assert schema_problem(schema).startswith(words)
    assert bool(schema_problem(schema)) == bool(words)


# --- Name, size, version ---------------------------------------------------------------------------------------------


@pytest.fixture
def settings_form(acme):
    plan = make_plan()

    def form(**values):
        sent = {"name": "orders-prod", "size": "small", "release": "1.0.0"} | values
        return SettingsForm(sent, plan=plan, organisation=acme)

    form.plan = plan
    return form


@pytest.mark.parametrize("name", ["", "a", "-orders", "orders-", "Orders", "1orders", "or_ders", "x" * 61, "orders\n"])
def test_names_that_no_endpoint_can_carry_are_refused(name, settings_form):
    form = settings_form(name=name)

    assert ("name" in form.errors) == (name != "orders\n")  # spaces around a pasted name are not part of it


def test_name_is_taken_while_its_instance_is_alive(settings_form, acme):
    instance = make_instance(organisation=acme, name="orders-prod")
    assert settings_form().errors == {"name": ["Another instance of your organisation has this name."]}

    instance.state = "deleted"
    instance.save()
    assert settings_form().is_valid()


def test_size_and_version_of_another_plan_are_none_of_this_one(settings_form):
    other = make_plan(size={"code": "giant"})
    make_release(plan=other, version="9.0.0")
    make_release(plan=settings_form.plan, version="0.9.0", is_offered=False)

    assert settings_form(size="giant").errors == {"size": ["Choose one of these sizes."]}
    for version in ("9.0.0", "0.9.0"):
        assert settings_form(release=version).errors == {"release": ["This version is not offered. Choose another one."]}


@pytest.mark.django_db
def test_typed_name_is_compared_as_it_is():
    expected = make_cell(name="Main in eu-west-1").name

    assert TypedNameForm({"name": "  Main in eu-west-1 "}, expected=expected).is_valid()
    for typed, words in (("", "Type the name Main in eu-west-1."), ("main in eu-west-1", "This is not the name. Nothing was changed.")):
        assert TypedNameForm({"name": typed}, expected=expected).errors == {"name": [words]}
