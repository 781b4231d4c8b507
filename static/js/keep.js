// [data-portal-keep] with an id, inside something htmx swaps: an open <details> stays open, a scrolled box stays where the reader left it.
(() => {
  let kept = [];

  document.addEventListener("htmx:beforeSwap", (event) => {
    const boxes = event.detail.target?.querySelectorAll("[data-portal-keep][id]") ?? [];
    kept = [...boxes].map((box) => ({ id: box.id, open: box.open, top: box.scrollTop, left: box.scrollLeft }));
  });

  document.addEventListener("htmx:afterSwap", () => {
    for (const { id, open, top, left } of kept) {
      const box = document.getElementById(id);
      if (!box) continue;
      if (open) box.open = true;
      box.scrollTop = top;
      box.scrollLeft = left;
    }
    kept = [];
  });
})();
