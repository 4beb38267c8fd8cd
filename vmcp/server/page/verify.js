/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/* When is an answer good? The checks of the protocol, in its order; the codes are vmcp's. Nothing
 * here touches the page, and nothing is good because something was not understood. */

const ANSWER_MAX = 1024 * 1024;
const SKEW = 300;
const LIFETIME_MAX = 3600;
const ALGS = { /* name: key type, for importKey(), for verify() */
    EdDSA: ["Ed25519", "Ed25519", "Ed25519"],
    Ed25519: ["Ed25519", "Ed25519", "Ed25519"],
    ES256: ["P-256", { name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
    PS256: ["RSA", { name: "RSA-PSS", hash: "SHA-256" }, { name: "RSA-PSS", saltLength: 32 }],
    RS256: ["RSA", { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, "RSASSA-PKCS1-v1_5"],
    RS512: ["RSA", { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" }, "RSASSA-PKCS1-v1_5"],
};
const HEADERS_REFUSED = ["crit", "jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256", "zip", "b64"];
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

class Refusal extends Error {
    constructor(code, text) {
        super(text);
        this.code = code;
    }
}

function refuse(code, text) {
    throw new Refusal(code, text);
}

function strictly(what, code, make) {
    try {
        return make();
    } catch (e) {
        return refuse(code, `${what}: ${e.message}`);
    }
}

function utf8(bytes) {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/* 1. Size, parts, base64url, strict JSON. `bytes` is the body as it came. */
function takeApart(bytes) {
    if (bytes.length > ANSWER_MAX)
        refuse("answer-too-large", `${bytes.length} bytes; 1 MiB at most`);
    const text = strictly("the answer", "answer-malformed", () => utf8(bytes));
    const parts = text.split(".");
    if (parts.length !== 3 || !parts[0] || !parts[1])
        refuse("answer-malformed", "three parts between dots are wanted");
    const object = (part, what) => strictly(what, "answer-malformed", () => {
        const value = parseJson(utf8(fromBase64url(part)));
        if (!isObject(value))
            throw new SyntaxError("a JSON object is wanted");
        return value;
    });
    return {
        header: object(parts[0], "header"),
        payload: object(parts[1], "payload"),
        signature: strictly("signature", "answer-malformed", () => fromBase64url(parts[2])),
        signed: new TextEncoder().encode(`${parts[0]}.${parts[1]}`),
    };
}

/* 2. */
function checkHeader(header) {
    if (header.typ !== "vmcp+jwt")
        refuse("typ-wrong", "`typ` is not \"vmcp+jwt\"");
    if (typeof header.alg !== "string" || !Object.hasOwn(ALGS, header.alg))
        refuse("alg-refused", `\`alg\` is none of ${Object.keys(ALGS).join(", ")}`);
    for (const name of HEADERS_REFUSED)
        if (name in header)
            refuse("header-refused", `\`${name}\` is never accepted`);
    if ("kid" in header && typeof header.kid !== "string")
        refuse("header-refused", "`kid` is a string");
}

/* A key of the set as {type, thumbprint, jwk}, or null for one that is not for us. The thumbprint
 * is recomputed (RFC 7638, section 3): a `kid` is only what somebody wrote. */
async function readKey(jwk) {
    if (!isObject(jwk) || PRIVATE_MEMBERS.some(name => name in jwk) ||
        ("use" in jwk && jwk.use !== "sig") || jwk.status === "retired" ||
        ("key_ops" in jwk && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes("verify"))))
        return null;
    let type, names;
    if (jwk.kty === "OKP" && jwk.crv === "Ed25519")
        [type, names] = ["Ed25519", ["crv", "kty", "x"]];
    else if (jwk.kty === "EC" && jwk.crv === "P-256")
        [type, names] = ["P-256", ["crv", "kty", "x", "y"]];
    else if (jwk.kty === "RSA")
        [type, names] = ["RSA", ["e", "kty", "n"]];
    else
        return null;
    if ("alg" in jwk && !(Object.hasOwn(ALGS, jwk.alg) && ALGS[jwk.alg][0] === type))
        return null;
    const members = Object.create(null);
    for (const name of names) {
        if (typeof jwk[name] !== "string")
            return null;
        members[name] = jwk[name];
    }
    try {
        for (const name of names.filter(n => n.length === 1))
            if (!isNumber(type, name, fromBase64url(members[name])))
                return null;
    } catch (e) {
        return null;
    }
    const text = JSON.stringify(members, names); /* in this order, which is the alphabet's */
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return { type, thumbprint: toBase64url(new Uint8Array(digest)), jwk: { ...members } };
}

/* Coordinates are 32 bytes; an RSA modulus has 2048 to 8192 bits and no zeros in front. */
function isNumber(type, name, bytes) {
    if (type !== "RSA")
        return bytes.length === 32;
    if (bytes.length === 0 || bytes[0] === 0)
        return false;
    const bits = 8 * bytes.length - Math.clz32(bytes[0]) + 24;
    return name === "n" ? bits >= 2048 && bits <= 8192 : bytes.length <= 8;
}

/* 3. `trusted`: thumbprints, or null: whatever the responder publishes, which authenticates
 * nothing. */
async function chooseKey(header, set, trusted) {
    if (!isObject(set) || !Array.isArray(set.keys))
        refuse("trust-invalid", "the responder's key set is not a JWK set");
    let keys = (await Promise.all(set.keys.slice(0, 64).map(readKey))).filter(key => key);
    if (trusted)
        keys = keys.filter(key => trusted.includes(key.thumbprint));
    const whose = trusted ? "of the keys that you trust" : "of the keys that are published here";
    const type = ALGS[header.alg][0];
    const fits = "kid" in header ? keys.filter(key => key.thumbprint === header.kid)
                                 : keys.filter(key => key.type === type);
    if (fits.length !== 1)
        refuse("key-untrusted", "kid" in header ? `${header.kid} is none ${whose}`
                                                : `the answer names no key, and ${fits.length} ${whose} fit`);
    if (fits[0].type !== type)
        refuse("key-mismatch", `${header.alg} does not fit a key of type ${fits[0].type}`);
    return fits[0];
}

/* 4. */
async function checkSignature(alg, key, signature, signed) {
    const [, importAs, verifyAs] = ALGS[alg];
    let imported;
    try {
        imported = await crypto.subtle.importKey("jwk", { ...key.jwk, ext: true }, importAs, false, ["verify"]);
    } catch (e) {
        if (e.name === "NotSupportedError" || e.name === "SyntaxError" && key.type === "Ed25519")
            refuse("browser", `this browser cannot verify ${key.type} signatures: take a newer one, or vmcp fetch`);
        refuse("key-malformed", "the key's numbers are not a key");
    }
    if (!await crypto.subtle.verify(verifyAs, imported, signature, signed))
        refuse("signature-invalid", "the signature does not fit: the answer was changed, or another key signed it");
}

/* 5. One claim that must be a string; `want` null: any. */
function checkClaim(payload, claim, want, code, text) {
    if (typeof payload[claim] !== "string")
        refuse("claims-malformed", `the claim \`${claim}\` is ${claim in payload ? "not a string" : "missing"}`);
    if (want !== null && payload[claim] !== want)
        refuse(code, text);
}

function integerClaim(payload, claim) {
    const value = payload[claim];
    if (!Number.isSafeInteger(value) || value < 0)
        refuse("claims-malformed", `the claim \`${claim}\` is to be an integer from 0 to 2^53-1`);
    return value;
}

/* 6. Seconds since 1970. */
function checkTime(payload, now) {
    const iat = integerClaim(payload, "iat"), exp = integerClaim(payload, "exp");
    if (iat > now + SKEW)
        refuse("not-yet-valid", `the answer is from ${iat - now} s in the future; is the clock right?`);
    if (now > exp + SKEW)
        refuse("expired", `the answer ran out ${now - exp} s ago; is the clock right?`);
    if (exp <= iat || exp - iat > LIFETIME_MAX)
        refuse("lifetime-invalid", `a lifetime of ${exp - iat} s; 1 to ${LIFETIME_MAX} are allowed`);
    return `made ${Math.abs(now - iat)} s ${now < iat ? "ahead" : "ago"}, good for ${exp - iat} s`;
}
