// The crew's form: what is filled in becomes repairs.csv, without any server.
(function () {
  for (const form of document.querySelectorAll("form.crew")) {
    const said = form.querySelector("output");
    const quote = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      said.textContent = "";
      const rows = [];
      for (const row of form.querySelectorAll("tbody tr")) {
        const get = (name) => row.querySelector(`[name=${name}]`).value.trim();
        if (!get("pipe") || !get("repaired")) continue;
        const flow = get("flow").replace(",", "."), number = Number(flow);
        if (flow && !(number >= 0)) { said.textContent = `${form.dataset.wrong} ${get("flow")}`; return; }
        const m3h = flow ? String(Number((number / Number(form.dataset.perM3h)).toFixed(4))) : "";
        rows.push([get("pipe"), get("repaired").replace("T", " "), get("found"), m3h].map(quote).join(","));
      }
      if (!rows.length) { said.textContent = form.dataset.empty; return; }
      const text = ["pipe,repaired,found,measured_flow_m3h", ...rows].join("\n") + "\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      link.download = "repairs.csv";
      link.dataset.csv = text;
      document.body.append(link);
      link.click();
      link.remove();
    });
  }
})();
