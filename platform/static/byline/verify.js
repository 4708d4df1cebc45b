// Sends the chosen file to the API and shows the report in plain words.
const form = document.getElementById("verify");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = document.getElementById("answer");
  const verdict = document.getElementById("verdict");
  const findings = document.getElementById("findings");
  const button = form.querySelector("button");
  answer.hidden = false;
  verdict.textContent = "Checking…";
  findings.replaceChildren();
  button.disabled = true;
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
    const report = await response.json();
    verdict.textContent = response.ok ? report.summary : `${report.message} ${report.help}`;
    for (const finding of report.findings || []) {
      const item = document.createElement("li");
      const name = document.createElement("strong");
      name.textContent = `${finding.technique}: ${finding.status}. `;
      item.append(name, `${finding.text}. ${finding.limit || ""}`);
      findings.append(item);
    }
  } catch {
    verdict.textContent = "The file could not be sent. Check your connection and try again.";
  } finally {
    button.disabled = false;
  }
});
