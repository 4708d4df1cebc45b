// The audit proof of a file, checked with WebCrypto alone: RFC 6962 inclusion, C2SP checkpoint, content digest.
// The rules are those of audit/verify.py, audit/checkpoint.py and provenance/digest.py; every refusal is a ProofError.

export class ProofError extends Error {}

const MAX_PATH = 64;
const MAX_PARTS = 100000;
const PROOF_FIELDS = ["checkpoint", "entry", "index", "leaf_hash", "origin", "path", "tree_size", "v"];
const ENTRY_FIELDS = ["actor", "created", "id", "kind", "payload", "subject", "v"];
const encoder = new TextEncoder();

function need(condition, reason) {
  if (!condition) throw new ProofError(reason);
}

export function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text, what) {
  need(typeof text === "string" && /^[0-9a-f]{64}$/.test(text), `${what} is not 64 lowercase hex digits`);
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

function fromBase64(text, what) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new ProofError(`${what} is not base64`);
  }
  need(btoa(String.fromCharCode(...bytes)) === text, `${what} is not canonical base64`);
  return bytes;
}

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
}

function equal(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function exactly(value, fields) {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    && JSON.stringify(Object.keys(value).sort()) === JSON.stringify(fields);
}

// RFC 8785, the subset of audit/canonical.py: no floats, ASCII names, integers within 2^53.
export function canonical(value, depth = 0) {
  need(depth <= 16, "the entry is nested too deep");
  if (value === null || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "string") {
    need(!value.includes("\u0000") && value.isWellFormed(), "the entry holds text without a canonical form");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    need(Number.isSafeInteger(value) && !Object.is(value, -0), "the entry holds a number without a canonical form");
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(",")}]`;
  const names = Object.keys(value).sort();
  need(names.every((name) => /^[ -~]*$/.test(name)), "the entry holds a field name that is not ASCII");
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name], depth + 1)}`).join(",")}}`;
}

// C2SP verifier key "name+id+key" -> {name, id, public}.
export async function parseKey(text) {
  const parts = /^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text.trim());
  need(parts, "a verifier key reads name+id+key");
  const data = fromBase64(parts[3], "the verifier key");
  need(data.length === 33 && data[0] === 1, "the verifier key is not an Ed25519 key");
  const id = (await sha256(encoder.encode(`${parts[1]}\n`), data)).slice(0, 4);
  need(hex(id) === parts[2], "the verifier key's id does not match its name and key");
  return { name: parts[1], id, public: data.slice(1) };
}

export async function verifySignature(key, signature, message) {
  const imported = await crypto.subtle.importKey("raw", key.public, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

async function openCheckpoint(note, key) {
  need(typeof note === "string" && note.length <= 65536, "the checkpoint is not text of at most 64 KiB");
  const split = note.lastIndexOf("\n\n");
  need(split > 0 && note.endsWith("\n"), "the checkpoint has no signatures");
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2, -1).split("\n");
  need(lines.length <= 16, "the checkpoint has too many signatures");
  let ours = 0;
  for (const line of lines) {
    const parts = line.split(" ");
    need(parts.length === 3 && parts[0] === "\u2014", "a signature line is malformed");
    const data = fromBase64(parts[2], "a signature");
    if (parts[1] !== key.name || !equal(data.slice(0, 4), key.id)) continue;
    need(await verifySignature(key, data.slice(4), encoder.encode(text)), "the log's signature does not verify");
    ours += 1;
  }
  need(ours > 0, "the checkpoint is not signed by this log key");
  const body = text.split("\n");
  need(body.length === 4 && body[3] === "" && /^(0|[1-9][0-9]{0,18})$/.test(body[1]), "the checkpoint is malformed");
  const root = fromBase64(body[2], "the root hash");
  need(root.length === 32 && body[0] === key.name, "the checkpoint is of another log");
  return { origin: body[0], size: Number(body[1]), root };
}

// RFC 9162 section 2.1.3.2.
async function rootFromPath(leaf, index, size, path) {
  let fn = BigInt(index);
  let sn = BigInt(size) - 1n;
  let root = leaf;
  for (const hash of path) {
    need(sn !== 0n, "the path is too long for the tree");
    if ((fn & 1n) === 1n || fn === sn) {
      root = await sha256(Uint8Array.of(1), hash, root);
      while ((fn & 1n) === 0n && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      root = await sha256(Uint8Array.of(1), root, hash);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  need(sn === 0n, "the path is too short for the tree");
  return root;
}

// The entry that a proof proves under the log's verifier key. ProofError in every other case.
export async function verifyProof(proof, vkey) {
  need(exactly(proof, PROOF_FIELDS) && proof.v === 1, "the proof does not have exactly the fields of version 1");
  need(exactly(proof.entry, ENTRY_FIELDS), "the entry does not have exactly the fields of version 1");
  need(Array.isArray(proof.path) && proof.path.length <= MAX_PATH, "the path is not a list of at most 64 hashes");
  need(Number.isSafeInteger(proof.index) && Number.isSafeInteger(proof.tree_size), "index or size is no number");
  need(proof.index >= 0 && proof.index < proof.tree_size, "the index is not in the tree");
  const leaf = await sha256(Uint8Array.of(0), encoder.encode(canonical(proof.entry)));
  need(equal(leaf, fromHex(proof.leaf_hash, "the leaf hash")), "the entry does not hash to the leaf: it was changed");
  const head = await openCheckpoint(proof.checkpoint, await parseKey(vkey));
  need(head.origin === proof.origin && head.size === proof.tree_size, "proof and checkpoint name different trees");
  const path = proof.path.map((item) => fromHex(item, "a hash of the path"));
  const root = await rootFromPath(leaf, proof.index, proof.tree_size, path);
  need(equal(root, head.root), "the path does not lead to the checkpoint's root");
  return proof.entry;
}

// A signed statement (receipt or status list): the body that the key signed. ProofError otherwise.
export async function verifyStatement(statement, kind, vkey) {
  need(exactly(statement, ["body", "kind", "signature", "v"]), "the file is not a signed statement");
  need(statement.kind === kind && statement.v === 1, `the statement is not a ${kind}`);
  const key = await parseKey(vkey);
  need(statement.signature?.key === `${key.name}+${hex(key.id)}`, "the statement is signed by another key");
  const value = fromBase64(String(statement.signature.value), "the signature");
  const signed = encoder.encode(canonical({ kind: statement.kind, v: statement.v, body: statement.body }));
  need(await verifySignature(key, value, signed), "the signature does not hold: the statement was changed");
  return statement.body;
}

// ------------------------------------------------------------------ content digests (provenance/digest.py)

const ascii = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));

function mp4Parts(bytes, view) {
  const parts = [];
  for (let at = 0, boxes = 0; at < bytes.length; boxes += 1) {
    need(boxes < MAX_PARTS && at + 8 <= bytes.length, "a box does not fit the file");
    let size = view.getUint32(at);
    let header = 8;
    if (size === 1) {
      need(at + 16 <= bytes.length, "a box does not fit the file");
      size = Number(view.getBigUint64(at + 8));
      header = 16;
    } else if (size === 0) {
      size = bytes.length - at;
    }
    need(size >= header && at + size <= bytes.length, "a box does not fit the file");
    if (ascii(bytes, at + 4, 4) === "mdat") parts.push(bytes.subarray(at + header, at + size));
    at += size;
  }
  return parts;
}

function pngParts(bytes, view) {
  const parts = [];
  for (let at = 8, chunks = 0; ; chunks += 1) {
    need(chunks < MAX_PARTS && at + 12 <= bytes.length, "the file is cut short");
    const size = view.getUint32(at);
    const name = ascii(bytes, at + 4, 4);
    need(at + 12 + size <= bytes.length, "the file is cut short");
    if (name === "IEND") return parts;
    if (name === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + size));
    at += 12 + size;
  }
}

function wavParts(bytes, view) {
  const parts = [];
  const end = Math.min(bytes.length, 8 + view.getUint32(4, true));
  for (let at = 12, chunks = 0; at + 8 <= end; chunks += 1) {
    need(chunks < MAX_PARTS, "too many chunks");
    const size = view.getUint32(at + 4, true);
    if (ascii(bytes, at, 4) === "data") {
      need(at + 8 + size <= end, "the file is cut short");
      parts.push(bytes.subarray(at + 8, at + 8 + size));
    }
    at += 8 + size + (size & 1);
  }
  return parts;
}

function jpegParts(bytes, view) {
  const parts = [bytes.subarray(0, 2)];
  let scans = 0;
  for (let at = 2, segments = 0; ; segments += 1) {
    need(segments < MAX_PARTS && bytes[at] === 0xff, "a JPEG marker is missing");
    while (bytes[at + 1] === 0xff) at += 1; // fill bytes may precede a marker (T.81 B.1.1.2)
    const marker = bytes[at + 1];
    if (marker === 0xd9) break;
    need(at + 4 <= bytes.length && marker > 1 && marker !== 0xd8 && !(marker >= 0xd0 && marker <= 0xd7),
      "the JPEG is damaged");
    let stop = at + 2 + view.getUint16(at + 2);
    need(stop >= at + 4 && stop <= bytes.length, "the file is cut short");
    if (marker === 0xda) {
      scans += 1;
      stop = endOfScan(bytes, stop);
    }
    if (!(marker >= 0xe0 && marker <= 0xef) && marker !== 0xfe) parts.push(bytes.subarray(at, stop));
    at = stop;
  }
  need(scans > 0, "the JPEG holds no scan");
  return [...parts, Uint8Array.of(0xff, 0xd9)];
}

function endOfScan(bytes, at) {
  for (;;) {
    at = bytes.indexOf(0xff, at);
    need(at >= 0 && at + 1 < bytes.length, "the file is cut short");
    const next = bytes[at + 1];
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
    at += next === 0xff ? 1 : 2;
  }
}

// {rule, hex} of the media inside a file, null for a format without a rule here. ProofError when damaged.
export async function contentDigest(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = bytes.length < 12 ? null
    : ["ftyp", "styp"].includes(ascii(bytes, 4, 4)) ? ["mp4-mdat-sha256", mp4Parts]
    : ascii(bytes, 0, 8) === "\u0089PNG\r\n\u001a\n" ? ["png-idat-sha256", pngParts]
    : ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 4) === "WAVE" ? ["wav-data-sha256", wavParts]
    : ascii(bytes, 0, 3) === "\u00ff\u00d8\u00ff" ? ["jpeg-scan-sha256", jpegParts]
    : null;
  if (found === null) return null;
  const parts = found[1](bytes, view);
  need(parts.length > 0, "the file holds no media data");
  return { rule: found[0], hex: hex(await sha256(...parts)) };
}
