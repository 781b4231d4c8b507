// [data-portal-needs-script]: controls that do nothing without JavaScript are hidden until there is some.
for (const control of document.querySelectorAll("[data-portal-needs-script]")) control.hidden = false;
