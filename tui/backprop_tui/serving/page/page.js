// What textual-serve's terminal needs around it: where the server is, keys without a click, and
// what to say at the end.
"use strict";

const terminal = document.querySelector("#terminal");
const ended = document.querySelector("#ended");

terminal.dataset.sessionWebsocketUrl = `ws://${location.host}/ws`;
history.replaceState(null, "", "/"); // the secret is in the cookie now; no need to show it

ended.querySelector("button").addEventListener("click", () => location.reload());
ended.addEventListener("cancel", (event) => event.preventDefault());

// The terminal tells of what happens to it by classes.
new MutationObserver(() => {
  const has = (name) => document.body.classList.contains(name);
  if (has("-closed")) {
    if (ended.open) return;
    ended.querySelector("p").textContent = has("-first-byte")
      ? "The session has ended."
      : "No session began: all places may be taken, or the server has ended.";
    // The terminal would tell the server, which hears no more, that it has lost the focus.
    window.addEventListener("blur", (event) => event.stopImmediatePropagation(), true);
    ended.showModal();
  } else if (has("-loaded")) {
    document.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
