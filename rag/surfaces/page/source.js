// The panel of sources: a citation opens its passage there, those of the same sentence below it, and a PDF's page.
(() => {
  const { words, say, make, find, all, call, query, place, trying } = window.page;
  const hovers = matchMedia("(hover: hover) and (min-width: 1180px)");
  let origin = null; // the citation that was chosen, to give the focus back to
  let resting = 0;

  const part = (name) => find(`#side .${name}`);
  const show = (isOpen) => {
    part("numbers").hidden = part("opened").hidden = !isOpen;
    part("closed").hidden = isOpen;
    document.body.classList.toggle("reading", isOpen);
    if (!isOpen) all("a.cite.chosen").forEach((link) => link.classList.remove("chosen"));
  };
  const head = (...links) => {
    const close = make("button", { type: "button", className: "close" }, words.close);
    close.onclick = leave;
    part("numbers").replaceChildren(make("span", {}, words.source), ...links, close);
  };

  // Links that stand behind the same sentence: neighbours with nothing between them
  const mates = (link) => {
    const found = [link];
    const alike = (node) => (node?.nodeType === Node.ELEMENT_NODE && node.matches("a.cite") ? node : null);
    for (let one = link; (one = alike(one.previousSibling)); ) found.push(one);
    for (let one = link; (one = alike(one.nextSibling)); ) found.push(one);
    return found;
  };
  const card = (id) => {
    const copy = document.getElementById(id).cloneNode(true);
    copy.removeAttribute("id");
    const at = find("a.at", copy);
    if (at && /\.pdf$/i.test(new URLSearchParams(at.hash.slice(4)).get("source"))) sheet(copy, at.hash);
    return copy;
  };
  const idOf = (link) => link.getAttribute("href").slice(1);

  const open = (link, { focus = true } = {}) => {
    const id = idOf(link);
    const source = document.getElementById(id);
    if (!source) return;
    const inText = link.closest("#chat") ? link : find(`#chat a.cite[href="#${id}"]`);
    if (link.closest("#chat")) origin = link;
    head(...[...source.parentElement.children].map((one) =>
      make("a", { href: `#${one.id}`, className: "cite" }, one.id.split("-").pop())));
    const others = inText ? mates(inText).slice(1).map(idOf) : [];
    const also = others.length ? [make("h2", {}, words.of_sentence), ...others.map(card)] : [];
    part("opened").replaceChildren(card(id), ...also);
    show(true);
    all('a.cite[href^="#src-"]').forEach((one) => {
      one.classList.toggle("chosen", idOf(one) === id);
      if (one.closest("#side")) one.setAttribute("aria-current", idOf(one) === id);
    });
    if (focus) {
      place("side");
      part("opened").focus({ preventScroll: true });
      if (origin) origin.scrollIntoView({ block: "nearest", behavior: "instant" });
    }
    reveal();
  };
  const reveal = () => { // the title stays in sight where there is room for it
    find("#side").scrollTop = 0;
    const mark = find("#side mark");
    if (mark && mark.getBoundingClientRect().bottom > innerHeight) mark.scrollIntoView({ block: "center", behavior: "instant" });
  };
  const leave = () => {
    show(false);
    place("talk");
    if (origin && origin.isConnected) origin.focus();
    origin = null;
  };

  // The page of a PDF as a picture, the cited lines boxed and in sight; large by a click
  const framed = (source, number, boxes, alt, width) => {
    const picture = make("img", { src: `/page/sheet.png?${query({ source, page: number, width })}`, alt });
    const frame = make("div", { className: "sheet" }, picture);
    const percent = (share) => `${100 * share}%`;
    for (const { left, top, right, bottom } of boxes) {
      const line = make("span", { className: "box" });
      Object.assign(line.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
      frame.append(line);
    }
    picture.onload = () => { // the scrolling part around it shows the first line
      const around = frame.parentElement, { top, bottom } = boxes[0];
      around.scrollTop = ((top + bottom) / 2) * frame.offsetHeight - around.clientHeight / 2;
    };
    return frame;
  };
  const sheet = async (copy, hash) => {
    const { source, start, end } = Object.fromEntries(new URLSearchParams(hash.slice(4)));
    const passage = find(".passage", copy), title = find(".title", copy).textContent;
    const lines = document.createTreeWalker(passage, NodeFilter.SHOW_TEXT);
    while (lines.nextNode()) lines.currentNode.data = lines.currentNode.data.replace(/(?<!\n)(?<! \| [^\n]*)\n(?!\n|[^\n]* \| |[\u2022*-] )/g, " "); // the page's own lines
    const boxes = await call("GET", `sheet?${query({ source, start, end })}`).catch(() => []);
    for (const page of new Set(boxes.map((box) => box.page))) {
      const given = [source, page, boxes.filter((one) => one.page === page), say("page_picture", { page, title })];
      const small = make("button", { type: "button", className: "small", title: words.enlarge }, framed(...given, 1000));
      small.onclick = () => enlarge(framed(...given, 2000), title);
      passage.before(small);
    }
  };
  const enlarge = (frame, ariaLabel) => {
    const close = make("button", { type: "button", className: "close" }, words.close);
    const dialog = make("dialog", { className: "large", ariaLabel }, close, make("div", { className: "around", tabIndex: 0 }, frame));
    close.onclick = () => dialog.close();
    dialog.onclose = () => dialog.remove();
    document.body.append(dialog);
    dialog.showModal();
  };

  // A span of a document, with more of what stands around it
  const openAt = (hash, { title = "", around = 20000 } = {}) => trying(async () => {
    const { source, start = 0, end = 0 } = Object.fromEntries(new URLSearchParams(hash.slice(4)));
    const text = await call("GET", `text?${query({ source, start, end, around })}`);
    const passage = make("p", { className: "passage" }, text.before, make("mark", {}, text.quote), text.after);
    const copy = make("section", { className: "source" }, make("h3", { className: "title" }, title || source),
      make("p", { className: "place" }, source), passage);
    if (!text.quote) find("mark", copy).remove();
    if (!text.whole) {
      const more = make("button", { type: "button", className: "more" }, words.whole);
      more.onclick = () => openAt(hash, { title, around: 4 * around });
      copy.append(more);
    }
    if (text.quote && /\.pdf$/i.test(source)) sheet(copy, hash);
    head();
    part("opened").replaceChildren(copy);
    show(true);
    place("side");
    part("opened").focus({ preventScroll: true });
    reveal();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#src-"], a[href^="#at?"]');
    if (!link) return;
    event.preventDefault();
    if (link.matches(".at")) openAt(link.getAttribute("href"), { title: find(".title", link.parentElement)?.textContent });
    else open(link);
  }, true);
  document.addEventListener("pointerover", (event) => {
    clearTimeout(resting);
    const link = event.target.closest?.('#chat a.cite[href^="#src-"]');
    if (link && hovers.matches) resting = setTimeout(() => open(link, { focus: false }), 250);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest("#side")) leave();
  });

  Object.assign(window.page, { openAt, closeSource: () => { if (part("opened")) show(false); } });
})();
