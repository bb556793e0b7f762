// What all parts of the page share, and the chat: what is asked, the actions of each answer, what a screen reader hears.
// Text from elsewhere becomes text nodes, never markup. Messages were made and escaped by render.py and cleaned by Gradio.
window.page = (() => {
  const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  const words = window.given.words[language];
  const anew = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (one) => one.toString(16).padStart(2, "0")).join("");
  const address = new URLSearchParams(location.search);
  const named = /^[\w-]{1,64}$/.test(address.get("c")) ? address.get("c") : null;
  const state = { conversation: named ?? anew(), model: "", turn: null, draft: "", opening: null, trigger: null };

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
    const response = await fetch(`/page/${path}`, { method, ...sent }).catch(() => { throw new Error(words.offline); });
    const given = await response.json().catch(() => null);
    if (!response.ok) throw new Error(given?.error?.message ?? words.no_such_place);
    return given;
  };
  const reach = window.fetch;
  window.fetch = async (...given) => { // Gradio says nothing when the server no longer knows who asks
    const response = await reach(...given);
    if (response.status === 401) signInAgain();
    return response;
  };
  const signInAgain = () => location.reload(); // which leads to the sign-in; what was typed is kept
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
  let heard = "", hearing = false; // what a screen reader was told of the answer that is coming
  const box = () => find("#box textarea");
  const isBusy = () => !!find("#box .stop-button");
  const picks = () => ({
    conversation: state.conversation, language, model: state.model, sources: page.sources(), turn: state.turn,
  });
  const told = (turn) => { // the conversation before a question as plain text, without questions that got no answer
    const replies = all("#chat .reply");
    return all("#chat .asked").slice(0, turn ? turn - 1 : undefined).flatMap((asked, at) => {
      const text = textOf(replies[at], ".said");
      return text ? [{ role: "user", content: asked.textContent }, { role: "assistant", content: text }] : [];
    });
  };
  const asking = (turn = state.turn) => { // what goes with a question that is being sent
    const before = told(turn);
    all("#chat .reply").at(-1)?.classList.add("heard"); // what comes is drawn as another element
    [heard, hearing] = ["", true];
    history.replaceState(null, "", `/?c=${state.conversation}`);
    setTimeout(() => page.listTalks(), 500);
    return { ...picks(), turn, history: before };
  };
  const ask = (question, turn = null) => { if (!isBusy() && !state.opening) state.trigger("submit", { ...asking(turn), question }); };
  const open = (conversation) => {
    state.opening = conversation; // until it is shown, what is asked would belong to the one that is
    edit(null);
    page.closeSource();
    state.trigger("select", { ...picks(), conversation });
    place("talk");
  };
  const opened = (isShown) => {
    if (isShown) state.conversation = state.opening;
    else settled();
    state.opening = null;
  };
  const hold = (event) => {
    const sends = event.type === "click" ? event.target.closest("#box button") : event.key === "Enter" && event.target === box();
    if (!state.opening || !sends) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  document.addEventListener("input", (event) => { // it outlives a reload, whatever that is for
    if (event.target === box()) sessionStorage.setItem("draft", event.target.value);
  });
  document.addEventListener("click", hold, true);
  document.addEventListener("keydown", hold, true);
  const type = (text) => {
    const field = box();
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  };
  const edit = (turn, text = "") => {
    if (turn !== null) {
      if (state.turn === null) state.draft = box().value;
      find("#tools .editing span").textContent = say("editing", { turn });
      type(text);
    }
    state.turn = turn;
    find("#tools .editing").hidden = turn === null;
  };
  const settled = () => {
    edit(null);
    sessionStorage.setItem("draft", box().value);
    history.replaceState(null, "", find("#chat .asked") ? `/?c=${state.conversation}` : "/");
    page.listTalks();
  };
  const relay = (trigger) => { state.trigger = trigger; dress(); };
  const furnish = () => { // beside Gradio, not in it
    document.body.insertAdjacentHTML("afterbegin", window.given.parts.before);
    document.body.insertAdjacentHTML("beforeend", window.given.parts.after);
  };
  if (document.body) furnish();
  else document.addEventListener("DOMContentLoaded", furnish);
  const start = () => { // once Gradio has drawn its parts too
    document.title = words.title;
    if (named) open(named);
    if (sessionStorage.getItem("draft")) type(sessionStorage.getItem("draft"));
    find(".signout").hidden = !window.given.signedIn;
    find(".files .pick").accept = window.given.suffixes.join(",");
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
  const textOf = (reply, part = ".said, .failure, .note") => {
    const said = reply && find(part, reply)?.cloneNode(true);
    if (!said) return "";
    if (part === ".said") all(".unfounded", said).forEach((mark) => mark.remove()); // it is ours, not the answer's
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
  const fetchFile = async (path, values, id = state.conversation) => {
    const response = await fetch(`/page/conversations/${id}/${path}?${query({ language, ...values })}`);
    if (!response.ok) throw new Error(words.no_such_place);
    const href = URL.createObjectURL(await response.blob());
    make("a", { href, download: response.headers.get("Content-Disposition").split('"')[1] }).click();
    URL.revokeObjectURL(href);
  };
  const actions = {
    copy: async (pressed) => {
      await copy(textOf(pressed.closest(".reply")));
      pressed.classList.add("done");
      setTimeout(() => pressed.classList.remove("done"), 1500);
    },
    retry: async (_, turn) => {
      const isLast = turn === all("#chat .asked").length;
      if (isLast || await confirm(say("retry_earlier", { turn }), words.retry)) ask(questionOf(turn), turn);
    },
    edit: (_, turn) => edit(turn, questionOf(turn)),
    change: (pressed, turn) => edit(turn, find(".query", pressed.closest(".searched")).textContent),
    good: (pressed, turn) => judge(pressed, turn, true),
    bad: (pressed, turn) => judge(pressed, turn, false),
    markdown: (_, turn) => fetchFile("markdown", { turn }),
    receipt: (_, turn) => fetchFile("receipt", { turn }),
  };
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("#chat .act, #chat .ask, .places button, #tools .cancel, .signout");
    if (!pressed) return;
    if (pressed.matches(".places button")) place(pressed.dataset.place);
    else if (pressed.matches(".cancel")) { edit(null); type(state.draft); }
    else if (pressed.matches(".signout")) fetch("/signout", { method: "POST" }).then(() => location.assign("/"));
    else if (pressed.matches(".ask")) ask(pressed.textContent);
    else trying(() => actions[[...pressed.classList].find((name) => name in actions)](pressed, turnOf(pressed)));
  });

  // --- What is put into words and kept in order while Gradio draws ---
  let started = false;
  const put = (one, property, value) => { if (one && one[property] !== value) one[property] = value; }; // else it is a change
  const dress = () => {
    if (!started && state.trigger && find("#box textarea") && find("#tools select")) { started = true; start(); }
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
    if (find("#chat .welcome:empty")) greet();
    document.body.classList.toggle("busy", isBusy());
    hear();
  };
  const greet = async () => {
    const welcome = find("#chat .welcome"), title = make("h2", {}, words.welcome);
    if (!welcome) return;
    if (!welcome.children.length) welcome.append(title);
    const starters = await call("GET", "starters").catch(() => []);
    welcome.replaceChildren(title, ...starters.map((text) => make("button", { type: "button", className: "ask" }, text)));
  };
  const hear = () => { // each sentence once, as it comes
    const last = all("#chat :is(.asked, .reply)").at(-1);
    const text = hearing && last?.matches(".reply:not(.heard)") ? textOf(last) || last.textContent : "";
    if (!text || text === heard) return;
    hearing = !find(".actions", last); // a whole reply has them
    tell(text.startsWith(heard) ? text.slice(heard.length) : text);
    heard = text;
  };
  let due = 0;
  const watched = { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["aria-label"] };
  new MutationObserver(() => { due ||= requestAnimationFrame(() => { due = 0; dress(); }); })
    .observe(document.documentElement, watched);

  return { words, say, make, find, all, button, call, query, confirm, trying, tell, state, picks, asking, ask, open, opened, anew, settled, relay, place,
    fetchFile, greet, signInAgain };
})();
