// Approving with a passkey: the form is sent only once the passkey has signed what the page offers. The server checks what it signed.
(() => {
  const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

  function readOptions() {
    const { publicKey } = JSON.parse(document.getElementById("passkey-options").textContent);
    const allowCredentials = (publicKey.allowCredentials ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));
    return { publicKey: { ...publicKey, challenge: toBytes(publicKey.challenge), allowCredentials } };
  }

  function toJson(credential) {
    const { authenticatorData, clientDataJSON, signature, userHandle } = credential.response;
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      clientExtensionResults: {},
      response: {
        authenticatorData: toText(authenticatorData),
        clientDataJSON: toText(clientDataJSON),
        signature: toText(signature),
        userHandle: userHandle ? toText(userHandle) : null,
      },
    });
  }

  for (const form of document.querySelectorAll("form[data-portal-passkey]")) {
    const field = form.elements.credential;
    const said = form.querySelector("[data-portal-passkey-error]");
    // Before the guard against double submits hears of it: nothing is sent yet.
    form.addEventListener("submit", async (event) => {
      if (field.value) return;
      event.preventDefault();
      event.stopPropagation();
      said.textContent = "";
      try {
        field.value = toJson(await navigator.credentials.get(readOptions()));
      } catch {
        said.textContent = form.dataset.portalPasskeyFailed;
        return;
      }
      form.requestSubmit();
    });
  }
})();
