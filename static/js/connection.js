// [data-portal-connection]: shown while what htmx asks for does not arrive; what the page shows may be old by then.
(() => {
  const notice = document.querySelector("[data-portal-connection]");
  if (!notice) return;

  function lost() {
    if (!notice.hidden) return;
    notice.hidden = false;
    document.dispatchEvent(new CustomEvent("portal:announce", { detail: notice.textContent.trim().replace(/\s+/g, " ") }));
  }

  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);
  document.addEventListener("htmx:responseError", lost);
  document.addEventListener("htmx:afterOnLoad", () => { notice.hidden = true; });
})();
