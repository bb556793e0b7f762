// Citations open their passage in the panel; copying gives text, not HTML. Everything shown here was made and escaped
// by render.py and cleaned by Gradio; nodes are cloned, never parsed from strings.
(() => {
  let origin = null; // the citation that was chosen, to give the focus back to

  const parts = () => {
    const panel = document.querySelector("#panel aside");
    const find = (name) => panel.querySelector(name);
    return { numbers: find(".numbers"), opened: find(".opened"), closed: find(".closed") };
  };

  const show = (isOpen) => {
    const { numbers, opened, closed } = parts();
    numbers.hidden = opened.hidden = !isOpen;
    closed.hidden = isOpen;
    document.querySelectorAll("a.cite.chosen").forEach((link) => link.classList.remove("chosen"));
  };

  const choose = (id) => {
    document.querySelectorAll('a[href^="#src-"]').forEach((link) => {
      const isChosen = link.getAttribute("href") === "#" + id;
      link.classList.toggle("chosen", isChosen);
      if (link.closest("#panel")) link.setAttribute("aria-current", isChosen ? "true" : "false");
    });
  };

  const fill = (source) => {
    const { numbers, opened } = parts();
    const links = [...source.parentElement.children].map((one) => {
      const link = document.createElement("a");
      link.href = "#" + one.id;
      link.className = "cite";
      link.textContent = one.id.split("-").pop();
      return link;
    });
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.textContent = "Close";
    const word = document.createElement("span");
    word.textContent = "Source";
    numbers.replaceChildren(word, ...links, close);
    const copy = source.cloneNode(true);
    copy.removeAttribute("id");
    opened.replaceChildren(...copy.childNodes);
  };

  const open = (link) => {
    const id = link.getAttribute("href").slice(1);
    const source = document.getElementById(id);
    if (!source) return;
    if (!link.closest("#panel")) origin = link;
    fill(source);
    show(true);
    choose(id);
    const { opened } = parts();
    opened.focus({ preventScroll: true });
    const mark = opened.querySelector("mark");
    document.querySelector("#side").scrollTop = 0; // the title stays in sight where there is room for it
    if (mark.getBoundingClientRect().bottom > innerHeight) mark.scrollIntoView({ block: "center", behavior: "instant" });
    if (origin) origin.scrollIntoView({ block: "nearest", behavior: "instant" }); // the chat may have become lower
  };

  const close = () => {
    show(false);
    if (origin && origin.isConnected) origin.focus();
    origin = null;
  };
  window.closePanel = () => { if (document.querySelector("#panel aside")) show(false); };

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#src-"]');
    if (link) {
      event.preventDefault();
      open(link);
    } else if (event.target.closest("#panel .close")) close();
  }, true);
  document.addEventListener("focusin", (event) => { // on a phone there is no room for both
    if (event.target.matches("#box textarea") && matchMedia("(max-width: 900px)").matches) show(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest("#panel")) close();
  });

  // Gradio labels each message with its source, which here is HTML; a screen reader gets one word instead.
  const label = (message) => {
    const word = message.dataset.testid === "user" ? "Question" : "Answer";
    if (message.getAttribute("aria-label") !== word) message.setAttribute("aria-label", word);
  };
  new MutationObserver(() => document.querySelectorAll("#chat [data-testid][aria-label]").forEach(label)).observe(
    document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-label"] });

  // Gradio copies a message's source, which here is HTML: what reaches the clipboard is what is read.
  const text = (html) => {
    const said = new DOMParser().parseFromString(html, "text/html").querySelector(".asked, .said, .failure, .note");
    if (!said) return html;
    said.querySelectorAll("a.cite").forEach((link) => link.replaceWith(` [${link.textContent}]`));
    said.querySelectorAll("p, li, tr, pre, h1, h2, h3, h4, h5, h6, br").forEach((block) => block.after("\n"));
    said.querySelectorAll("td, th").forEach((cell) => cell.after("\t"));
    return said.textContent.trim();
  };
  if (navigator.clipboard) {
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = (value) => write(/^<div class="(asked|reply)/.test(value) ? text(value) : value);
  }
})();
