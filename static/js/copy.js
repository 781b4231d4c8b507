// [data-portal-copy]: shows its button, copies the exact text, says so for two seconds.
// Where the clipboard is closed to the page, the text is selected and the button says which keys copy it.
(() => {
  const SHOWN_FOR_MS = 2000;

  function reveal(root) {
    for (const box of root.querySelectorAll("[data-portal-copy]")) {
      box.querySelector("button").hidden = false;
    }
  }

  function select(source) {
    if (source.select) {
      source.focus();
      source.select();
      return;
    }
    const range = document.createRange();
    range.selectNodeContents(source);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function copy(button) {
    const box = button.closest("[data-portal-copy]");
    const source = box.querySelector("[data-portal-copy-source]");
    const text = "value" in source ? source.value : source.textContent;
    let said = button.dataset.portalCopyDone;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      select(source);
      said = button.dataset.portalCopyFailed;
    }
    show(button, said);
  }

  function show(button, said) {
    const label = button.querySelector("[data-portal-copy-label]");
    button.dataset.portalCopyRest ??= label.textContent;
    label.textContent = said;
    document.dispatchEvent(new CustomEvent("portal:announce", { detail: said }));
    window.clearTimeout(Number(button.dataset.portalCopyTimer));
    button.dataset.portalCopyTimer = window.setTimeout(() => {
      label.textContent = button.dataset.portalCopyRest;
    }, SHOWN_FOR_MS);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-portal-copy] button");
    if (button) copy(button);
  });
  document.addEventListener("htmx:load", (event) => reveal(event.detail.elt.parentElement ?? document));
  reveal(document);
})();
