// What all parts of the page share, and the chat: what is asked, the actions of each answer, what a screen reader hears.
// Text from elsewhere becomes text nodes, never markup. Messages were made and escaped by render.py and cleaned by Gradio.
window.page = (() => {
  const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  const words = window.given.words[language];
  const state = { conversation: "", model: "", turn: null, trigger: null };

  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (name, values = {}) => words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const button = (name, word, work) => { // an icon, by its class, with its words for those who cannot see it
    const made = make("button", { type: "button", className: `act ${name}`, title: words[word] }, make("span", {}, words[word]));
    made.onclick = work;
    return made;
  };

  const call = async (method, path, body) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
    let response;
    try {
      response = await fetch(`/page/${path}`, { method, ...sent });
    } catch {
      throw new Error(words.offline);
    }
    if (response.status === 401) location.reload();
    const given = await response.json().catch(() => null);
    if (!response.ok) throw new Error(given?.error?.message ?? words.no_such_place);
    return given;
  };
  const query = (values) => new URLSearchParams(values).toString();
  const tell = (text) => { const live = find("#tools .live"); if (live) live.textContent = text; };
  const trying = async (work) => { try { return await work(); } catch (error) { await confirm(error.message, null); } };

  // A question to the user: true, or what was put into the form; null when it was cancelled
  const confirm = (text, yes, ...fields) => new Promise((done) => {
    const form = make("form", { method: "dialog" }, make("p", {}, text), ...fields);
    const cancel = make("button", { type: "button", className: "plain" }, words[yes ? "cancel" : "close"]);
    const row = make("div", { className: "row" }, cancel);
    if (yes) row.append(make("button", { className: "strong" }, yes));
    form.append(row);
    const dialog = make("dialog", { ariaLabel: text }, form);
    let answer = null;
    cancel.onclick = () => dialog.close();
    form.onsubmit = () => { answer = yes ? new FormData(form) : null; };
    dialog.onclose = () => { dialog.remove(); done(answer); };
    document.body.append(dialog);
    dialog.showModal();
  });

  // --- Asking ---
  const box = () => find("#box textarea");
  const isBusy = () => !!find("#box .stop-button");
  const anew = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (one) => one.toString(16).padStart(2, "0")).join("");
  const picks = () => ({
    conversation: state.conversation, language, model: state.model, sources: page.sources(), turn: state.turn,
  });
  const ask = (question, turn = null) => { if (!isBusy()) state.trigger("submit", { ...picks(), question, turn }); };
  const open = (conversation) => {
    state.conversation = conversation;
    edit(null);
    page.closeSource();
    state.trigger("select", picks());
    place("talk");
  };
  const edit = (turn, text = "") => {
    state.turn = turn;
    const line = find("#tools .editing");
    line.hidden = turn === null;
    if (turn === null) return;
    find("span", line).textContent = say("editing", { turn });
    const field = box();
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  };
  const settled = () => {
    edit(null);
    const asked = all("#chat .asked").length > 0;
    history.replaceState(null, "", asked ? `/?c=${state.conversation}` : "/");
    page.listTalks();
  };
  const relay = (trigger) => { state.trigger = trigger; dress(); };
  const start = () => { // once all parts have been drawn
    document.title = words.title;
    const address = new URLSearchParams(location.search), named = address.get("c");
    state.conversation = named && /^[\w-]{1,64}$/.test(named) ? named : anew();
    if (named) open(state.conversation);
    find(".signout").hidden = !window.given.signedIn;
    page.listTalks();
    page.listFiles();
    page.models();
    if (address.has("source")) page.openAt(`#at?${address}`);
  };

  // --- One place at a time, on a phone ---
  const place = (name) => {
    document.body.dataset.place = name;
    all(".places button").forEach((one) => one.setAttribute("aria-current", one.dataset.place === name));
  };

  // --- The actions of an answer ---
  const turnOf = (element) => {
    const row = element.closest("#chat .message-row");
    const rows = all("#chat .message-row");
    return rows.slice(0, rows.indexOf(row) + 1).filter((one) => find(".asked", one)).length;
  };
  const questionOf = (turn) => all("#chat .asked")[turn - 1].textContent;
  const textOf = (reply) => {
    const said = find(".said, .failure, .note", reply)?.cloneNode(true);
    if (!said) return "";
    all("a.cite", said).forEach((link) => link.replaceWith(` [${link.textContent}]`));
    all("p, li, tr, pre, h1, h2, h3, h4, h5, h6, br", said).forEach((block) => block.after("\n"));
    all("td, th", said).forEach((cell) => cell.after("\t"));
    return said.textContent.trim();
  };
  const copy = async (text) => {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else { // off loopback without https, browsers offer only this
      const field = make("textarea", { value: text });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    tell(words.copied);
  };
  const judge = async (pressed, turn, liked) => {
    const buttons = all(".act.good, .act.bad", pressed.parentElement);
    const send = async (value, reason) => {
      await call("POST", `conversations/${state.conversation}/feedback`, { turn, liked: value, reason });
      buttons.forEach((one) => one.classList.toggle("on", value !== null && one.classList.contains(value ? "good" : "bad")));
    };
    if (pressed.classList.contains("on")) return send(null, "");
    const kind = liked ? "good" : "bad";
    await send(liked, "");
    const reasons = words[`reasons_${kind}`].split("|").map((text) =>
      make("label", {}, make("input", { type: "checkbox", name: "reason", value: text }), text));
    const own = make("textarea", { name: "reason", rows: 3, maxLength: 1000, placeholder: words.reason, ariaLabel: words.reason });
    const given = await confirm(words[`why_${kind}`], words.send, ...reasons, own);
    if (given) await send(liked, given.getAll("reason").filter((text) => text.trim()).join("; "));
    tell(words.thanks);
  };
  const fetchFile = (path) => make("a", { href: `/page/conversations/${state.conversation}/${path}`, download: "" }).click();
  const actions = {
    copy: (pressed) => copy(textOf(pressed.closest(".reply"))),
    retry: (_, turn) => ask(questionOf(turn), turn),
    edit: (_, turn) => edit(turn, questionOf(turn)),
    change: (pressed, turn) => edit(turn, find(".query", pressed.closest(".searched")).textContent),
    good: (pressed, turn) => judge(pressed, turn, true),
    bad: (pressed, turn) => judge(pressed, turn, false),
    markdown: (_, turn) => fetchFile(`markdown?turn=${turn}`),
    receipt: (_, turn) => fetchFile(`receipt?turn=${turn}`),
  };
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("#chat .act, #chat .ask, .places button, #tools .cancel, .signout");
    if (!pressed) return;
    if (pressed.matches(".places button")) place(pressed.dataset.place);
    else if (pressed.matches(".cancel")) edit(null);
    else if (pressed.matches(".signout")) fetch("/signout", { method: "POST" }).then(() => location.assign("/"));
    else if (pressed.matches(".ask")) ask(pressed.textContent);
    else trying(() => actions[[...pressed.classList].find((name) => name in actions)](pressed, turnOf(pressed)));
  });

  // --- What is put into words and kept in order while Gradio draws ---
  let heard = "", hearing = false, started = false;
  const put = (one, property, value) => { if (one && one[property] !== value) one[property] = value; }; // else it is a change
  const dress = () => {
    const parts = ["#box textarea", "#left .list", "#tools select", "#side .opened"];
    if (!started && state.trigger && parts.every((one) => find(one))) { started = true; start(); }
    document.documentElement.lang = language;
    const texts = { word: "textContent", title: "title", label: "ariaLabel", hint: "placeholder" };
    for (const [kind, property] of Object.entries(texts)) {
      all(`[data-${kind}]`).forEach((one) => { one[property] = words[one.dataset[kind]]; one.removeAttribute(`data-${kind}`); });
    }
    all("#chat [data-testid][aria-label]").forEach((message) => { // else it is read out as HTML
      put(message, "role", "group");
      put(message, "ariaLabel", words[message.dataset.testid === "user" ? "question" : "answer"]);
    });
    all("#chat [aria-live=polite]").forEach((log) => { // it would be read anew each time
      log.ariaLive = "off";
      log.ariaLabel = words.conversation;
    });
    all("#chat :is(.asked, pre, table)").forEach((one) => { // else the keyboard cannot scroll them
      if (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight) put(one, "tabIndex", 0);
    });
    put(box(), "ariaLabel", words.question_label); // Gradio's takes in the button
    const welcome = find("#chat .welcome:empty");
    if (welcome) greet(welcome);
    document.body.classList.toggle("busy", isBusy());
    hear();
  };
  const greet = async (welcome) => {
    welcome.append(make("h2", {}, words.welcome));
    const starters = await call("GET", "starters").catch(() => []);
    welcome.append(...starters.map((text) => make("button", { type: "button", className: "ask" }, text)));
  };
  const hear = () => { // each sentence once, as it comes; the last ones often come with the end
    const busy = isBusy(), last = all("#chat :is(.asked, .reply)").at(-1);
    if (busy && !hearing) heard = "";
    const text = (busy || hearing) && last?.matches(".reply") ? textOf(last) || last.textContent : "";
    hearing = busy;
    if (!text || text === heard) return;
    tell(text.startsWith(heard) ? text.slice(heard.length) : text);
    heard = text;
  };
  let due = 0;
  const watched = { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["aria-label"] };
  new MutationObserver(() => { due ||= requestAnimationFrame(() => { due = 0; dress(); }); })
    .observe(document.documentElement, watched);

  return { words, say, make, find, all, button, call, query, confirm, trying, tell, state, picks, ask, open, anew, settled, relay, place };
})();
