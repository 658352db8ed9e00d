// What is typed is kept on the server while it is typed. Nothing is kept in the browser: others use it too.
const EVERY = 3000; // milliseconds after something was typed
const AGAIN = 10000; // after the server could not be reached

for (const mark of document.querySelectorAll("input[name=typed_by][data-draft]")) follow(mark.form, mark);

function follow(form, mark) {
  const state = document.createElement("p");
  state.className = "nhsuk-hint hwbc-draft-state";
  state.setAttribute("role", "status");
  form.append(state);

  let typed = false; // something that is not kept yet
  let sending = null;
  let timer = 0;
  let sent = false;
  let whenKept = null;

  function content() {
    const data = new FormData(form);
    for (const [name, value] of [...data]) {
      if (typeof value !== "string" || name === "csrfmiddlewaretoken") data.delete(name);
    }
    for (const secret of form.querySelectorAll("input[type=password]")) data.delete(secret.name);
    data.set("draft_address", mark.dataset.address);
    return data;
  }

  function say(words) {
    if (state.textContent !== words) state.textContent = words; // the same again is not said aloud again
  }

  // `background`: nobody is typing, so it does not count as something done.
  async function keep(background) {
    if (!typed || sent || sending) return;
    clearTimeout(timer);
    typed = false;
    sending = new AbortController();
    let again = false;
    try {
      const answer = await fetch(mark.dataset.draft, {
        method: "POST",
        body: content(),
        keepalive: document.visibilityState === "hidden", // of 64 kB at most
        signal: sending.signal,
        headers: background ? { "X-Background": "draft" } : {},
      });
      if (answer.status === 413) {
        say("This is too long to be kept as a draft. Save it soon.");
      } else if (!answer.ok) {
        throw new Error("away");
      } else {
        const { saved } = await answer.json();
        say(saved ? `Draft saved at ${saved}` : "");
        if (!background) document.dispatchEvent(new Event("hwbc:moved"));
        whenKept?.();
      }
    } catch {
      if (sent) return;
      typed = again = true;
      say("Your draft could not be saved: the service cannot be reached. It is tried again.");
    } finally {
      sending = null;
    }
    if (typed) timer = setTimeout(keep, again ? AGAIN : EVERY, again);
  }

  form.addEventListener("input", () => {
    if (!typed && !sending) timer = setTimeout(keep, EVERY, false);
    typed = true;
  });
  form.addEventListener("submit", () => {
    sent = true;
    clearTimeout(timer);
    sending?.abort();
  });
  window.addEventListener("pageshow", () => {
    sent = false; // back at a page that was kept
  });
  window.addEventListener("online", () => keep(true));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") keep(true);
  });
  document.addEventListener("hwbc:keep", (event) => {
    if (event.detail && (typed || sending)) {
      event.detail.waits = true;
      whenKept = event.detail.whenKept;
    }
    keep(true);
  });
}
