// [data-portal-rows]: a table that is brought anew by itself. What has changed in its rows is said: "orders: Running, Healthy".
(() => {
  const MOST = 3;
  let before = null;

  const words = (row) => [...row.querySelectorAll(".badge-label")].map((label) => label.textContent.trim()).join(", ");

  function rows(table) {
    return new Map([...(table?.querySelectorAll("tbody tr") ?? [])].map((row) => [row.querySelector("th a").href, row]));
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    // Not after a filter or a page of the reader's own: the whole list is another one then.
    const table = event.detail.requestConfig.triggeringEvent ? null : event.detail.target.querySelector("[data-portal-rows]");
    before = table && new Map([...rows(table)].map(([key, row]) => [key, words(row)]));
  });

  document.addEventListener("htmx:afterSettle", () => {
    if (!before) return;
    const table = document.querySelector("[data-portal-rows]");
    const changed = [...rows(table)].filter(([key, row]) => before.has(key) && before.get(key) !== words(row)).map(([, row]) => row);
    before = null;
    if (!changed.length) return;
    const said = changed.slice(0, MOST).map((row) => `${row.querySelector("th a").textContent}: ${words(row)}.`).join(" ");
    const detail = changed.length > MOST ? `${said} ${table.dataset.portalRows}` : said;
    document.dispatchEvent(new CustomEvent("portal:announce", { detail }));
  });
})();
