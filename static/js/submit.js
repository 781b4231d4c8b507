// One press, one request: a form that is being sent is not sent again. The server has its own idempotency; this spares the second page.
(() => {
  const RELEASE_AFTER_MS = 8000;

  function release(form) {
    delete form.dataset.portalSent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.portalSent) {
      event.preventDefault();
      return;
    }
    form.dataset.portalSent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
    // A download leaves the page where it is.
    window.setTimeout(() => release(form), RELEASE_AFTER_MS);
  });

  // Back from the browser's memory: the page is as it was left.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form[data-portal-sent]").forEach(release);
  });
})();
