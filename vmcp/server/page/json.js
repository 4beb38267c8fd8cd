/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/* Strict JSON, as libvmcp reads it: what JSON.parse() lets pass (a key twice, any depth, half a
 * character) is an error here, for two readers could disagree on it. Objects come without a
 * prototype; a number that is no safe integer comes as a Raw. */

class Raw {
    constructor(text) { this.text = text; }
    toJSON() { return Number(this.text); }
}

function parseJson(text) {
    const blank = /[ \t\r\n]*/y;
    const token = /"(?:[^"\\\x00-\x1f]|\\(?:["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;
    let at = 0;

    function skip() {
        blank.lastIndex = at;
        blank.exec(text);
        at = blank.lastIndex;
    }
    function expect(char) {
        skip();
        if (text[at] !== char)
            throw new SyntaxError(`"${char}" is wanted at character ${at + 1}`);
        at++;
    }
    function next(char) { /* takes it if it is there */
        skip();
        if (text[at] !== char)
            return false;
        at++;
        return true;
    }
    function number(written, value) {
        const isInteger = /^-?[0-9]+$/.test(written);
        if (isInteger ? BigInt.asIntN(64, BigInt(written)) !== BigInt(written) : !Number.isFinite(value))
            throw new SyntaxError(`a number that is too big before character ${at + 1}`);
        return isInteger && Number.isSafeInteger(value) ? value : new Raw(written);
    }
    function scalar() {
        skip();
        token.lastIndex = at;
        const found = token.exec(text);
        if (!found)
            throw new SyntaxError(`no value at character ${at + 1}`);
        at = token.lastIndex;
        const value = JSON.parse(found[0]);
        if (typeof value === "string" && /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value))
            throw new SyntaxError(`a NUL or half a character in the string before character ${at}`);
        return typeof value === "number" ? number(found[0], value) : value;
    }
    function members(depth) {
        const object = Object.create(null);
        if (next("}"))
            return object;
        do {
            const key = scalar();
            if (typeof key !== "string")
                throw new SyntaxError(`a key is wanted before character ${at + 1}`);
            if (key in object)
                throw new SyntaxError(`a key that the object has already, before character ${at + 1}`);
            expect(":");
            object[key] = value(depth + 1);
        } while (next(","));
        expect("}");
        return object;
    }
    function elements(depth) {
        const array = [];
        if (next("]"))
            return array;
        do
            array.push(value(depth + 1));
        while (next(","));
        expect("]");
        return array;
    }
    function value(depth) {
        skip();
        if (depth > 32 && "{[".includes(text[at]))
            throw new SyntaxError("nested deeper than 32 levels");
        if (next("{"))
            return members(depth);
        return next("[") ? elements(depth) : scalar();
    }

    const result = value(1);
    skip();
    if (at !== text.length)
        throw new SyntaxError(`something follows at character ${at + 1}`);
    return result;
}

function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Raw);
}

/* base64url without padding (RFC 4648, section 5): one text for each sequence of bytes. */

function toBase64url(bytes) {
    let s = "";
    for (const byte of bytes)
        s += String.fromCharCode(byte);
    return btoa(s).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function fromBase64url(text) {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1)
        throw new SyntaxError("not base64url without padding");
    const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
    if (toBase64url(bytes) !== text)
        throw new SyntaxError("the last character has bits that mean nothing");
    return bytes;
}
