// Sends the chosen file with a progress bar and puts the server's answer into the page. Without
// this script the form works as it is. The file's picture is made here, from the file on this machine.
const form = document.getElementById("verify");
const input = document.getElementById("file");
const url = document.getElementById("url");
const drop = document.getElementById("drop");
const chosen = document.getElementById("chosen");
const send = document.getElementById("send");
const stop = document.getElementById("stop");
const working = document.getElementById("working");
const bar = document.getElementById("bar");
const step = document.getElementById("step");
const said = document.getElementById("said");
const result = document.getElementById("result");
const again = document.getElementById("again");
let running = null;
let preview = "";

document.getElementById("drop-hint").hidden = false;

function picture(file) {
  const kind = file.type.split("/")[0];
  const element = document.createElement(kind === "image" ? "img" : kind === "audio" ? "audio" : "video");
  if (kind === "image") {
    element.alt = "Your file";
  } else {
    element.controls = true;
    element.muted = true;
    element.preload = "metadata";
    element.setAttribute("aria-label", "Your file");
  }
  element.src = preview;
  element.addEventListener("error", () => {
    const note = document.createElement("p");
    note.className = "small";
    note.textContent = "Your browser cannot show this file.";
    element.replaceWith(note);
  });
  return element;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function choose() {
  const file = input.files[0];
  if (preview) URL.revokeObjectURL(preview);
  preview = file ? URL.createObjectURL(file) : "";
  chosen.replaceChildren();
  chosen.hidden = !file;
  if (!file) return;
  const name = document.createElement("p");
  const strong = document.createElement("strong");
  strong.textContent = file.name;
  name.append(strong, ` (${size(file.size)})`);
  chosen.append(picture(file), name);
  if (url) url.value = "";
}

function busy(on) {
  working.hidden = !on;
  stop.hidden = !on;
  send.disabled = on;
  form.setAttribute("aria-busy", String(on));
  if (!on) running = null;
}

function tell(text) {
  step.textContent = text;
  if (said.textContent !== text) said.textContent = text;
}

function show(html) {
  again.hidden = false;
  result.innerHTML = html; // our own template; every value in it was escaped by the server
  const place = document.getElementById("query");
  if (place && preview) place.replaceChildren(picture(input.files[0]));
  const heading = document.getElementById("verdict");
  const headline = result.querySelector("[data-headline]");
  document.title = `${headline ? headline.dataset.headline : "Answer"} – Verify a file`;
  said.textContent = "";
  if (heading) {
    heading.focus({ preventScroll: true });
    result.scrollIntoView({ block: "start" });
  }
}

function problem(text) {
  const box = document.createElement("section");
  box.className = "answer tone-bad";
  const heading = document.createElement("h2");
  heading.id = "verdict";
  heading.tabIndex = -1;
  heading.textContent = text;
  box.append(heading);
  result.replaceChildren(box);
  said.textContent = "";
  heading.focus();
}

function submit() {
  if (running) return;
  if (!input.files.length && !(url && url.value.trim())) {
    problem("Choose a video, sound or picture first.");
    return;
  }
  const request = new XMLHttpRequest();
  running = request;
  let quarter = 0;
  result.replaceChildren();
  busy(true);
  bar.removeAttribute("value");
  tell(input.files.length ? "Sending your file…" : "Fetching the file…");
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable || !input.files.length) return;
    const percent = Math.round((100 * event.loaded) / event.total);
    bar.value = percent;
    step.textContent = `Sending your file: ${percent} %`;
    if (Math.floor(percent / 25) > quarter) {
      quarter = Math.floor(percent / 25);
      said.textContent = `${percent} % sent`;
    }
  });
  request.upload.addEventListener("load", () => {
    bar.removeAttribute("value");
    tell("Looking for signature, mark and likeness. This takes some seconds, up to a minute for long clips.");
  });
  request.addEventListener("load", () => {
    busy(false);
    const html = (request.getResponseHeader("Content-Type") || "").startsWith("text/html");
    if (html && request.status !== 500) show(request.responseText);
    else problem("The server could not answer. Try again in a minute.");
  });
  request.addEventListener("error", () => {
    busy(false);
    problem("The file could not be sent. Check your connection, and that the file is not too large.");
  });
  request.addEventListener("abort", () => {
    busy(false);
    tell("Stopped.");
    send.focus();
  });
  request.open("POST", form.action);
  request.setRequestHeader("X-Byline-Part", "answer");
  request.send(new FormData(form));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
stop.addEventListener("click", () => running && running.abort());
input.addEventListener("change", choose);
if (url) {
  url.addEventListener("input", () => {
    if (!url.value || !input.value) return;
    input.value = "";
    choose();
  });
}

for (const name of ["dragover", "dragenter"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault(); // a file dropped beside the frame must not replace the page
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (running || !event.dataTransfer.files.length) return;
  const one = new DataTransfer();
  one.items.add(event.dataTransfer.files[0]);
  input.files = one.files;
  choose();
  submit();
});

document.addEventListener("submit", async (event) => {
  const report = event.target.closest("form.report");
  if (!report) return;
  event.preventDefault();
  const place = report.querySelector(".report-answer");
  const button = report.querySelector("button");
  button.disabled = true;
  try {
    const response = await fetch(report.action, {
      method: "POST",
      headers: { "X-Byline-Part": "answer" },
      body: new URLSearchParams(new FormData(report)),
    });
    place.innerHTML = await response.text();
    if (response.ok) report.querySelector("textarea").value = "";
  } catch {
    place.textContent = "It could not be sent. Check your connection and try again.";
  }
  button.disabled = false;
});
