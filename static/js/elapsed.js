// [data-portal-since], [data-portal-until]: a running clock in words, as the server writes them ("32s", "5m 32s", "1h 05m"), up or down.
// Not announced: it is no live region.
(() => {
  const two = (number) => String(number).padStart(2, "0");

  function words(seconds) {
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (hours >= 24) return `${Math.floor(hours / 24)}d ${hours % 24}h`;
    if (hours) return `${hours}h ${two(minutes % 60)}m`;
    return minutes ? `${minutes}m ${two(seconds % 60)}s` : `${seconds}s`;
  }

  function tick() {
    if (document.hidden) return;
    for (const clock of document.querySelectorAll("[data-portal-since]")) {
      const seconds = Math.floor((Date.now() - Date.parse(clock.dataset.portalSince)) / 1000);
      if (seconds >= 0) clock.textContent = words(seconds);
    }
    for (const clock of document.querySelectorAll("[data-portal-until]")) {
      const seconds = Math.floor((Date.parse(clock.dataset.portalUntil) - Date.now()) / 1000);
      clock.textContent = words(Math.max(seconds, 0));
    }
  }

  window.setInterval(tick, 1000);
})();
