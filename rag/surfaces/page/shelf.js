// The left side: the documents, what comes in and what is asked, and the conversations.
(() => {
  const page = window.page;
  const { words, say, make, find, all, button, call, query, confirm, trying } = page;
  const unticked = new Set(JSON.parse(sessionStorage.getItem("unticked") ?? "[]"));
  let files = { documents: [], failed: [], notes: [], busy: false };
  let known = new Set(); // the sources that were there before files were sent
  let drawn = "", drawnTalks = "";
  let pace = {}; // what is being done, and when and where that was first seen

  // --- Documents ---
  const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
  const counted = (name, count) => (count === 1 ? words[`${name}_one`] : say(name, { count }));
  const facts = (one) => [
    counted("passages", one.passages), one.pages && counted("pages", one.pages), one.bytes !== null && size(one.bytes),
    one.modified && new Date(1000 * one.modified).toLocaleDateString(document.documentElement.lang, { dateStyle: "medium" }),
  ].filter(Boolean).join(" · ");
  const remove = (source, title) => trying(async () => {
    if (!await confirm(say("delete_document", { title }), words.delete)) return;
    await call("DELETE", `documents?${query({ source })}`);
    unticked.delete(source);
    await listFiles();
  });
  const row = (one) => {
    const tick = make("input", { type: "checkbox", checked: !unticked.has(one.source), ariaLabel: one.title });
    tick.onchange = () => { unticked[tick.checked ? "delete" : "add"](one.source); chosen(); };
    const open = make("button", { type: "button", className: "name", title: one.source }, one.title);
    open.onclick = () => page.openAt(`#at?${query({ source: one.source })}`, { title: one.title });
    const text = make("div", {}, open, make("span", { className: "place" }, facts(one)));
    return make("li", {}, tick, text, button("delete", "delete", () => remove(one.source, one.title)));
  };
  const failure = ({ source, reason }) => make("li", { className: "failed" },
    make("div", {}, make("span", { className: "name" }, source), make("span", { className: "place" }, `${words.left_out}: ${reason}`)),
    button("delete", "delete", () => remove(source, source)));
  const noted = ({ source, reason }) => make("li", { className: "noted" },
    make("div", {}, make("span", { className: "name" }, source), make("span", { className: "place" }, reason)));
  const sources = () => {
    const ticked = files.documents.map((one) => one.source).filter((source) => !unticked.has(source));
    return ticked.length === files.documents.length ? null : ticked;
  };
  const chosen = () => {
    const count = files.documents.length, ticked = (sources() ?? files.documents).length;
    const every = find(".files .all input");
    every.checked = ticked === count;
    every.indeterminate = ticked > 0 && ticked < count;
    const told = ticked === count ? counted("document", count) : ticked ? say("chosen", { count: ticked, all: count }) : words.chosen_none;
    find("#tools .about").textContent = told;
    sessionStorage.setItem("unticked", JSON.stringify([...unticked]));
  };
  const narrow = () => { // the list to what holds the words that are searched for
    const wanted = find(".files .find").value.toLowerCase().split(/\s+/);
    all(".files .list li").forEach((line) => {
      const text = `${line.textContent} ${find(".name", line)?.title}`.toLowerCase();
      line.hidden = !wanted.every((word) => text.includes(word));
    });
  };
  const draw = () => {
    const now = JSON.stringify([files.documents, files.failed, files.notes, files.problem]);
    if (now !== drawn) {
      if (drawn) page.greet(); // the first time, the page greets by itself
      drawn = now;
      const problem = files.problem ? [make("li", { className: "failed" }, make("span", { className: "place" }, files.problem))] : [];
      find(".files .list").replaceChildren(...problem, ...files.failed.map(failure), ...files.documents.map(row), ...files.notes.map(noted));
      find(".files .all").hidden = files.documents.length < 2;
      find(".files .find").hidden = files.documents.length < 12;
      narrow();
      find(".files .empty").hidden = files.documents.length > 0;
    }
    chosen();
  };
  const listFiles = async () => {
    files = { ...files, ...await call("GET", "shelf").catch((error) => ({ busy: false, problem: error.message })) };
    draw();
    find(".signout").title = files.user ? say("signed_in", { name: files.user }) : "";
    const [what, done, total] = files.doing ?? [];
    if (files.busy && !find(".coming .sent")) { // what another window sent, or was put into the folder
      find(".coming").append(make("li", { className: "sent", title: "" }, make("span", { className: "place" })));
    }
    const told = total && `${what}_of` in words ? say(`${what}_of`, { done, total }) + left(what, done, total) : words.indexing;
    all(".coming .sent .place").forEach((line) => { line.textContent = told; });
    if (files.busy) setTimeout(listFiles, 500);
    else all(".coming .sent").forEach(arrived);
  };
  const left = (what, done, total) => { // how long the rest takes at this pace, once that can be said
    if (pace.what !== what || done < pace.from) pace = { what, from: done, since: Date.now() };
    const passed = (Date.now() - pace.since) / 1000, seconds = Math.round((passed / (done - pace.from)) * (total - done));
    if (passed < 2 || !(seconds >= 2 && seconds < 1e6)) return "";
    return seconds < 90 ? say("seconds_left", { count: seconds }) : say("minutes_left", { count: Math.round(seconds / 60) });
  };
  const arrived = (line) => { // it says for a moment what came of it
    const isNew = files.documents.some(({ source }) => !known.has(source) && source.startsWith(`uploads/${line.title}`));
    const isLeftOut = files.failed.some(({ source }) => source.startsWith(`uploads/${line.title}`));
    if (!line.title) return line.remove();
    line.classList.remove("sent");
    find(".place", line).textContent = words[isNew ? "added" : isLeftOut ? "left_out" : "already"];
    setTimeout(() => line.remove(), 4000);
  };

  // --- Files that come in ---
  const send = (file, path, line) => new Promise((done) => {
    const bar = find("progress", line), told = find(".place", line), request = new XMLHttpRequest();
    const refuse = (text) => {
      bar.remove();
      told.textContent = text;
      line.classList.add("failed");
      line.append(button("delete", "close", () => line.remove()));
      done(null);
    };
    const { suffixes } = window.given;
    if (!suffixes.some((suffix) => path.toLowerCase().endsWith(suffix))) {
      return refuse(say("unreadable", { kinds: suffixes.join(", ") }));
    }
    if (file.size > 1e6 * window.given.limitMb) return refuse(say("too_large", { limit: window.given.limitMb }));
    request.upload.onprogress = ({ loaded, total }) => {
      bar.value = loaded / total;
      told.textContent = say("uploading", { percent: Math.round((100 * loaded) / total) });
    };
    request.onerror = () => refuse(words.offline);
    request.onload = () => {
      if (request.status === 401) page.signInAgain();
      if (request.status !== 200) return refuse(request.response?.error?.message ?? words.unexpected);
      bar.remove();
      told.textContent = words.waiting;
      done(request.response.batch);
    };
    request.open("POST", `/page/documents?${query({ name: path })}`);
    request.responseType = "json";
    request.send(file);
  });
  const bring = async (found) => {
    page.place(matchMedia("(max-width: 900px)").matches ? "left" : document.body.dataset.place);
    all(".coming .failed").forEach((one) => one.remove());
    known = new Set(files.documents.map((one) => one.source));
    const stem = (path) => path.replace(/\.\w+$/, "");
    const lines = found.map(([, path]) => make("li", { title: stem(path) }, make("span", { className: "name" }, path), make("progress", { ariaLabel: path }),
      make("span", { className: "place" }, words.waiting)));
    find(".coming").append(...lines);
    const batches = [];
    for (const [number, [file, path]] of found.entries()) batches.push(await send(file, path, lines[number]));
    const sent = batches.filter(Boolean);
    if (sent.length) await trying(() => call("POST", "ingest", { batches: sent }));
    lines.filter((line) => !line.matches(".failed")).forEach((line) => line.classList.add("sent"));
    await listFiles();
  };
  const within = async (entry, path = "") => { // the files of a dropped folder
    if (entry.isFile) return [[await new Promise((done, fail) => entry.file(done, fail)), path + entry.name]];
    const reader = entry.createReader(), found = [];
    for (let some; (some = await new Promise((done, fail) => reader.readEntries(done, fail))).length; ) found.push(...some);
    const below = found.filter((one) => !one.name.startsWith(".")).map((one) => within(one, `${path}${entry.name}/`));
    return (await Promise.all(below)).flat();
  };
  const dropped = async (items) => {
    const entries = [...items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
    const found = await Promise.all(entries.map((one) => (one instanceof File ? [[one, one.name]] : within(one))));
    if (found.flat().length) await bring(found.flat());
  };
  const holds = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (holds(event)) { event.preventDefault(); document.body.classList.add("dropping"); }
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!holds(event)) return;
    event.preventDefault();
    trying(() => dropped(event.dataTransfer.items));
  }, true);
  document.addEventListener("paste", (event) => {
    const isText = event.clipboardData?.types.includes("text/plain"); // as from a table, which comes as a picture too
    if (!isText && event.clipboardData?.files.length) trying(() => dropped(event.clipboardData.items));
  });

  // --- Conversations ---
  const named = (title) => confirm(words.rename, words.save,
    make("input", { name: "title", value: title, required: true, maxLength: 200, ariaLabel: words.name }));
  const talk = (one) => {
    const path = `conversations/${one.id}`;
    const open = make("button", { type: "button", className: "name" }, one.title);
    open.setAttribute("aria-current", one.id === page.state.conversation);
    open.onclick = () => page.open(one.id);
    const rename = () => trying(async () => {
      const given = await named(one.title);
      if (!given) return;
      await call("PATCH", path, { title: given.get("title") });
      await listTalks();
    });
    const drop = () => trying(async () => {
      if (!await confirm(say("delete_conversation", { title: one.title }), words.delete)) return;
      await call("DELETE", path);
      if (one.id === page.state.conversation) page.open(page.anew());
      else await listTalks();
    });
    const save = () => trying(() => page.fetchFile("markdown", {}, one.id));
    return make("li", {}, open, button("rename", "rename", rename), button("markdown", "export", save), button("delete", "delete", drop));
  };
  const listTalks = async () => {
    const field = find(".talks .find");
    const empty = find(".talks .empty"), search = field.value;
    let list;
    try {
      list = await call("GET", `conversations?${query({ search })}`);
    } catch (error) { // what is listed stays
      drawnTalks = "";
      Object.assign(empty, { hidden: false, textContent: error.message });
      return;
    }
    if (search !== field.value) return; // a later one is under way
    const now = JSON.stringify([list, search, page.state.conversation]);
    if (now === drawnTalks) return;
    drawnTalks = now;
    const held = document.activeElement?.closest(".talks li"), place = held && [...held.parentElement.children].indexOf(held);
    find(".talks .list").replaceChildren(...list.map(talk));
    if (held) find(`.talks li:nth-child(${Math.min(place + 1, list.length)}) .name`)?.focus();
    empty.hidden = list.length > 0;
    empty.textContent = words[search ? "none_found" : "none_yet"];
    if (!search) field.hidden = list.length < 4;
  };

  // --- Models ---
  let offered = [];
  const name = (one) => (one.name === "extractive" ? words.extractive : one.name);
  const models = async () => {
    const given = await call("GET", "models").catch(() => null);
    if (!given || JSON.stringify(given.models) === JSON.stringify(offered)) return;
    offered = given.models;
    const select = find("#tools select"), isReady = (one) => one.state === "ready";
    select.replaceChildren(...offered.map((one) => make("option", { value: one.name, disabled: !isReady(one) },
      isReady(one) ? name(one) : `${name(one)} (${words[one.state]})`)));
    const wanted = sessionStorage.getItem("model");
    page.state.model = offered.some((one) => one.name === wanted && isReady(one)) ? wanted : given.used;
    select.value = page.state.model;
    select.onchange = () => {
      page.state.model = select.value;
      sessionStorage.setItem("model", select.value);
    };
    select.onfocus = models; // one that was out of reach may be there by now
  };
  const tellOfModels = () => {
    const lines = offered.filter((one) => one.detail).map((one) => make("p", {}, `${name(one)}: ${one.detail}`));
    confirm(words.add_model, null, ...lines);
  };

  document.addEventListener("click", (event) => {
    if (event.target.closest(".files .add, #tools .attach")) find(".files .pick").click();
    else if (event.target.closest(".talks .new")) { page.open(page.anew()); find("#box textarea").focus(); }
    else if (event.target.closest("#tools .help")) tellOfModels();
    else if (event.target.closest("#tools .about")) { page.place("left"); find(".files .all input, .files .list input")?.focus(); }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches(".files .pick")) {
      const found = [...event.target.files].map((file) => [file, file.name]);
      event.target.value = "";
      if (found.length) trying(() => bring(found));
    } else if (event.target.matches(".files .all input")) {
      unticked.clear();
      if (!event.target.checked) files.documents.forEach((one) => unticked.add(one.source));
      all(".files .list input").forEach((tick) => { tick.checked = event.target.checked; });
      chosen();
    }
  });
  let typing = 0;
  document.addEventListener("input", (event) => {
    if (event.target.matches(".files .find")) narrow();
    if (!event.target.matches(".talks .find")) return;
    clearTimeout(typing);
    typing = setTimeout(listTalks, 200);
  });
  Object.assign(page, { sources, listFiles, listTalks, models });
})();
