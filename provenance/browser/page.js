// The page around reader.js: three file inputs, one answer. Nothing leaves the browser.
import { load, verify } from "./reader.js";

const MAX_BYTES = 512 * 1024 * 1024;
const form = document.getElementById("form");
const answer = document.getElementById("answer");
const headline = document.getElementById("headline");
const list = document.getElementById("findings");
const wasm = document.getElementById("wasm");

async function wasmModule() {
  if (!wasm) return new URL("c2pa_bg.wasm", import.meta.url);
  return Uint8Array.from(atob(wasm.textContent.trim()), (char) => char.charCodeAt(0));
}

async function json(input, kind) {
  const file = document.getElementById(input).files[0];
  if (!file) return null;
  const data = JSON.parse(await file.text());
  if (data.kind !== kind) throw new Error(`${file.name} is not a ${kind}`);
  return data;
}

function show(verdict, text, findings) {
  answer.dataset.verdict = verdict;
  headline.textContent = text;
  list.replaceChildren(...findings.map((finding) => {
    const item = document.createElement("li");
    const name = document.createElement("strong");
    const limit = document.createElement("small");
    item.dataset.technique = finding.technique;
    item.dataset.status = finding.status;
    name.textContent = `${finding.technique}: ${finding.status}. `;
    limit.textContent = ` ${finding.limit}`;
    item.append(name, `${finding.text}.`, limit);
    return item;
  }));
  answer.hidden = false;
  headline.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  button.textContent = "Checking…";
  try {
    const trust = await json("trust", "byline-trust-bundle");
    const status = await json("status", "byline-status-list");
    const file = document.getElementById("file").files[0];
    if (file.size > MAX_BYTES) throw new Error("the file is larger than 512 MiB; use byline verify");
    const bytes = new Uint8Array(await file.arrayBuffer());
    await load(await wasmModule());
    const report = await verify(bytes, trust, status);
    show(report.verdict, report.headline, report.findings);
  } catch (error) {
    show("error", `Could not check: ${error.message}. Choose the files again.`, []);
  } finally {
    button.disabled = false;
    button.textContent = "Verify";
  }
});
form.querySelector("button").disabled = false;
