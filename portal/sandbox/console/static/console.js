// The played console's two behaviours: open a quick-create link, look again while an operation is under way.
(() => {
  const { pathname, search, hash } = window.location;
  const [route, wanted = ""] = hash.slice(1).split("?");
  if (pathname.endsWith("/cloudformation/home")) {
    const query = new URLSearchParams(wanted);
    const region = new URLSearchParams(search).get("region");
    if (region) query.set("region", region);
    const page = route === "/stacks/create/review" || route === "/stacks/quickcreate" ? "review" : "stacks";
    window.location.replace(`/console/cloudformation/${page}?${query}`);
    return;
  }
  // Azure's Deploy links: `#create/Microsoft.Template/uri/<percent-encoded address>`.
  const deploy = hash.match(/^#create\/Microsoft\.Template\/uri\/([^/]+)$/);
  if (deploy && /\/console\/azure(\/deploy)?\/?$/.test(pathname)) {
    window.location.replace(`/console/azure/custom?${new URLSearchParams({ template: decodeURIComponent(deploy[1]) })}`);
    return;
  }
  const wait = Number(document.body.dataset.refresh);
  if (wait) window.setTimeout(() => window.location.reload(), wait);
})();
