// Keys press what stands on the page: an element says its keys in data-key. Without this script all of it works by
// pointing and by the usual keys of a browser.
(() => {
  "use strict";

  const layer = () => document.querySelector("dialog[open], details[data-layer][open]");

  const isTyping = (target) =>
    target.matches("textarea, select, input:not([type=checkbox]):not([type=radio]), [contenteditable]");

  const close = (open) => {
    if (open instanceof HTMLDialogElement) open.close();
    else {
      open.open = false;
      open.querySelector("summary").focus();
    }
  };

  const pressed = (key) => {
    const open = layer();
    const all = [...(open ?? document).querySelectorAll("[data-key]")];
    return all.find((one) => {
      const hidden = !open && one.closest("details[data-layer]") && !one.matches("summary");
      return !hidden && one.dataset.key.split(" ").includes(key);
    });
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape") {
      const open = layer();
      if (isTyping(event.target)) document.getElementById("stage")?.focus();
      else if (open && !(open instanceof HTMLDialogElement)) close(open);
      return;
    }
    // A player has its own arrows.
    if (event.repeat || isTyping(event.target) || event.target.matches("audio")) return;
    const found = pressed(event.key);
    // What is on its way is waited for: a second press must not hit the next asset.
    if (!found || document.querySelector(".htmx-request")) return;
    event.preventDefault();
    if (found.matches("textarea")) found.focus();
    else found.click();
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open).showModal();
    // A menu closes when somebody points elsewhere.
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  // The next asset is announced, and keys of the browser go on from there.
  document.addEventListener("htmx:after:swap", () => {
    const stage = document.getElementById("stage");
    if (stage && (document.activeElement === document.body || !document.activeElement)) stage.focus({ preventScroll: true });
    document.getElementById("notice").querySelector("#problem h1")?.scrollIntoView({ block: "nearest" });
  });

  // What went wrong before is over when the next thing is asked for.
  document.addEventListener("htmx:before:request", (event) => {
    if (!event.target.closest?.("#progress")) document.getElementById("notice").replaceChildren();
  });

  // A file is read here and goes along as text, so that no page has to take files. Without this script one pastes it.
  for (const file of document.querySelectorAll("input[data-fills]")) {
    file.closest("[hidden]").hidden = false;
    file.addEventListener("change", async () => {
      if (file.files[0]) document.getElementById(file.dataset.fills).value = await file.files[0].text();
    });
  }

  // A second click on what is on its way is none; htmx looks after its own forms.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.isSent) event.preventDefault();
    form.dataset.isSent = "true";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-is-sent]")) delete form.dataset.isSent;
  });

  // Two things at once are two recordings too many.
  document.addEventListener("play", (event) => {
    for (const one of document.querySelectorAll("audio")) if (one !== event.target) one.pause();
  }, true);
})();
