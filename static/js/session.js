// Before a session ends its pages warn, and one key extends it. After its end no page shows what it showed.
// The server has the clock: a page asks it before it warns and before it covers itself, so several tabs agree.
const dialog = document.getElementById("session-end");

if (dialog) {
  const { session, signIn, who } = dialog.dataset;
  const warning = Number(dialog.dataset.warning);
  const button = dialog.querySelector("button");
  const part = (name) => dialog.querySelector(`[data-${name}]`);
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("hwbc-session") : null;
  let ends = Date.now() + Number(dialog.dataset.left) * 1000;
  let fixed = false;
  let read = false; // that the end is near and cannot be put off
  let over = false;
  let timer = 0;

  const left = () => Math.max(0, Math.round((ends - Date.now()) / 1000));

  function words(seconds) {
    const steps = [120, 60, 30, 15].filter((step) => step <= warning);
    const at = steps.reverse().find((step) => seconds <= step) ?? seconds;
    if (at < 60) return `${at} seconds`;
    return at < 120 ? "1 minute" : `${Math.round(at / 60)} minutes`;
  }

  function learn(answer) {
    ends = Date.now() + answer.left * 1000;
    fixed = answer.fixed;
    if (answer.left === 0 || answer.who !== who) end();
    else if (answer.left > warning && dialog.open) dialog.close(); // the focus goes back to where it was
  }

  // The server's word; null where it cannot be reached, and then the clock of this page goes on.
  async function ask(options = {}) {
    try {
      const answer = await fetch(session, { ...options, headers: { Accept: "application/json", ...options.headers } });
      if (!answer.ok) throw new Error("away");
      learn(await answer.json());
      return true;
    } catch {
      return false;
    }
  }

  async function stay() {
    if (fixed) {
      read = true;
      dialog.close();
      return;
    }
    const token = document.querySelector("input[name=csrfmiddlewaretoken]");
    const done = await ask({ method: "POST", headers: { "X-CSRFToken": token ? token.value : "" } });
    part("failed").hidden = done;
    if (done && !over) {
      dialog.close();
      tabs?.postMessage("changed");
      wait();
    }
  }

  function show() {
    part("may-stay").hidden = fixed;
    part("fixed").hidden = !fixed;
    button.textContent = fixed ? "Close" : "Stay signed in";
    part("failed").hidden = true;
    document.dispatchEvent(new Event("hwbc:keep"));
    part("time").textContent = words(left());
    dialog.showModal();
    button.focus();
  }

  // In words and in steps: what is said aloud is said a few times, and not every second.
  function count() {
    const now = words(left());
    if (part("time").textContent !== now) {
      part("time").textContent = now;
      part("said").textContent = `You will be signed out in ${now}.`;
    }
  }

  async function tick() {
    if (over) return;
    if (left() <= warning && !dialog.open && !read) {
      await ask();
      if (!over && left() <= warning && !dialog.open) show();
    } else if (left() === 0) {
      if (!(await ask()) && left() === 0) end();
    } else if (dialog.open) {
      count();
    }
    wait();
  }

  function wait() {
    clearTimeout(timer);
    if (over) return;
    const near = left() <= warning;
    timer = setTimeout(tick, near ? 1000 : Math.min(60, left() - warning) * 1000 + 200);
  }

  function end() {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (dialog.open) dialog.close();
    cover();
  }

  // Nothing of what stood here can be read any more. A form with something that is not kept yet stays, out of sight,
  // until it is (drafts.js).
  function cover() {
    const link = document.createElement("a");
    const back = location.pathname + location.search;
    link.href = `${signIn}?next=${encodeURIComponent(back)}`;
    link.textContent = "Sign in and come back to this page";
    const heading = document.createElement("h1");
    heading.textContent = "You were signed out";
    heading.tabIndex = -1;
    const text = document.createElement("p");
    const is = "What you typed is kept as a draft for a day, for you alone.";
    text.textContent = `What was on this page is covered. ${is}`;
    text.setAttribute("role", "status");
    const way = document.createElement("p");
    way.append(link);
    const main = document.createElement("main");
    main.className = "nhsuk-main-wrapper nhsuk-width-container";
    main.append(heading, text, way);
    const gone = document.createElement("div");
    gone.hidden = true;
    gone.id = "hwbc-covered";
    gone.append(...document.body.childNodes);
    document.body.append(main, gone);
    document.title = "You were signed out";
    heading.focus();
    const whenKept = () => {
      gone.remove();
      text.textContent = `What was on this page is covered. ${is}`;
    };
    const kept = new CustomEvent("hwbc:keep", { detail: { whenKept } });
    document.dispatchEvent(kept);
    if (!kept.detail.waits) whenKept();
    else text.textContent = "What was on this page is covered. What you typed last is being kept: leave this page open.";
  }

  dialog.addEventListener("cancel", (event) => {
    event.preventDefault(); // Escape stays signed in, too
    stay();
  });
  button.addEventListener("click", stay);
  tabs?.addEventListener("message", () => ask().then(wait));
  document.addEventListener("hwbc:moved", () => ask().then(wait)); // a draft was saved: somebody is typing
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") ask().then(wait);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) ask().then(wait);
  });
  wait();
}
