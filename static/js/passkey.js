// Passkeys: hands what the server asks for to the browser, and what the browser made back to the server, as a form.
// Keys and challenges are bytes to the browser and base64url to everybody else.
const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const credentials = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

async function options(form) {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const answer = await fetch(form.dataset.optionsFrom, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error("away");
  return (await answer.json()).request_options;
}

async function create({ publicKey }) {
  return navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: bytes(publicKey.challenge),
      user: { ...publicKey.user, id: bytes(publicKey.user.id) },
      excludeCredentials: credentials(publicKey.excludeCredentials),
    },
  });
}

async function get({ publicKey }) {
  return navigator.credentials.get({
    publicKey: {
      ...publicKey,
      challenge: bytes(publicKey.challenge),
      allowCredentials: credentials(publicKey.allowCredentials),
    },
  });
}

function said(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  return {
    type: credential.type,
    id: credential.id,
    rawId: text(credential.rawId),
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: Object.fromEntries(parts.filter((part) => response[part]).map((part) => [part, text(response[part])])),
  };
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  const error = form.querySelector("[role=alert]");
  const button = form.querySelector("button");
  if (!window.PublicKeyCredential) {
    error.textContent = "This browser has no passkeys. Use another way.";
    button.disabled = true;
    continue;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    button.disabled = true;
    try {
      const credential = await (form.dataset.passkey === "create" ? create : get)(await options(form));
      form.elements.credential.value = JSON.stringify(said(credential));
      form.submit();
    } catch (fault) {
      error.textContent =
        fault.name === "InvalidStateError"
          ? "This device has a passkey for your account already."
          : "The passkey was not used. Try again, or use another way.";
      button.disabled = false;
    }
  });
}
