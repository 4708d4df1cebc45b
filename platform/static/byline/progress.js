// Polls the status once a second and reloads when the clip is finished, so that the page a
// person ends on is the one the server renders.
const box = document.getElementById("byline-progress");
const words = { allow: "passed", review: "held for review", block: "blocked" };

function checkLine(check) {
  if (check.status === "unavailable") return `${check.name}: not checked. ${check.detail}`;
  if (check.status === "failed") return `${check.name}: failed. ${check.detail}`;
  return `${check.name}: ${words[check.action] || check.action}. ${check.detail}`;
}

function show(data) {
  document.getElementById("byline-state").textContent = data.state;
  document.getElementById("byline-message").textContent = data.message || "";
  document.getElementById("byline-bar").value = data.progress;
  const stages = document.getElementById("byline-stages");
  stages.replaceChildren(
    ...data.stages.map((run) => {
      const item = document.createElement("li");
      item.textContent = `${run.stage}: ${run.verdict} (${run.seconds.toFixed(1)} s)`;
      const list = document.createElement("ul");
      for (const check of run.checks) {
        const line = document.createElement("li");
        line.textContent = checkLine(check);
        list.append(line);
      }
      if (run.checks.length) item.append(list);
      return item;
    }),
  );
}

// A picture of what comes, while the model works. There is not always one: then the image stays hidden.
const forthcoming = document.getElementById("byline-forthcoming");
forthcoming.addEventListener("load", () => { forthcoming.hidden = false; });
forthcoming.addEventListener("error", () => { forthcoming.hidden = true; });
let pictured = "";

function showForthcoming(data) {
  if (data.state !== "generating" || data.stage !== "engine") {
    forthcoming.hidden = true;
  } else if (data.message !== pictured) {
    pictured = data.message;
    forthcoming.src = `${forthcoming.dataset.src}?${Date.now()}`;
  }
}

async function poll() {
  try {
    const response = await fetch(box.dataset.statusUrl, { headers: { Accept: "application/json" } });
    if (response.ok) {
      const data = await response.json();
      show(data);
      showForthcoming(data);
      if (data.terminal || data.playable) {
        location.reload();
        return;
      }
    }
  } catch {
    document.getElementById("byline-message").textContent = "No connection; trying again.";
  }
  setTimeout(poll, 1000);
}

if (box.dataset.terminal !== "1" && !document.querySelector("#byline-player video")) poll();
