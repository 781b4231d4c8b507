// Says a sentence to screen readers through the page's one live region.
// Any script may ask: document.dispatchEvent(new CustomEvent("portal:announce", { detail: "Copied" }))
document.addEventListener("portal:announce", (event) => {
  const region = document.getElementById("announcer");
  if (!region) return;
  // Emptied first, so that the same sentence twice is heard twice.
  region.textContent = "";
  window.setTimeout(() => { region.textContent = event.detail; }, 50);
});
