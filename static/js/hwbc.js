// Every page works without this. With it the NHS.UK components get their behaviour.
import { initAll } from "./nhsuk-frontend.min.js";

initAll();

// A page about something that is being done: asks again every two seconds, and shows the whole page when it is done.
const shown = document.querySelector("[data-follow]");

async function ask() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.querySelector("[data-follow]");
    if (!answer.ok || answer.redirected || !now) {
      location.reload();
      return;
    }
    // Said aloud by a screen reader when it changes, and only then.
    if (now.innerHTML !== shown.innerHTML) shown.innerHTML = now.innerHTML;
  } catch {
    // The server is away for a moment: ask again.
  }
  setTimeout(ask, 2000);
}

if (shown) setTimeout(ask, 2000);
