"use strict";
// Filters for the conversations of this page. What players wrote is only ever set as the text of a node.
(() => {
  const FIRST = 8; // rows at first
  const STEP = 25; // rows that a press of the button adds
  const SIDES = { rules: "system", seen: "user", said: "assistant" };

  // An element with attributes and children; a string among the children becomes text, never markup.
  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // Unfolds everything around a node and brings it into sight.
  function reveal(node) {
    for (let above = node; above; above = above.parentElement) if (above.tagName === "DETAILS") above.open = true;
    node.scrollIntoView();
  }

  function bubble(message) {
    const who = make("p", { class: "who" }, message.speaker);
    if (message.fault) who.append(" ", make("span", { class: "mark" }, "fault: " + message.fault));
    const item = make("li", {}, who, make("div", { class: "bubble", dir: "auto" }, message.text));
    item.className = (SIDES[message.side] || "user") + (message.fault ? " faulty" : "");
    return item;
  }

  function read(id) {
    const { texts, items } = JSON.parse(document.getElementById(id + "-data").textContent);
    return items.map(([agent, opponent, seat, deal, payoff, shown, messages], place) => {
      const said = messages.map(([speaker, side, text, fault]) => (
        { speaker: texts[speaker], side: texts[side], text: texts[text], fault: texts[fault] }));
      const faults = [...new Set(said.map(message => message.fault).filter(Boolean))];
      return { place, agent: texts[agent], opponent: texts[opponent], seat: String(seat), deal, payoff, shown: texts[shown], messages: said, faults };
    });
  }

  // What the address asks for: `#fault=illegal&opponent=nash`; an address without "=" names a section.
  function asked() {
    const hash = location.hash.slice(1);
    return new URLSearchParams(hash.includes("=") ? hash : "");
  }

  function browser(root) {
    const talks = read(root.id);
    const fields = {};
    const filters = make("form", { class: "filters" });
    const list = make("ol", { class: "talks" });
    const tally = make("p", { class: "tally", role: "status" });
    const further = make("div", { class: "further" });
    const moreButton = make("button", { type: "button" });
    let chosen = [];
    let drawn = 0;

    function field(name, label, input) {
      fields[name] = input;
      filters.append(make("label", input.type === "search" ? { class: "long" } : {}, label, input));
    }

    function select(name, label, options) {
      if (options.length < 2 && name !== "fault") return;
      const every = name === "order" ? [] : [["", "all"]];
      field(name, label, make("select", {}, ...[...every, ...options].map(([value, text]) => make("option", { value }, text))));
    }

    const distinct = key => [...new Set(talks.map(talk => talk[key]))].map(value => [value, value]);
    const kinds = [...new Set(talks.flatMap(talk => talk.faults))];
    select("agent", "Agent", distinct("agent"));
    select("opponent", "Opponent", distinct("opponent"));
    select("seat", "Seat", distinct("seat").sort());
    select("fault", "Fault", kinds.length ? [["any", "any fault"], ["none", "no fault"], ...kinds.map(kind => [kind, kind])] : []);
    field("least", "Payoff from", make("input", { type: "number", step: "any" }));
    field("most", "to", make("input", { type: "number", step: "any" }));
    select("order", "Order", [["played", "as played"], ["lowest", "lowest payoff first"], ["highest", "highest payoff first"]]);
    field("text", "Text", make("input", { type: "search", placeholder: "words in a message" }));

    function wanted() {
      const value = name => (fields[name] ? fields[name].value : "");
      const least = value("least") === "" ? -Infinity : Number(value("least"));
      const most = value("most") === "" ? Infinity : Number(value("most"));
      const words = value("text").toLowerCase();
      const bounded = value("least") !== "" || value("most") !== "";
      return talk => {
        for (const key of ["agent", "opponent", "seat"]) if (value(key) && talk[key] !== value(key)) return false;
        const fault = value("fault");
        if (fault === "any" ? !talk.faults.length : fault === "none" ? talk.faults.length : fault && !talk.faults.includes(fault)) return false;
        if (bounded && (talk.payoff === null || talk.payoff < least || talk.payoff > most)) return false;
        if (!words) return true;
        talk.words ??= talk.messages.map(message => message.text).join("\n").toLowerCase();
        return talk.words.includes(words);
      };
    }

    function ordered(found) {
      const sign = { lowest: 1, highest: -1 }[fields.order.value];
      return sign ? found.sort((a, b) => sign * ((a.payoff ?? 0) - (b.payoff ?? 0)) || a.place - b.place) : found;
    }

    function row(index) {
      const talk = chosen[index];
      const versus = talk.opponent ? talk.agent + " against " + talk.opponent : talk.agent;
      const summary = make("summary", {}, make("span", {}, versus),
        make("small", {}, `seat ${talk.seat}, deal ${talk.deal}, payoff ${talk.shown}`));
      for (const fault of talk.faults) summary.append(make("small", { class: "mark" }, fault));
      const details = make("details", {}, summary);
      details.addEventListener("toggle", () => {
        if (details.open) open(details, index);
      });
      return make("li", {}, details);
    }

    function open(details, index) {
      for (const other of list.querySelectorAll("details[open]")) if (other !== details) other.open = false;
      if (details.children.length > 1) return;
      const before = make("button", { type: "button" }, "Previous");
      const after = make("button", { type: "button" }, "Next");
      before.disabled = index === 0;
      after.disabled = index === chosen.length - 1;
      before.addEventListener("click", () => go(index - 1));
      after.addEventListener("click", () => go(index + 1));
      details.append(make("div", { class: "steps" }, before, after, `${index + 1} of ${chosen.length}`),
        make("ol", { class: "chat" }, ...chosen[index].messages.map(bubble)));
    }

    function go(index) {
      while (drawn <= index) more();
      const details = list.children[index].firstChild;
      details.open = true;
      open(details, index);
      details.scrollIntoView({ block: "nearest" });
      details.firstChild.focus({ preventScroll: true });
    }

    function more() {
      const end = Math.min(drawn + (drawn ? STEP : FIRST), chosen.length);
      const rows = [];
      for (let index = drawn; index < end; index++) rows.push(row(index));
      list.append(...rows);
      drawn = end;
      further.hidden = drawn >= chosen.length;
      moreButton.textContent = `Show ${Math.min(STEP, chosen.length - drawn)} more of ${chosen.length - drawn}`;
    }

    function show() {
      chosen = ordered(talks.filter(wanted()));
      list.replaceChildren();
      drawn = 0;
      more();
      const faulty = chosen.filter(talk => talk.faults.length).length;
      tally.textContent = `${chosen.length} of ${talks.length} conversations, ${faulty} with a fault`;
    }

    function obey() {
      const query = asked();
      for (const [name, input] of Object.entries(fields)) {
        input.value = query.get(name) ?? "";
        if (input.tagName === "SELECT" && input.selectedIndex < 0) input.selectedIndex = 0;
      }
      show();
      if ([...query].length) reveal(root);
      if (query.has("open") && chosen.length) go(Math.min(Math.max(Number(query.get("open")) || 1, 1), chosen.length) - 1);
    }

    // The filters stand in the address, so that a reader can send it to another.
    function note() {
      const query = new URLSearchParams();
      for (const [name, input] of Object.entries(fields)) if (input.value && input.value !== "played") query.set(name, input.value);
      try { history.replaceState(null, "", "#" + query); } catch { /* a page opened from disk may not be allowed to */ }
      show();
    }

    filters.addEventListener("input", note);
    filters.addEventListener("submit", event => event.preventDefault());
    addEventListener("hashchange", () => { if (location.hash.includes("=")) obey(); });
    moreButton.addEventListener("click", more);
    further.append(moreButton);
    root.append(filters, tally, list, further);
    root.classList.add("card");
    root.hidden = false;
    document.getElementById(root.id + "-plain").hidden = true;
    obey();
  }

  // A link to something folded opens it.
  function follow() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) reveal(target);
  }

  // Paper cannot be unfolded.
  const unfolded = [];
  addEventListener("beforeprint", () => {
    for (const node of document.querySelectorAll("details:not([open])")) {
      if (!node.closest(".talks, .plain, nav")) { node.open = true; unfolded.push(node); }
    }
  });
  addEventListener("afterprint", () => { while (unfolded.length) unfolded.pop().open = false; });

  for (const root of document.querySelectorAll(".browser")) browser(root);
  addEventListener("hashchange", follow);
  follow();
})();
