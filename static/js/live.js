// Live updates can be paused by the reader, and rest while the tab is hidden.
// A live element is one that htmx polls: its hx-trigger says "every …". [data-portal-live] is the button.
(() => {
  const KEY = "portal-live-paused";
  const isPaused = () => window.sessionStorage.getItem(KEY) === "yes";

  function draw() {
    for (const button of document.querySelectorAll("[data-portal-live]")) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(isPaused()));
      button.querySelector("[data-portal-live-label]").textContent = isPaused()
        ? button.dataset.portalLiveResume
        : button.dataset.portalLivePause;
    }
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-portal-live]")) return;
    window.sessionStorage.setItem(KEY, isPaused() ? "no" : "yes");
    draw();
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const isPoll = /\bevery\b/.test(event.detail.elt.getAttribute("hx-trigger") ?? "") && !event.detail.requestConfig.triggeringEvent;
    if (isPoll && (isPaused() || document.hidden)) event.preventDefault();
  });
  document.addEventListener("htmx:load", draw);
  draw();
})();
