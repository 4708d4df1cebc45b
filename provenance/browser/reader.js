// What a manifest says and what of it holds, under roots that the reader of the page supplied; no network.
// The rules are those of provenance/reading.py and provenance/verifier.py, without marks and fingerprints.
import init, { WasmReader } from "./c2pa.js";
import { ProofError, contentDigest, verifyProof, verifyStatement } from "./proof.js";

const SIGNERS = "urn:byline:trust:c2pa";
const STAMPERS = "urn:byline:trust:tsa";
const ABOUT_THE_SIGNER = /^(signingCredential\.|timeStamp\.|claimSignature\.outsideValidity)/;
const TRACES = [
  [0x6a, 0x75, 0x6d, 0x64, 0x63, 0x32, 0x70, 0x61, 0x00, 0x11, 0x00, 0x10],
  [0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28],
];
let ready = null;

// `wasm` is a URL or the module's bytes.
export function load(wasm) {
  ready ??= init({ module_or_path: wasm });
  return ready;
}

export const VERDICTS = {
  intact: "Intact: not changed since signing, signer verified under the roots you supplied.",
  tampered: "Tampered: the file is not as it was signed.",
  transplanted: "Transplanted: the proof in it belongs to other content.",
  unknown_signer: "Valid, but the signer is not verified under the roots you supplied. Anyone can make such a signature.",
  unproven: "Valid and the signer is verified, but nothing shows that it is in the log you supplied.",
  withdrawn: "Consent withdrawn: this is what the newsroom published, and a person in it has withdrawn consent.",
  taken_down: "Taken down: this is what the newsroom published, and it was taken down since.",
  no_manifest: "No manifest in the file. The invisible mark cannot be looked for on this page. "
    + "This does not mean that it is not AI.",
  unreadable: "Unreadable: not a media file that we can open.",
};

function settings(trust, stampers) {
  const anchors = [];
  if (stampers && trust.tsa_roots.trim()) {
    anchors.push({ trust_anchors: trust.tsa_roots, trust_kind: "tsa", trust_uri: STAMPERS });
  }
  if (trust.c2pa_roots.trim()) {
    anchors.push({ trust_anchors: trust.c2pa_roots, trust_kind: "manifest", trust_uri: SIGNERS });
  }
  return JSON.stringify({
    core: { decode_identity_assertions: false, allowed_network_hosts: [] },
    verify: { verify_trust: true, verify_timestamp_trust: true, remote_manifest_fetch: false, ocsp_fetch: false },
    ...(anchors.length ? { trust: { anchors } } : {}),
  });
}

function sniff(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 16));
  if (text.slice(4, 8) === "ftyp" || text.slice(4, 8) === "styp") {
    return ["M4A ", "M4B "].includes(text.slice(8, 12)) ? "audio/mp4" : "video/mp4";
  }
  if (text.startsWith("RIFF")) return { "WAVE": "audio/wav", "WEBP": "image/webp", "AVI ": "video/avi" }[text.slice(8, 12)];
  if (text.startsWith("\u0089PNG")) return "image/png";
  if (text.startsWith("\u00ff\u00d8\u00ff")) return "image/jpeg";
  if (text.startsWith("ID3") || (bytes[0] === 0xff && (bytes[1] & 0xe6) === 0xe2)) return "audio/mpeg";
  if (text.startsWith("fLaC")) return "audio/flac";
  return undefined;
}

function contains(bytes, needle) {
  for (let at = bytes.indexOf(needle[0]); at >= 0; at = bytes.indexOf(needle[0], at + 1)) {
    if (needle.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

async function store(mime, bytes, trust, stampers) {
  let reader;
  try {
    reader = await WasmReader.fromBytes(mime, bytes, settings(trust, stampers));
    return JSON.parse(reader.json());
  } catch {
    return null;
  } finally {
    reader?.free();
  }
}

const codes = (list) => (list || []).map((item) => String(item.code));

async function readManifest(bytes, trust) {
  const mime = sniff(bytes);
  let read = mime ? await store(mime, bytes, trust, true) : null;
  const active = (found) => found?.manifests?.[found.active_manifest];
  if (!active(read)) {
    return { presence: TRACES.some((trace) => contains(bytes, trace)) ? "damaged" : mime ? "absent" : "unreadable" };
  }
  const own = (found) => found.validation_results?.activeManifest || {};
  const vouched = (found) => codes(own(found).success).includes("signingCredential.trusted");
  let known = vouched(read) && read.validation_results.trustListUri === SIGNERS;
  const failures = codes(own(read).failure).filter((code) => !code.startsWith("cawg."));
  if (vouched(read) && !known) {
    // The signer's root may stand in both lists; then it must convince without the stampers'.
    const alone = await store(mime, bytes, trust, false);
    known = Boolean(active(alone)) && vouched(alone) && alone.validation_results.trustListUri === SIGNERS;
    if (!known) failures.push("signingCredential.untrusted");
  }
  const manifest = active(read);
  const info = manifest.signature_info || {};
  const successes = codes(own(read).success);
  const ancestors = (manifest.ingredients || []).map((one) => ({
    title: String(one.title || one.label || "unnamed"),
    licence: String(one.metadata?.["org.byline.licence"] || ""),
    signed: Boolean(one.active_manifest),
    failures: codes(one.validation_results?.activeManifest?.failure).concat(codes(one.validation_status)),
  }));
  const now = (read.validation_results?.ingredientDeltas || [])
    .flatMap((delta) => codes(delta.validationDeltas?.failure));
  return {
    presence: "read",
    known,
    failures,
    ancestors,
    ancestorsNow: now,
    broken: [
      ...failures.filter((code) => !ABOUT_THE_SIGNER.test(code)),
      ...(successes.includes("claimSignature.validated") ? [] : ["claimSignature.missing"]),
    ],
    signerProblems: failures.filter((code) => ABOUT_THE_SIGNER.test(code)),
    stamped: successes.includes("timeStamp.validated") && successes.includes("timeStamp.trusted"),
    signer: [info.common_name, info.issuer].filter(Boolean).join(", "),
    signedAt: String(info.time || ""),
    title: String(manifest.title || ""),
    audit: (manifest.assertions || []).find((one) => one.label === "org.byline.audit")?.data,
  };
}

async function checkProof(held, bytes, trust) {
  const proof = held.audit?.proof;
  if (!proof) return ["absent", "not found", "the manifest carries no proof from an audit log"];
  if (!trust.log?.vkey) return ["no_log", "not checked", "a proof is there, but your bundle holds no log key"];
  if (proof.origin !== trust.log.origin) return ["other_log", "not checked", "the proof is of another log"];
  try {
    const entry = await verifyProof(proof, trust.log.vkey);
    if (entry.kind !== "generation.asset") throw new ProofError("the logged entry is not about a finished clip");
    const digest = await contentDigest(bytes).catch(() => null);
    if (digest === null || digest.rule !== entry.payload?.digest_rule || digest.hex !== entry.payload?.digest) {
      return ["transplanted", "failed", "the logged entry is about other content than this file's"];
    }
    return ["held", "passed", `entry ${proof.index} of ${proof.origin}, logged ${entry.created}, is about exactly this content`];
  } catch (error) {
    if (error instanceof ProofError) return ["broken", "failed", `the proof does not hold: ${error.message}`];
    return ["no_crypto", "not checked", "this browser cannot check Ed25519 signatures; use a newer one"];
  }
}

async function checkStatus(held, trust, list) {
  if (!list) return [null, "not checked", "you supplied no status list: a withdrawal would not be seen"];
  if (!trust.receipts) return [null, "not checked", "your bundle holds no key for status lists"];
  try {
    const body = await verifyStatement(list, "byline-status-list", trust.receipts);
    const id = String(held.audit?.asset || "").replace(/^urn:uuid:/, "");
    const found = body.clips.find((clip) => clip.id === id);
    if (!found) return [null, "not checked", `the list of ${body.as_of} does not name this clip`];
    const words = `${found.state.replace("_", " ")}${found.since ? ` since ${found.since}` : ""} (as of ${body.as_of})`;
    const bad = ["withdrawn", "taken_down"].includes(found.state);
    return [found.state, bad ? "failed" : "passed", found.reason ? `${words}: ${found.reason}` : words];
  } catch (error) {
    return [null, "failed", `the status list does not hold: ${error.message}`];
  }
}

// {verdict, headline, findings: [{technique, status, text, limit}]} of a file's bytes.
export async function verify(bytes, trust, statusList = null) {
  const held = await readManifest(bytes, trust);
  const findings = [];
  const say = (technique, status, text, limit) => findings.push({ technique, status, text, limit });
  const mark = ["picture and speech mark", "not checked", "reading the mark needs an operator's records and keys",
    "Use byline verify with --records for copies that lost their manifest."];
  const result = (verdict) => ({ verdict, headline: VERDICTS[verdict], title: held.title || "", findings });
  if (held.presence !== "read") {
    const damaged = held.presence === "damaged";
    say("manifest", damaged ? "failed" : "not found",
      damaged ? "a manifest is in the file but cannot be read" : "the file holds no manifest",
      "Most platforms remove manifests: its absence says nothing.");
    say(...mark);
    return result({ damaged: "tampered", absent: "no_manifest", unreadable: "unreadable" }[held.presence]);
  }
  const broken = held.broken.length > 0;
  say("manifest", broken ? "failed" : "passed",
    broken ? `does not validate: ${held.broken.join(", ")}` : "the file's bytes are those that were signed",
    "Covers every byte of the file except padding boxes (in MP4: ftyp, free, skip, mfra).");
  const signed = held.known && held.signerProblems.length === 0 && !broken;
  say("signer", signed ? "passed" : broken ? "note" : "failed",
    signed ? `${held.signer}, verified under the roots you supplied`
      : `calls itself ${held.signer || "nothing"}; not verified under the roots you supplied`,
    "Says who signed, not that what is shown is true. Revocation is not checked on this page.");
  say("time stamp", held.stamped ? "passed" : "not found",
    held.stamped ? `signed ${held.signedAt}` : "no time stamp that the roots you supplied can confirm",
    "The newsroom's own stamp authority may have made it; it is no independent witness.");
  for (const one of held.ancestors) {
    const worth = one.failures.length ? one.failures.join(", ")
      : one.signed ? "its own credentials hold" : "no credentials of its own";
    say("ancestors", one.failures.length ? "failed" : one.signed ? "passed" : "note",
      `${one.title}: ${one.licence ? `licence: ${one.licence}; ` : ""}${worth}`,
      "Earlier files named in the manifest; their failures do not change this file's verdict.");
  }
  if (held.ancestorsNow.length) {
    say("ancestors", "failed", `an ancestor: ${held.ancestorsNow.join(", ")}`, "As above.");
  }
  say(...mark);
  const [outcome, status, text] = await checkProof(held, bytes, trust);
  say("audit proof", status, text, "Shows that the content was logged, not that the log showed everyone the same.");
  const verdict = broken ? "tampered"
    : ["broken", "transplanted"].includes(outcome) ? "transplanted"
    : !signed ? "unknown_signer"
    : outcome !== "held" ? "unproven"
    : "intact";
  const [state, standing, words] = await checkStatus(held, trust, statusList);
  say("status", standing, words, "The operator's own word, as of the stated date.");
  return result(verdict === "intact" && ["withdrawn", "taken_down"].includes(state) ? state : verdict);
}
