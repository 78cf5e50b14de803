/// The status page: one document that draws `/status.json` every two seconds and needs nothing from anywhere else.
enum StatusPage {
  static let html = head + style + body + script

  private static let head = """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>kv</title>
    <link rel="icon" href="data:,">

    """

  private static let style = """
    <style>
    :root { color-scheme: light dark; --line: light-dark(#d6d9de, #3a3f47); --dim: light-dark(#5d6570, #9aa3ae);
      --bad: light-dark(#b3261e, #ff8a80); --good: light-dark(#1b6e3c, #7ddba1); }
    body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 68rem; padding: 0 1rem; }
    h1 { font-size: 1.25rem; margin: 0; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
    header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
    .dim { color: var(--dim); } .bad { color: var(--bad); } .good { color: var(--good); }
    main { display: grid; grid-template-columns: minmax(18rem, 26rem) 1fr; gap: 2rem; }
    @media (max-width: 50rem) { main { grid-template-columns: 1fr; } }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    td, th { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); }
    th { font-weight: 500; color: var(--dim); }
    svg { width: 100%; height: auto; display: block; } svg text { fill: currentColor; font-size: 11px; }
    .swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
    ul { margin: 0; padding-left: 1.2rem; }
    </style>

    """

  private static let body = """
    <body>
    <header><h1>kv</h1><span id="what" class="dim"></span><strong id="state"></strong></header>
    <noscript>This page draws /status.json with a script; kv status shows the same.</noscript>
    <main>
    <section>
    <h2>Ring</h2>
    <svg id="ring" viewBox="-150 -150 300 300" role="img" aria-label="The ring's partitions, their leaders and replicas">
    </svg>
    <p class="dim">Outer band: the node that leads each partition. Inner bands: the nodes that hold its replicas.
    Hatched: no leader known.</p>
    </section>
    <section>
    <h2>Nodes</h2>
    <table><thead><tr><th>Node<th>Address<th>Zone<th>Leads<th>Replicas</tr></thead><tbody id="nodes"></tbody></table>
    <h2>Requests of this node, per second</h2>
    <svg id="rate" viewBox="0 0 600 120" role="img" aria-label="Requests per second over time"></svg>
    <h2>Log entries committed and not yet applied here, at most</h2>
    <svg id="lag" viewBox="0 0 600 70" role="img" aria-label="Lag over time"></svg>
    <h2>Moves, problems, damage</h2>
    <ul id="notes"></ul>
    <h2>This node</h2>
    <table><tbody id="facts"></tbody></table>
    </section>
    </main>

    """

  private static let script = #"""
    <script>
    "use strict";
    const at = id => document.getElementById(id);
    const colour = node => node ? `hsl(${(node * 137.5) % 360} 60% 48%)` : "url(#hatch)";
    const make = (name, attributes, text) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const key in attributes) element.setAttribute(key, attributes[key]);
      if (text !== undefined) element.textContent = text;
      return element;
    };
    const cell = (row, text, swatch) => {
      const part = row.insertCell();
      if (swatch) {
        const box = document.createElement("span");
        box.className = "swatch";
        box.style.background = swatch;
        part.append(box);
      }
      part.append(text);
    };
    const size = bytes => {
      const units = ["B", "KiB", "MiB", "GiB", "TiB"];
      let unit = 0;
      while (bytes >= 1024 && unit < 4) { bytes /= 1024; unit++; }
      return `${bytes >= 10 || !unit ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
    };
    const point = (turn, radius) => [Math.sin(turn * 2 * Math.PI) * radius, -Math.cos(turn * 2 * Math.PI) * radius];
    const band = (start, end, inner, outer) => {
      const stop = Math.min(end, start + 0.99999), large = stop - start > 0.5 ? 1 : 0;
      const [a, b, c, d] = [point(start, outer), point(stop, outer), point(stop, inner), point(start, inner)];
      return `M${a}A${outer} ${outer} 0 ${large} 1 ${b}L${c}A${inner} ${inner} 0 ${large} 0 ${d}Z`;
    };
    function drawRing(status) {
      const ring = at("ring");
      ring.replaceChildren();
      const hatch = make("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse",
        patternTransform: "rotate(45)" });
      hatch.append(make("rect", { width: 3, height: 6, fill: "currentColor" }));
      ring.append(hatch);
      for (const part of status.partitions) {
        const group = make("g", { "data-partition": part.group, "data-leader": part.leader });
        const gap = Math.min(0.0015, (part.end - part.start) / 8);
        const draw = (node, inner, outer) => group.append(make("path", {
          d: band(part.start + gap, part.end - gap, inner, outer), fill: colour(node) }));
        draw(part.leader, 112, 140);
        part.nodes.forEach((node, place) => draw(node, 96 - place * 14, 107 - place * 14));
        const words = `partition ${part.group}: leader ${part.leader || "unknown"}, replicas on ${part.nodes.join(", ")}`
          + (part.lag === undefined ? "" : `, ${part.lag} entries behind here`) + (part.fenced ? ", fenced here" : "");
        group.append(make("title", {}, words));
        ring.append(group);
      }
      const leaders = new Set(status.partitions.map(part => part.leader));
      leaders.delete(0);
      ring.append(make("text", { "text-anchor": "middle", y: -4 }, `${status.partitions.length} partitions`));
      ring.append(make("text", { "text-anchor": "middle", y: 12 },
        `${leaders.size} of ${status.members.length} nodes lead`));
    }
    const history = [];
    function drawLine(id, values, height, unit) {
      const chart = at(id), most = Math.max(1, ...values), step = 600 / 149;
      chart.replaceChildren();
      chart.append(make("line", { x1: 0, x2: 600, y1: height - 1, y2: height - 1, stroke: "var(--line)" }));
      const start = 150 - values.length;
      const place = (value, index) => `${((start + index) * step).toFixed(1)},${(height - 2 - value / most * (height - 20))
        .toFixed(1)}`;
      chart.append(make("polyline", { points: values.map(place).join(" "), fill: "none", stroke: "currentColor",
        "stroke-width": 1.5 }));
      const last = values.length ? values[values.length - 1] : 0;
      chart.append(make("text", { x: 0, y: 11 }, `most ${Math.round(most)}${unit}, now ${Math.round(last)}${unit}`));
    }
    function drawWork(status) {
      const count = status.requests.reduce((sum, kind) => sum + kind.count, 0);
      const last = history[history.length - 1];
      const rate = last && status.time > last.time && count >= last.count
        ? (count - last.count) / (status.time - last.time) : 0;
      history.push({ time: status.time, count, rate, lag: status.lag });
      if (history.length > 150) history.shift();
      drawLine("rate", history.slice(1).map(look => look.rate), 120, "/s");
      drawLine("lag", history.map(look => look.lag), 70, "");
    }
    function drawWords(status) {
      document.title = `kv: node ${status.node} of ${status.cluster}`;
      at("what").textContent = `node ${status.node} of cluster ${status.cluster}, kv ${status.version}`;
      const notes = [...status.obstacles, ...status.problems, ...status.damage.map(place => `damage: ${place}`)];
      if (status.moving) notes.unshift(`${status.moving} partitions wait for replicas to be put in place`);
      at("state").textContent = status.ready ? "ready" : "not ready";
      at("state").className = status.ready ? "good" : "bad";
      at("notes").replaceChildren(...(notes.length ? notes : ["none"]).map(words => {
        const item = document.createElement("li");
        item.textContent = words;
        if (notes.length) item.className = "bad";
        return item;
      }));
      at("nodes").replaceChildren();
      for (const member of status.members) {
        const row = at("nodes").insertRow();
        cell(row, `${member.node}`, colour(member.node));
        cell(row, member.address);
        cell(row, member.zone || "–");
        cell(row, `${status.partitions.filter(part => part.leader === member.node).length}`);
        cell(row, `${status.partitions.filter(part => part.nodes.includes(member.node)).length}`);
      }
      const expires = new Date(status.certificateExpires * 1000).toISOString().slice(0, 10);
      const mean = kind => kind.count ? `, ${(kind.seconds / kind.count * 1000).toFixed(2)} ms on average` : "";
      const facts = [["Up for", `${Math.round(status.uptime)} s`], ["Memory", size(status.resident)],
        ["Disk free", size(status.diskFree)], ["Log", size(status.logBytes)], ["Certificate until", expires],
        ...status.requests.map(kind => [`Requests: ${kind.kind}`,
          `${kind.count}, ${kind.failures} failed${mean(kind)}`])];
      at("facts").replaceChildren();
      for (const [name, value] of facts) {
        const row = at("facts").insertRow();
        cell(row, name);
        cell(row, value);
      }
    }
    async function look() {
      try {
        const status = await (await fetch("/status.json", { cache: "no-store" })).json();
        drawRing(status);
        drawWork(status);
        drawWords(status);
      } catch (error) {
        at("state").textContent = "the node does not answer";
        at("state").className = "bad";
      }
      setTimeout(look, 2000);
    }
    look();
    </script>
    </html>

    """#
}
