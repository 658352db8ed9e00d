// Runs before the page is drawn: says to the style sheet that JavaScript is there. A file, for inline scripts are forbidden.
document.body.classList.add("js-enabled");
if ("noModule" in HTMLScriptElement.prototype) {
  document.body.classList.add("nhsuk-frontend-supported");
}
