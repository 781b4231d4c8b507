"""How every form is drawn: `{{ form }}` gives summary, labels, hints and errors at the field from `templates/components/`."""

from django.forms.renderers import TemplatesSetting


class PortalRenderer(TemplatesSetting):
    form_template_name = "components/form.html"
    field_template_name = "components/field.html"
