// Every page works without this. With it the NHS.UK components get their behaviour.
import { initAll } from "./nhsuk-frontend.min.js";

initAll();

// A page about something that is being done: asks again every two seconds, and shows the whole page when it is done.
const shown = [...document.querySelectorAll("[data-follow]")];

async function ask() {
  try {
    const answer = await fetch(location.href, {
      headers: { Accept: "text/html", "X-Background": "follow" }, // nobody has done anything
    });
    if (answer.status >= 500) throw new Error("away");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = [...page.querySelectorAll("[data-follow]")];
    if (!answer.ok || answer.redirected || now.length !== shown.length) {
      location.reload();
      return;
    }
    // Each part by itself, and only if it has changed: what a screen reader says aloud is said once.
    shown.forEach((part, place) => {
      if (part.innerHTML !== now[place].innerHTML) part.innerHTML = now[place].innerHTML;
    });
  } catch {
    // The server is away for a moment: ask again.
  }
  setTimeout(ask, 2000);
}

if (shown.length) setTimeout(ask, 2000);
