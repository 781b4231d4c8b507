// Focus survives a swap (htmx drops it to <body> when the focused element is replaced), and goes to a form's errors.
(() => {
  let lost = null;

  function remember(event) {
    const target = event.detail.target;
    const active = document.activeElement;
    lost = target && active && active !== document.body && target.contains(active) ? { id: active.id, within: target.id } : null;
  }

  // Parts beside the one that was asked for are replaced after `htmx:beforeSwap`, each by itself.
  function rememberBeside(event) {
    const before = lost;
    remember(event);
    lost ??= before;
  }

  function restore(event) {
    const panel = event.detail.elt.querySelector?.("[data-portal-focus]");
    if (panel) {
      give(panel);
    } else if (lost && document.activeElement === document.body) {
      give(document.getElementById(lost.id) ?? document.getElementById(lost.within) ?? document.getElementById("main"));
    }
    lost = null;
  }

  function give(element) {
    if (!element) return;
    element.focus({ preventScroll: element.id !== "main" && isVisible(element) });
    if (document.activeElement !== element) {
      element.tabIndex = -1;
      element.focus();
    }
  }

  function isVisible(element) {
    const box = element.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= window.innerHeight;
  }

  document.addEventListener("htmx:beforeSwap", remember);
  document.addEventListener("htmx:oobBeforeSwap", rememberBeside);
  document.addEventListener("htmx:afterSettle", restore);
  give(document.querySelector(".error-summary[data-portal-focus]"));
})();
