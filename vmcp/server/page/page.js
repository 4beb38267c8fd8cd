/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/* The form: asks with a fresh salt, verifies, and shows each check. Whatever came from elsewhere
 * goes in as text. Where the browser cannot verify, the form stays what it is without a script. */

const form = document.getElementById("ask");
const field = name => document.getElementById(name);
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";

/* 64 characters, each as likely as any other: bytes that would favour some are thrown away. */
function freshSalt() {
    const usable = 256 - 256 % ALPHABET.length;
    let salt = "";
    while (salt.length < 64)
        for (const byte of crypto.getRandomValues(new Uint8Array(96)))
            if (byte < usable && salt.length < 64)
                salt += ALPHABET[byte % ALPHABET.length];
    return salt;
}

/* As our clients make it: sha256(local id "|" domain), in hex. The local id is forgotten here. */
async function freshHostId() {
    const text = new TextEncoder().encode(`${freshSalt()}|${form.dataset.domain}`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
    return Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("");
}

function addCheck(what, text, outcome) {
    const item = document.createElement("li");
    const words = { good: "passed", bad: "failed", open: "not checked" };
    item.className = outcome;
    for (const [tag, content] of [["span", words[outcome]], ["strong", what], ["span", text]])
        item.appendChild(document.createElement(tag)).textContent = content;
    field("checks").appendChild(item);
}

function showVerdict(outcome, title, text) {
    field("verdict").className = outcome;
    field("verdict-title").textContent = title;
    field("verdict-text").textContent = text;
    field("result").hidden = false;
}

/* The body, as far as the limit. */
async function readBody(response) {
    const chunks = [];
    let size = 0;
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
        chunks.push(part.value);
        size += part.value.length;
        if (size > ANSWER_MAX) {
            await reader.cancel();
            break;
        }
    }
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

async function get(url, accept) {
    const response = await fetch(url, { headers: { Accept: accept }, redirect: "error", cache: "no-store", credentials: "same-origin" });
    const bytes = await readBody(response);
    const type = (response.headers.get("Content-Type") || "").split(";")[0].trim();
    if (!response.ok)
        throw problemOf(response.status, bytes);
    if (type !== accept)
        refuse("content-type", `the answer is ${type || "of no type"}, not ${accept}`);
    return bytes;
}

/* RFC 9457. */
function problemOf(status, bytes) {
    try {
        const problem = JSON.parse(utf8(bytes));
        return new Refusal(String(problem.code || status), String(problem.detail || problem.title || "no detail"));
    } catch (e) {
        return new Refusal(String(status), "the responder answered with an error");
    }
}

function readThumbprints() {
    const list = field("thumbprint").value.split(/[\s,]+/).filter(word => word);
    for (const word of list)
        if (!/^[A-Za-z0-9_-]{43}$/.test(word))
            refuse("trust-invalid", `"${word.slice(0, 60)}" is no thumbprint: 43 letters, digits, - and _ are wanted`);
    return list.length ? list : null;
}

async function askAndVerify() {
    const trusted = readThumbprints();
    const salt = field("salt").value = freshSalt();
    const question = new URLSearchParams({ cvm_salt: salt, cvm_hostid: field("hostid").value });
    const machine = field("vm").value.trim() || null;
    if (machine)
        question.set("vm", machine);
    const answer = await get(`vmcp?${question}`, "application/jose");
    const now = Math.floor(Date.now() / 1000);
    const set = await get(".well-known/jwks.json", "application/jwk-set+json");
    const expect = {
        domain: form.dataset.domain, machine, hostid: field("hostid").value, salt, trusted, now,
        set: strictly("the key set", "trust-invalid", () => parseJson(utf8(set))),
    };
    const payload = await verifyAnswer(answer, expect, (what, text) => addCheck(what, text, what === "Key" && !trusted ? "open" : "good"));
    field("machine").textContent = JSON.stringify({ machine: payload.machine, gce: payload.gce, count: payload.count }, null, 2);
    field("machine-box").hidden = false;
    if (trusted)
        showVerdict("good", "Authenticated", `Signed for ${payload.iss}, this host id and this salt by a key that you trust.`);
    else
        showVerdict("open", "Consistent, not authenticated", "Every check holds, but the key is only what this server says it is. Paste its thumbprint, got from the operator in another way, to authenticate the answer.");
}

async function submit(event) {
    event.preventDefault();
    field("checks").replaceChildren();
    field("machine").textContent = "";
    field("machine-box").hidden = true;
    field("send").disabled = true;
    showVerdict("open", "Asking…", "");
    try {
        await askAndVerify();
    } catch (e) {
        const code = e instanceof Refusal ? e.code : "network";
        const text = e instanceof Refusal ? e.message : `the responder cannot be reached: ${e.message}`;
        addCheck(code, text, "bad");
        showVerdict("bad", "Refused", `${code}: ${text}`);
    } finally {
        field("send").disabled = false;
    }
}

async function start() {
    field("salt").value = freshSalt();
    if (!globalThis.crypto.subtle) {
        field("hostid").value = freshSalt();
        field("insecure").hidden = false;
        return;
    }
    field("hostid").value = await freshHostId();
    field("salt").readOnly = true;
    field("send").textContent = "Ask and verify";
    form.addEventListener("submit", submit);
    field("trust-row").hidden = false;
    form.dataset.ready = "yes";
}

start();
